# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How certificates, their trust and their dates are put into words."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.units import format_value, pluralize
from ..net.tls import SELF_SIGNED, SELF_SIGNED_IN_CHAIN, verification_reason
from .certificate import Certificate
from .snapshot import CertificateSnapshot

_PRIVATE_CA = "If it is a private CA, name its certificate in ca_file."


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
    root = path[-1].subject if path[-1].self_issued else path[-1].issuer
    intermediates = [one.subject for one in path[1:] if not one.self_issued]
    through = f" through {', '.join(map(repr, intermediates))}" if intermediates else ""
    return f"trusted: leads to {root!r}{through}"


def untrusted_reason(seen: CertificateSnapshot, path: Sequence[Certificate]) -> tuple[str, str]:
    """Why a chain leads to no trusted root, and what to do about it."""
    last = path[-1]
    if not seen.complete:
        return verification_reason(seen.verify_code or 0, seen.verify_message, ""), ""
    if seen.verify_code == SELF_SIGNED or (last.self_issued and len(path) == 1):
        return (
            "self-signed, not trusted",
            "Have it issued by a CA that clients trust, such as Let's Encrypt; or name it in"
            " ca_file.",
        )
    if last.self_issued or seen.verify_code == SELF_SIGNED_IN_CHAIN:
        return (
            f"the root {last.subject!r} is not trusted: neither a system root nor in ca_file",
            _PRIVATE_CA,
        )
    if len(path) > 1:
        return (
            f"the issuer {last.issuer!r} of {last.subject!r} is not trusted: it is not sent along"
            " and is neither a system root nor in ca_file",
            _PRIVATE_CA,
        )
    others = len(seen.chain) - 1
    but = f" ({pluralize(others, 'other certificate')} sent instead)" if others else ""
    return (
        f"the intermediate {last.issuer!r} is missing: it is not sent along{but}"
        " and is not a trusted root",
        f"Serve the full chain (certbot's fullchain.pem, not cert.pem) and reload. {_PRIVATE_CA}",
    )
