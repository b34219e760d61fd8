# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on keys, signatures and the key file. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.check import CRITICAL, OK, Check
from ..core.errors import RunbookError
from ..core.thresholds import Thresholds
from .certificate import Certificate
from .files import problem_status
from .snapshot import CertificateSnapshot

WEAK_HASHES = ("MD5", "SHA-1")
_MINIMUM_BITS = {"RSA": 2048, "ECDSA": 256}
_MISMATCH_REMEDY = (
    "Put the key and the certificate that were issued together in place; the server will not start"
    " or reload with these."
)

#: Status, summary and remedy.
_Finding = tuple[str, str, str]


def assess_key(
    seen: CertificateSnapshot, path: Sequence[Certificate], thresholds: Thresholds
) -> Check:
    """The verdict on the keys and signatures of a path, and on the target's key file."""
    status, summary, remedy = _strength_finding(path) or _key_file_finding(seen, path[0])
    evidence = [
        {"certificate": one.subject, "key": one.key, "signature": one.signature} for one in path
    ]
    return thresholds.verdict(
        "certificate.key",
        status,
        summary,
        subject=seen.target.subject,
        remedy=remedy,
        evidence=evidence,
    )


def _strength_finding(path: Sequence[Certificate]) -> _Finding | None:
    for place, one in enumerate(path):
        whose = f" of the intermediate {one.subject!r}" if place else ""
        if is_weak_key(one):
            return CRITICAL, f"the key{whose} is too weak: {one.key}", ""
        # Whoever trusts a root does not check its signature.
        if one.signature in WEAK_HASHES and not one.self_issued:
            return CRITICAL, f"the signature{whose} is too weak: made with {one.signature}", ""
    return None


def _key_file_finding(seen: CertificateSnapshot, leaf: Certificate) -> _Finding:
    summary = f"{leaf.key}, signed with {leaf.signature}"
    if isinstance(seen.key, RunbookError):
        return problem_status(seen.key), str(seen.key), seen.key.remedy
    if not seen.key:
        return OK, summary, ""
    # The key must match what the next reload will load: the certificate on disk, if there is one.
    owner = leaf
    if isinstance(seen.disk, tuple) and seen.disk:
        owner = seen.disk[0]
    if seen.key != owner.public_key:
        file = seen.target.key_file
        return CRITICAL, f"the key file {file} does not match the certificate", _MISMATCH_REMEDY
    return OK, f"{summary}; the key file matches", ""


def is_weak_key(one: Certificate) -> bool:
    """Whether clients refuse the key, or soon will: DSA, RSA below 2048 bits, ECDSA below 256."""
    return one.key_kind == "DSA" or one.key_bits < _MINIMUM_BITS.get(one.key_kind, 0)
