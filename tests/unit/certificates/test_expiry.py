"""The verdict on dates: days, shares of the lifetime, and the words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.expiry import (
    expiry_threshold,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from tests.support.certificates import assessed, certificate


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
    assert assessed(certificate(left, lifetime))["certificate.expiry"].status == status


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
    limit = expiry_threshold(certificate(1, lifetime), thresholds, "x")
    assert limit.below
    assert limit.warning is not None
    assert limit.critical is not None
    assert limit.warning <= min(days, share / 100 * lifetime) + 0.001
    assert limit.critical <= limit.warning


def test_limits_can_be_switched_off_but_expired_stays_critical() -> None:
    off = {"certificate.expiry": {"warning": None, "critical": None}}
    assert assessed(certificate(0.1), overrides=off)["certificate.expiry"].status == "ok"
    assert assessed(certificate(-0.1), overrides=off)["certificate.expiry"].status == "critical"
    assert (
        assessed(certificate(12, 30), overrides={"certificate.lifetime_left": {"warning": None}})[
            "certificate.expiry"
        ].status
        == "warning"
    )


def test_limits_for_one_certificate_alone() -> None:
    assert (
        assessed(
            certificate(40), overrides={"certificate.expiry your-domain.com:443": {"warning": 30}}
        )["certificate.expiry"].warning
        == 22.5
    )
    assert (
        assessed(
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
    assert assessed(certificate(left))["certificate.expiry"].summary.startswith(words)


def test_what_is_not_valid_yet_is_critical() -> None:
    check = assessed(certificate(100, 90))["certificate.expiry"]
    assert check.status == "critical"
    assert check.summary == "not valid before 2026-12-03 06:00 UTC, in 10 days: clients refuse it"
    assert "clock" in check.remedy
