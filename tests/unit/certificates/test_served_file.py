"""The verdict on a file and what is served instead of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.verdict import Verdict
from tests.support.certificates import TARGET, assessed, certificate

NEW = certificate(89, fingerprint="bb")
OLD = certificate(30, fingerprint="bb")
SAME = certificate(fingerprint="aa")


@pytest.mark.parametrize(
    ("disk", "seen", "status", "words"),
    [
        (SAME, {}, "ok", "serves the certificate in /f.pem"),
        (SAME, {"disk_verdict": Verdict(20)}, "ok", "come from elsewhere"),
        (NEW, {}, "critical", "not reloaded"),
        (NEW, {"disk_verdict": Verdict(20)}, "critical", "after the next reload or restart: the"),
        (NEW, {"disk_named": False}, "critical", "not issued for 'your-domain.com'"),
        (OLD, {"disk_verdict": Verdict(20)}, "warning", "serves a newer certificate than /f.pem"),
    ],
)
def test_served_and_on_disk(disk: Any, seen: dict[str, Any], status: str, words: str) -> None:
    check = assessed(target=replace(TARGET, file="/f.pem"), disk=(disk,), **seen)[
        "certificate.served_is_file"
    ]
    assert check.status == status
    assert words in check.summary


def test_no_reload_into_what_clients_refuse() -> None:
    check = assessed(target=replace(TARGET, file="/f.pem"), disk=(NEW,), disk_verdict=Verdict(20))[
        "certificate.served_is_file"
    ]
    assert check.remedy.startswith("Do not reload before the file is right. ")
    assert "and reload" not in check.remedy
