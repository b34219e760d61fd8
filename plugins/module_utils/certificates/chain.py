# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on a certificate's chain to a trusted root. Pure.

Whether the chain is trusted is OpenSSL's code in the snapshot; the words are in `wording`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ..core.thresholds import Thresholds
from ..net.tls import EXPIRED, NOT_YET_VALID, UNTRUSTED, verification_reason
from .certificate import Certificate, days
from .snapshot import CertificateSnapshot
from .trust import in_order
from .wording import format_days, trusted_summary, untrusted_reason

#: Status, summary and remedy.
_Finding = tuple[str, str, str]


def assess_chain(
    seen: CertificateSnapshot, path: Sequence[Certificate], thresholds: Thresholds, now: datetime
) -> Check:
    """The verdict on the chain; ``path`` leads from the certificate up as far as the chain goes."""
    finding = (
        _trust_finding(seen, path)
        or _date_finding(seen, path, now)
        or _order_finding(seen, path)
        or _soon_finding(path, thresholds, now)
        or (OK, trusted_summary(seen, path), "")
    )
    status, summary, remedy = finding
    evidence = [
        {"sent": number, "certificate": one.subject, "issuer": one.issuer}
        for number, one in enumerate(seen.chain, 1)
    ]
    return thresholds.verdict(
        "certificate.chain",
        status,
        summary,
        subject=seen.target.subject,
        remedy=remedy,
        evidence=evidence,
    )


def _trust_finding(seen: CertificateSnapshot, path: Sequence[Certificate]) -> _Finding | None:
    if seen.verify_code is None:
        return (
            UNKNOWN,
            f"not verified: {seen.verify_message}",
            "Enable TLS 1.2 or 1.3 with a current cipher on the server.",
        )
    if seen.verify_code in UNTRUSTED:
        reason, remedy = untrusted_reason(seen, path)
        return CRITICAL, reason, remedy
    if seen.verify_code not in (0, EXPIRED, NOT_YET_VALID):
        reason = verification_reason(seen.verify_code, seen.verify_message, seen.target.name)
        return CRITICAL, reason, ""
    return None


def _date_finding(
    seen: CertificateSnapshot, path: Sequence[Certificate], now: datetime
) -> _Finding | None:
    """The certificate's own dates are another check's matter; those of its issuers are ours."""
    for one in path[1:]:
        if one.not_after <= now:
            return (
                CRITICAL,
                f"the intermediate {one.subject!r} expired on {one.not_after:%Y-%m-%d}",
                "Serve the issuer's current intermediate and reload.",
            )
        if one.not_before > now:
            start = f"{one.not_before:%Y-%m-%d}"
            return CRITICAL, f"the intermediate {one.subject!r} is not valid before {start}", ""
    in_date = path[0].not_before <= now < path[0].not_after
    if seen.verify_code in (EXPIRED, NOT_YET_VALID) and in_date:
        return (
            CRITICAL,
            f"a certificate above {path[-1].subject!r} has expired or is not valid yet",
            "Serve the issuer's current chain, or update the root certificates here.",
        )
    return None


def _order_finding(seen: CertificateSnapshot, path: Sequence[Certificate]) -> _Finding | None:
    if in_order(seen.chain, path):
        return None
    return (
        WARNING,
        "complete, but in the wrong order, which older clients refuse",
        "Put the certificate first, then each one's issuer, and reload.",
    )


def _soon_finding(
    path: Sequence[Certificate], thresholds: Thresholds, now: datetime
) -> _Finding | None:
    threshold = thresholds.of("certificate.expiry")
    for one in path[1:]:
        left = days(one.not_after - now)
        status = threshold.status_of(left)
        if status != OK:
            return (
                status,
                f"the intermediate {one.subject!r} expires in {format_days(left)}",
                "Serve the issuer's next intermediate and reload.",
            )
    return None
