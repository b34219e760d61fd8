"""The renewal of certificates as operators start it."""

from __future__ import annotations

from pathlib import Path

from demo.stack import Stack
from tests.support.playbooks import run_playbook


def test_the_demo_has_an_authority_of_its_own(stack: Stack, tmp_path: Path) -> None:
    stack.up()
    run = run_playbook(stack, tmp_path, "renew_certificates")
    assert run.code == 0, run.output
    assert {check["status"] for check in run.report["checks"]} == {"ok"}
    assert run.report["actions"] == []
    assert "nothing here renews a certificate" in run.check("certificate.renewal")["summary"]
