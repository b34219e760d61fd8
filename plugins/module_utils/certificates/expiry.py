# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on a certificate's dates. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..core.check import CRITICAL, Check
from ..core.definition import Threshold
from ..core.thresholds import Thresholds
from ..core.units import format_value
from .certificate import Certificate, days
from .wording import certificate_row, format_days

_NOT_YET_VALID_REMEDY = (
    "Check this machine's clock ('timedatectl'); if it is right, serve the previous certificate"
    " until then, or issue a new one."
)


def assess_expiry(
    subject: str, chain: Sequence[Certificate], thresholds: Thresholds, now: datetime
) -> Check:
    """The verdict on the dates of the first certificate of a chain."""
    leaf = chain[0]
    left = round(days(leaf.not_after - now), 3)
    threshold = expiry_threshold(leaf, thresholds, subject)
    evidence = [
        {**certificate_row(one), "days": round(days(one.not_after - now), 1)} for one in chain
    ]
    summary, remedy = _out_of_date(leaf, now)
    if summary:
        return thresholds.verdict(
            "certificate.expiry",
            CRITICAL,
            summary,
            subject=subject,
            remedy=remedy,
            value=left,
            warning=threshold.warning,
            critical=threshold.critical,
            direction=threshold.direction,
            evidence=evidence,
        )
    return thresholds.evaluate(
        "certificate.expiry",
        left,
        _time_left(leaf, now),
        subject=subject,
        threshold=threshold,
        evidence=evidence,
    )


def expiry_threshold(certificate: Certificate, thresholds: Thresholds, subject: str) -> Threshold:
    """The thresholds in days.

    For a short lifetime they are the shares of it in `certificate.lifetime_left`, where these are
    fewer days.
    """
    in_days = thresholds.of("certificate.expiry", subject)
    share = thresholds.of("certificate.lifetime_left", subject)
    lifetime = certificate.lifetime_days
    return Threshold(
        _fewer_days(in_days.warning, share.warning, lifetime),
        _fewer_days(in_days.critical, share.critical, lifetime),
        below=True,
    )


def _fewer_days(fixed: float | None, percent: float | None, lifetime: float) -> float | None:
    if fixed is None or percent is None:
        return fixed
    return min(fixed, round(percent / 100 * lifetime, 3))


def _out_of_date(leaf: Certificate, now: datetime) -> tuple[str, str]:
    """Summary and remedy if the certificate is not valid now; empty if it is."""
    if leaf.not_after <= now:
        expired = format_days(days(now - leaf.not_after))
        return f"expired {expired} ago, on {leaf.not_after:%Y-%m-%d}: clients refuse it", ""
    if leaf.not_before > now:
        wait = format_days(days(leaf.not_before - now))
        start = f"{leaf.not_before:%Y-%m-%d %H:%M} UTC"
        return f"not valid before {start}, in {wait}: clients refuse it", _NOT_YET_VALID_REMEDY
    return "", ""


def _time_left(leaf: Certificate, now: datetime) -> str:
    left = days(leaf.not_after - now)
    share = format_value(100 * left / leaf.lifetime_days, "percent")
    lifetime = format_value(round(leaf.lifetime_days), "days")
    return f"{format_days(left)} left, until {leaf.not_after:%Y-%m-%d} ({share} of its {lifetime})"
