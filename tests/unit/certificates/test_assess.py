"""The verdicts on certificates, from plain facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.assess import (
    Look,
    Target,
    assess,
    covers,
    expiry_limit,
    weak_key,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.certificate import (
    Certificate,
    FileProblem,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.collect import (
    requests_from,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.modules import cert_check as module_under_test

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)
TARGET = Target("your-domain.com:443", "your-domain.com")


def certificate(left: float = 60, lifetime: float = 90, **more: Any) -> Certificate:
    ends = NOW + timedelta(days=left)
    values: dict[str, Any] = {
        "subject": "your-domain.com",
        "issuer": "R11",
        "names": ("your-domain.com",),
        "subject_name": b"leaf",
        "issuer_name": b"R11",
        "public_key": b"key",
        "fingerprint": "aa",
    }
    return Certificate(
        **{**values, "not_before": ends - timedelta(days=lifetime), "not_after": ends, **more}
    )


def judged(
    *chain: Certificate, overrides: dict[str, Any] | None = None, **more: Any
) -> dict[str, Check]:
    look = Look(**{"target": TARGET, "chain": chain or (certificate(),), **more})
    return {check.name: check for check in assess(look, Thresholds(CHECKS, overrides), NOW)}


def test_a_good_certificate() -> None:
    checks = judged()
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
    assert checks["certificate.chain"].summary == "trusted: 'R11' vouches for it"


@pytest.mark.parametrize(
    ("left", "lifetime", "status"),
    [
        (21.5, 90, "ok"),
        (20.9, 90, "warning"),
        (7.1, 90, "warning"),
        (6.9, 90, "critical"),
        (21.5, 398, "ok"),
        (20.9, 398, "warning"),
        (1.6, 6, "ok"),
        (1.4, 6, "warning"),
        (0.5, 6, "critical"),
        (12, 47, "ok"),
        (11.5, 47, "warning"),
        (4.5, 47, "critical"),
        (0.26, 1, "ok"),
    ],
)
def test_limits_by_days_and_by_share_of_the_lifetime(
    left: float, lifetime: float, status: str
) -> None:
    assert judged(certificate(left, lifetime))["certificate.expiry"].status == status


@given(
    st.floats(0.01, 4000), st.floats(1, 100), st.floats(0, 1), st.floats(1, 100), st.floats(0, 1)
)
def test_the_limits_are_never_above_either_and_keep_their_order(
    lifetime: float, days: float, of_days: float, share: float, of_share: float
) -> None:
    thresholds = Thresholds(
        CHECKS,
        {
            "certificate.expiry": {"warning": days, "critical": days * of_days},
            "certificate.lifetime_left": {"warning": share, "critical": share * of_share},
        },
    )
    limit = expiry_limit(certificate(1, lifetime), thresholds, "x")
    assert limit.below
    assert limit.warning is not None
    assert limit.critical is not None
    assert limit.warning <= min(days, share / 100 * lifetime) + 0.001
    assert limit.critical <= limit.warning


def test_limits_can_be_switched_off_but_expired_stays_critical() -> None:
    off = {"certificate.expiry": {"warning": None, "critical": None}}
    assert judged(certificate(0.1), overrides=off)["certificate.expiry"].status == "ok"
    assert judged(certificate(-0.1), overrides=off)["certificate.expiry"].status == "critical"
    assert (
        judged(certificate(12, 30), overrides={"certificate.lifetime_left": {"warning": None}})[
            "certificate.expiry"
        ].status
        == "warning"
    )


def test_limits_for_one_certificate_alone() -> None:
    assert (
        judged(
            certificate(40), overrides={"certificate.expiry your-domain.com:443": {"warning": 30}}
        )["certificate.expiry"].warning
        == 22.5
    )
    assert (
        judged(
            certificate(40, 398),
            overrides={"certificate.expiry your-domain.com:443": {"warning": 50}},
        )["certificate.expiry"].status
        == "warning"
    )


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (-0.01, "expired 14 minutes ago"),
        (-0.5, "expired 12 hours ago"),
        (-1.05, "expired 25 hours ago"),
        (-400, "expired 400 days ago"),
        (0.06, "1 hour left"),
    ],
)
def test_expiry_in_plain_words(left: float, words: str) -> None:
    assert judged(certificate(left))["certificate.expiry"].summary.startswith(words)


def test_what_is_not_valid_yet_is_critical() -> None:
    check = judged(certificate(100, 90))["certificate.expiry"]
    assert check.status == "critical"
    assert check.summary == "not valid before 2026-12-03 06:00 UTC, in 10 days: clients refuse it"
    assert "clock" in check.remedy


def test_no_certificate_is_one_check_and_no_row_of_unknowns() -> None:
    checks = judged(
        chain=(), failure="connection refused: nothing listens on x:443", remedy="look there"
    )
    assert list(checks) == ["certificate.expiry"]
    assert (checks["certificate.expiry"].status, checks["certificate.expiry"].remedy) == (
        "unknown",
        "look there",
    )


@pytest.mark.parametrize(("forbidden", "status"), [(True, "unknown"), (False, "critical")])
def test_a_file_without_a_certificate(forbidden: bool, status: str) -> None:
    checks = judged(
        chain=(),
        target=Target("/x.pem", file="/x.pem"),
        disk=FileProblem("the certificate file /x.pem is bad", forbidden),
    )
    assert [(name, check.status, check.summary) for name, check in checks.items()] == [
        ("certificate.expiry", status, "the certificate file /x.pem is bad")
    ]
    assert checks["certificate.expiry"].remedy


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (0, "ok", "trusted"),
        (20, "critical", "the intermediate 'R11' is missing"),
        (21, "critical", "the intermediate 'R11' is missing"),
        (18, "critical", "signed by itself"),
        (79, "critical", "it was signed with a certificate that is not a CA's"),
        (66, "critical", "EE certificate key too weak"),
        (10, "critical", "a certificate above 'your-domain.com' is out of its dates"),
        (None, "unknown", "not verified: "),
    ],
)
def test_the_chain_by_openssls_verdict(code: int | None, status: str, words: str) -> None:
    check = judged(code=code, message="EE certificate key too weak")["certificate.chain"]
    assert check.status == status
    assert check.summary.startswith(words)
    assert bool(check.remedy) == (status != "ok")


def test_where_only_the_first_certificate_is_seen() -> None:
    assert judged(whole=False)["certificate.chain"].summary == "trusted; issued by 'R11'"
    assert "intermediate" in judged(whole=False, code=20)["certificate.chain"].summary


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
    ("key", "bits", "weak"),
    [
        ("RSA 2047", 2047, True),
        ("RSA 2048", 2048, False),
        ("DSA 3072", 3072, True),
        ("ECDSA secp224r1", 224, True),
        ("ECDSA P-256", 256, False),
        ("Ed25519", 256, False),
    ],
)
def test_weak_keys(key: str, bits: int, weak: bool) -> None:
    assert weak_key(certificate(key=key, key_bits=bits)) is weak


@pytest.mark.parametrize(
    ("signature", "status"),
    [("SHA-1", "critical"), ("MD5", "critical"), ("SHA-256", "ok"), ("Ed25519", "ok")],
)
def test_weak_signatures(signature: str, status: str) -> None:
    assert judged(certificate(signature=signature))["certificate.key"].status == status


def test_a_self_signed_roots_signature_is_of_no_account() -> None:
    assert (
        judged(certificate(signature="SHA-1", issuer_name=b"leaf"))["certificate.key"].status
        == "ok"
    )


def test_the_key_file_has_to_fit_what_the_next_reload_loads() -> None:
    target = replace(TARGET, file="/f.pem", key_file="/f.key")
    renewed = certificate(89, public_key=b"new", fingerprint="bb")
    assert judged(target=target, disk=(renewed,), key=b"new")["certificate.key"].status == "ok"
    assert (
        judged(target=target, disk=(renewed,), key=b"key")["certificate.key"].status == "critical"
    )
    assert (
        judged(target=target, disk=FileProblem("x"), key=b"key")["certificate.key"].status == "ok"
    )


@pytest.mark.parametrize(
    ("left", "fingerprint", "status"),
    [(60, "aa", "ok"), (89, "bb", "critical"), (30, "bb", "warning")],
)
def test_served_and_on_disk(left: float, fingerprint: str, status: str) -> None:
    checks = judged(
        target=replace(TARGET, file="/f.pem"), disk=(certificate(left, fingerprint=fingerprint),)
    )
    assert checks["certificate.served_is_file"].status == status


# --- options ----------------------------------------------------------------------------------------------------------

ENDPOINT = {
    name: option.get("default") for name, option in module_under_test.ENDPOINT_OPTIONS.items()
}
OPTIONS = {name: option.get("default") for name, option in module_under_test.OPTIONS.items()}


def test_what_the_checks_call_what() -> None:
    given_endpoints = [
        {"host": "Your-Domain.com"},
        {"host": "your-domain.com"},
        {"host": "10.0.0.1", "server_name": "your-domain.com", "port": 8443},
        {"host": "your-domain.com", "address": "10.0.0.1"},
        {"host": "::1"},
    ]
    found = requests_from(
        {
            **OPTIONS,
            "all_addresses": True,
            "endpoints": [{**ENDPOINT, **one} for one in given_endpoints],
            "files": [{"path": "/x.pem", "key_file": None}],
        }
    )
    assert [one.target.subject for one in found] == [
        "your-domain.com:443",
        "your-domain.com:443 (2)",
        "your-domain.com:8443 at 10.0.0.1",
        "your-domain.com:443 at 10.0.0.1",
        "[::1]:443",
        "/x.pem",
    ]
    assert [one.every_address for one in found] == [True, True, False, False, False, False]
