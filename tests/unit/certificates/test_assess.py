"""The verdicts on certificates, from plain facts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.assess import covers
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.files import (
    InvalidFile,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.options import Target
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import (
    NotCollected,
    RunbookError,
)
from tests.support.certificates import TARGET, assessed, certificate


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


NAMES = st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,5}){1,3}", fullmatch=True)


@given(NAMES, NAMES)
def test_a_name_is_covered_by_itself_and_by_a_wildcard_for_its_first_label(
    name: str, other: str
) -> None:
    parent = name.partition(".")[2]
    assert covers(certificate(names=(name,)), name)
    assert covers(certificate(names=(f"*.{parent}",)), name) == ("." in parent)
    assert covers(certificate(names=(other,)), name) == (name == other)
    assert not covers(certificate(names=(f"*.{name}",)), name)
    assert not covers(certificate(names=(f"*.{name}",)), f"a.b.{name}")


def test_addresses_are_compared_as_addresses() -> None:
    assert covers(certificate(names=(), addresses=("0:0:0:0:0:0:0:1",)), "::1")
    assert not covers(certificate(names=("10.0.0.1",)), "10.0.0.1")


@pytest.mark.parametrize(
    ("left", "fingerprint", "status"),
    [(60, "aa", "ok"), (89, "bb", "critical"), (30, "bb", "warning")],
)
def test_served_and_on_disk(left: float, fingerprint: str, status: str) -> None:
    checks = assessed(
        target=replace(TARGET, file="/f.pem"), disk=(certificate(left, fingerprint=fingerprint),)
    )
    assert checks["certificate.served_is_file"].status == status
