# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on a certificate's chain to a trusted root. Pure.

Whether the chain is trusted is OpenSSL's code in the snapshot; the words are in `wording`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..core.check import CRITICAL, OK, UNKNOWN, Check
from ..core.thresholds import Thresholds
from ..net.tls import EXPIRED, NOT_YET_VALID, WRONG_PURPOSE
from .certificate import Certificate, days
from .snapshot import CertificateSnapshot
from .wording import format_days, remarks, trusted_summary, untrusted_reason

#: Status, summary and remedy.
_Finding = tuple[str, str, str]


def assess_chain(
    seen: CertificateSnapshot, path: Sequence[Certificate], thresholds: Thresholds, now: datetime
) -> Check:
    """The verdict on the chain; ``path`` leads from the certificate up as far as the chain goes."""
    evidence = [
        {
            "sent": number,
            "certificate": one.subject,
            "issuer": one.issuer,
            "used": "yes" if one in path else "no",
        }
        for number, one in enumerate(seen.chain, 1)
    ]
    more = {"subject": seen.target.subject, "evidence": evidence}
    if seen.verdict.code == WRONG_PURPOSE and path[0].for_clients and not seen.target.name:
        return thresholds.not_judged(
            "certificate.chain",
            f"issued by {path[0].issuer!r} for clients",
            "chains are judged as those of servers",
            **more,
        )
    finding = (
        _misplaced_finding(seen)
        or _trust_finding(seen, path)
        or _date_finding(seen, path, now)
        or _soon_finding(seen, thresholds, now)
        or (OK, trusted_summary(seen, path) + remarks(seen, path, now), "")
    )
    status, summary, remedy = finding
    return thresholds.verdict("certificate.chain", status, summary, remedy=remedy, **more)


def _misplaced_finding(seen: CertificateSnapshot) -> _Finding | None:
    """A file that starts with its CA: servers take the first certificate for their own."""
    first = seen.chain[0]
    own = next((one for one in seen.chain if not one.authority), None)
    if seen.target.name or not first.authority or own is None:
        return None
    return (
        CRITICAL,
        f"the file starts with the CA {first.subject!r}; the server's own certificate"
        f" {own.subject!r} must come first",
        "Put the server's certificate first, then its issuer, in the file; 'nginx -t' refuses it as"
        " it is, because the key belongs to another certificate.",
    )


def _trust_finding(seen: CertificateSnapshot, path: Sequence[Certificate]) -> _Finding | None:
    code, message = seen.verdict.code, seen.verdict.message
    if code is None:
        remedy = (
            "Enable TLS 1.2 or 1.3 with a current cipher on the server."
            if seen.target.name
            else "Inspect it by hand: 'openssl verify -untrusted FILE FILE'."
        )
        return UNKNOWN, f"not verified: {message}", remedy
    if code in (0, EXPIRED, NOT_YET_VALID):
        return None
    return (CRITICAL, *untrusted_reason(seen, path))


def _date_finding(
    seen: CertificateSnapshot, path: Sequence[Certificate], now: datetime
) -> _Finding | None:
    """The certificate's own dates are another check's matter; those of its issuers are ours."""
    if seen.verdict.code not in (EXPIRED, NOT_YET_VALID):
        return None
    for one in reversed(path[1:]):
        if one.in_date(now):
            continue
        day = f"{one.not_before:%Y-%m-%d}"
        when = f"expired on {one.not_after:%Y-%m-%d}"
        if one.not_before > now:
            when = f"is not valid before {day}"
        return CRITICAL, f"the {_kind(one)} {one.subject!r} {when}", _date_remedy(seen, one)
    if not seen.complete and not path[0].in_date(now):
        return None
    return (
        CRITICAL,
        f"a certificate above {path[-1].subject!r} has expired or is not valid yet",
        "Serve the issuer's current chain, or update the root certificates here.",
    )


def _kind(issuer: Certificate) -> str:
    return "root" if issuer.self_issued else "intermediate"


def _date_remedy(seen: CertificateSnapshot, issuer: Certificate) -> str:
    if issuer.self_issued or issuer not in seen.chain:
        return (
            "Have the certificate issued under a current root and serve that chain; if there is"
            " one, update the roots here (package ca-certificates, or ca_file)."
        )
    return "Serve the issuer's current intermediate and reload."


def _soon_finding(
    seen: CertificateSnapshot, thresholds: Thresholds, now: datetime
) -> _Finding | None:
    issuer = seen.verdict.weakest
    if issuer is None:
        return None
    left = days(issuer.not_after - now)
    status = thresholds.of("certificate.expiry").status_of(left)
    if status == OK:
        return None
    remedy = _date_remedy(seen, issuer)
    if not issuer.self_issued:
        remedy = remedy.replace("current", "next")
    return status, f"the {_kind(issuer)} {issuer.subject!r} expires in {format_days(left)}", remedy
