"""The verdicts on certificates, from plain facts."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.files import (
    InvalidFile,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.options import Target
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import (
    NotCollected,
    RunbookError,
)
from tests.support.certificates import assessed, certificate


def test_a_good_certificate() -> None:
    checks = assessed()
    assert {name: check.status for name, check in checks.items()} == {
        "certificate.expiry": "ok",
        "certificate.chain": "ok",
        "certificate.hostname": "ok",
        "certificate.key": "ok",
    }
    assert (
        checks["certificate.expiry"].summary
        == "60 days left, until 2027-01-22 (66.7 % of its 90 days)"
    )
    assert checks["certificate.chain"].summary == "trusted: leads to 'R11'"


def test_no_certificate_is_one_check_and_no_row_of_unknowns() -> None:
    checks = assessed(
        chain=(), failure="connection refused: nothing listens on x:443", remedy="look there"
    )
    assert list(checks) == ["certificate.expiry"]
    assert (checks["certificate.expiry"].status, checks["certificate.expiry"].remedy) == (
        "unknown",
        "look there",
    )


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (NotCollected("the certificate file /x.pem is bad", "allow it"), "unknown"),
        (InvalidFile("the certificate file /x.pem is bad"), "critical"),
    ],
)
def test_a_file_without_a_certificate(problem: RunbookError, status: str) -> None:
    checks = assessed(
        chain=(),
        target=Target("/x.pem", file="/x.pem"),
        disk=problem,
    )
    assert [(name, check.status, check.summary) for name, check in checks.items()] == [
        ("certificate.expiry", status, "the certificate file /x.pem is bad")
    ]
    assert checks["certificate.expiry"].remedy == problem.remedy


def test_the_file_of_a_ca_has_no_chain_to_judge_and_that_of_a_server_has() -> None:
    target = Target("/x.pem", file="/x.pem")
    root = certificate(names=(), authority=True)
    assert "certificate.chain" not in assessed(root, target=target)
    own = certificate(authority=True)  # as 'openssl req -x509' makes them
    assert assessed(own, target=target, code=18)["certificate.chain"].status == "critical"
