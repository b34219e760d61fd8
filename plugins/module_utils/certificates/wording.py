# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How certificates, their trust and their dates are put into words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..core.units import format_value, pluralize
from ..net.tls import (
    INVALID_CAS,
    SELF_SIGNED,
    SELF_SIGNED_IN_CHAIN,
    UNTRUSTED,
    verification_reason,
    verification_remedy,
)
from .certificate import Certificate
from .snapshot import CertificateSnapshot
from .trust import in_order


def certificate_row(one: Certificate) -> dict[str, str]:
    """A certificate as a row of evidence."""
    return {
        "certificate": one.subject,
        "issuer": one.issuer,
        "from": f"{one.not_before:%Y-%m-%dT%H:%MZ}",
        "until": f"{one.not_after:%Y-%m-%dT%H:%MZ}",
        "key": one.key,
        "serial": one.serial,
        "sha256": one.fingerprint,
    }


def format_days(length: float) -> str:
    """A number of days; in hours or minutes if it is below three days or one hour."""
    if length >= 3:
        return format_value(int(length), "days")
    hours = int(length * 24)
    return pluralize(hours, "hour") if hours else f"{int(length * 1440)} minutes"


def trusted_summary(seen: CertificateSnapshot, path: Sequence[Certificate]) -> str:
    """How a chain leads to a trusted root."""
    if len(path) == 1 and path[0].self_issued:
        return "self-signed, trusted here"
    if not seen.complete:
        return f"trusted; issued by {path[0].issuer!r}"
    if len(path) == 1 and seen.verdict.path:
        return "trusted here by itself"
    end = path[-1]
    anchored = end.self_issued or bool(seen.verdict.path)  # OpenSSL's path holds the trusted one
    root = end.subject if anchored else end.issuer
    between = path[1:-1] if anchored else path[1:]
    through = f" through {', '.join(repr(one.subject) for one in between)}" if between else ""
    return f"trusted: leads to {root!r}{through}"


def remarks(seen: CertificateSnapshot, path: Sequence[Certificate], now: datetime) -> str:
    """What is odd about a chain that clients trust nevertheless."""
    texts = [
        f"{one.subject!r}, expired on {one.not_after:%Y-%m-%d}, is not needed"
        for one in dict.fromkeys(seen.chain[1:])
        if one not in path and one.not_after <= now
    ]
    if not in_order(seen.chain, path):
        texts.append("sent in another order than from issued to issuer, which some clients refuse")
    return "".join(f"; {text}" for text in texts)


def untrusted_reason(seen: CertificateSnapshot, path: Sequence[Certificate]) -> tuple[str, str]:
    """Why a chain leads to no trusted root, and what to do about it."""
    last, code = path[-1], seen.verdict.code or 0
    plain = (
        verification_reason(code, seen.verdict.message, seen.target.name),
        verification_remedy(code),
    )
    if code == SELF_SIGNED:
        return "self-signed, not trusted", plain[1]
    if not seen.complete:
        return plain
    if code == SELF_SIGNED_IN_CHAIN:
        return (
            f"the root {last.subject!r} is not trusted: neither a system root nor in ca_file",
            plain[1],
        )
    if code not in UNTRUSTED:
        culprit = next((one for one in path[1:] if not one.authority), None)
        named = f": {culprit.subject!r}" if culprit and code in INVALID_CAS else ""
        return plain[0] + named, plain[1]
    if len(path) > 1:
        return (
            f"the issuer {last.issuer!r} of {last.subject!r} is not trusted: it is not sent along"
            " and is neither a system root nor in ca_file",
            verification_remedy(SELF_SIGNED_IN_CHAIN),
        )
    others = len(seen.chain) - 1
    but = f" ({pluralize(others, 'other certificate')} sent instead)" if others else ""
    return (
        f"the intermediate {last.issuer!r} is missing: it is not sent along{but}"
        " and is not a trusted root",
        plain[1],
    )
