# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on certificates, served or in files. Pure: what was seen comes from `collect`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import datetime

from ..core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ..core.errors import RunbookError
from ..core.thresholds import Thresholds
from ..net.url import is_address
from .certificate import Certificate
from .chain import assess_chain
from .expiry import assess_expiry
from .files import problem_status
from .key import assess_key
from .options import Target
from .snapshot import CertificateSnapshot, Snapshot
from .trust import build_path
from .wording import certificate_row

_OTHER_FILE_REMEDY = (
    "Check which file the server reads ('nginx -T | grep ssl_certificate') and name that one here;"
    " or put the new certificate there."
)


def assess(snapshot: Snapshot, thresholds: Thresholds, now: datetime) -> Iterator[Check]:
    """The checks of all targets at this time."""
    for seen in snapshot.certificates:
        yield from assess_certificate(seen, thresholds, now)


def no_answer(timeout: float, thresholds: Thresholds) -> Check:
    """The check that says that the probe ran out of time altogether."""
    summary = f"the probe got no answer within {timeout:g} s; raise timeout"
    return thresholds.verdict("certificate.expiry", UNKNOWN, summary)


def assess_certificate(
    seen: CertificateSnapshot, thresholds: Thresholds, now: datetime
) -> Iterator[Check]:
    """The checks of one target."""
    target = seen.target
    if not seen.chain:
        yield _no_certificate(seen, thresholds)
        return
    leaf, path = seen.chain[0], build_path(seen.chain)
    yield assess_expiry(target.subject, seen.chain, thresholds, now)
    if target.name or not leaf.authority:
        yield assess_chain(seen, path, thresholds, now)
    if target.name:
        yield _assess_hostname(target, leaf, thresholds)
    yield assess_key(seen, path, thresholds)
    if target.name and target.file:
        yield _assess_served_file(seen, leaf, thresholds)


def _no_certificate(seen: CertificateSnapshot, thresholds: Thresholds) -> Check:
    """That a service is down is for its own check to say; a file without a certificate is ours."""
    status, summary, remedy = UNKNOWN, seen.failure, seen.remedy
    if isinstance(seen.disk, RunbookError):
        status, summary, remedy = problem_status(seen.disk), str(seen.disk), seen.disk.remedy
    return thresholds.verdict(
        "certificate.expiry", status, summary, subject=seen.target.subject, remedy=remedy
    )


def _assess_hostname(target: Target, leaf: Certificate, thresholds: Thresholds) -> Check:
    covered = (*leaf.names, *leaf.addresses)
    if covers(leaf, target.name):
        more = f" and {len(covered) - 1} more" if len(covered) > 1 else ""
        return thresholds.verdict(
            "certificate.hostname",
            OK,
            f"issued for {target.name!r}{more}",
            subject=target.subject,
        )
    if covered:
        more = f" and {len(covered) - 4} more" if len(covered) > 4 else ""
        summary = f"issued for {', '.join(covered[:4])}{more}, not for {target.name!r}"
    else:
        summary = (
            f"lists no host name (no subjectAltName), so it does not match {target.name!r};"
            f" clients ignore the common name {leaf.subject!r}"
        )
    return thresholds.verdict(
        "certificate.hostname",
        CRITICAL,
        summary,
        subject=target.subject,
        evidence=[{"name": one} for one in covered],
    )


def covers(certificate: Certificate, name: str) -> bool:
    """Whether clients accept the certificate for a host.

    As RFC 6125 has it: a wildcard stands for exactly the first label.
    """
    if is_address(name):
        wanted = ipaddress.ip_address(name)
        return any(
            ipaddress.ip_address(address) == wanted
            for address in certificate.addresses
            if is_address(address)
        )
    labels = name.split(".")
    for pattern in certificate.names:
        first, *rest = pattern.rstrip(".").split(".")
        if [first, *rest] == labels or (first == "*" and len(rest) >= 2 and rest == labels[1:]):
            return True
    return False


def _assess_served_file(
    seen: CertificateSnapshot, leaf: Certificate, thresholds: Thresholds
) -> Check:
    """Whether the endpoint serves the certificate in the file."""
    file = seen.target.file

    def verdict(status: str, summary: str, remedy: str = "") -> Check:
        return thresholds.verdict(
            "certificate.served_is_file",
            status,
            summary,
            subject=seen.target.subject,
            remedy=remedy,
            evidence=evidence,
        )

    evidence: list[dict[str, str]] = []
    if isinstance(seen.disk, RunbookError):
        return verdict(problem_status(seen.disk), str(seen.disk), seen.disk.remedy)
    disk = seen.disk[0]
    evidence = [
        {"where": "served", **certificate_row(leaf)},
        {"where": "file", **certificate_row(disk)},
    ]
    if disk.fingerprint == leaf.fingerprint:
        return verdict(OK, f"serves the certificate in {file}")
    if disk.not_before >= leaf.not_before:
        return verdict(
            CRITICAL,
            f"{file} was renewed on {disk.not_before:%Y-%m-%d}, but the old certificate is still"
            f" served (until {leaf.not_after:%Y-%m-%d}): not reloaded",
        )
    return verdict(
        WARNING,
        f"serves a newer certificate than {file} holds (valid from {leaf.not_before:%Y-%m-%d};"
        f" the file's from {disk.not_before:%Y-%m-%d})",
        _OTHER_FILE_REMEDY,
    )
