# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on a file and what an endpoint serves instead of it. Pure."""

from __future__ import annotations

from ..core.check import CRITICAL, OK, WARNING, Check
from ..core.errors import RunbookError
from ..core.thresholds import Thresholds
from ..net.tls import verification_reason, verification_remedy
from .certificate import Certificate
from .files import problem_status
from .snapshot import CertificateSnapshot
from .wording import certificate_row

_OTHER_FILE_REMEDY = (
    "Check which file the server reads ('nginx -T | grep ssl_certificate') and name that one here;"
    " or put the new certificate there."
)


def assess_served_file(
    seen: CertificateSnapshot, leaf: Certificate, thresholds: Thresholds
) -> Check:
    """Whether the endpoint serves the certificate in the file."""
    evidence: list[dict[str, str]] = []
    if isinstance(seen.disk, RunbookError):
        status, summary, remedy = problem_status(seen.disk), str(seen.disk), seen.disk.remedy
    else:
        status, summary, remedy = _compare(seen, leaf, seen.disk[0])
        evidence = [
            {"where": "served", **certificate_row(leaf)},
            {"where": "file", **certificate_row(seen.disk[0])},
        ]
    return thresholds.verdict(
        "certificate.served_is_file",
        status,
        summary,
        subject=seen.target.subject,
        remedy=remedy,
        evidence=evidence,
    )


def _compare(
    seen: CertificateSnapshot, served: Certificate, disk: Certificate
) -> tuple[str, str, str]:
    """Status, summary and remedy."""
    file = seen.target.file
    if disk.fingerprint == served.fingerprint:
        alone = seen.verdict.code == 0 and bool(seen.disk_verdict.code)
        more = "; the issuers that it sends along come from elsewhere" if alone else ""
        return OK, f"serves the certificate in {file}{more}", ""
    if disk.not_before < served.not_before:
        return (
            WARNING,
            f"serves a newer certificate than {file} holds (valid from"
            f" {served.not_before:%Y-%m-%d}; the file's from {disk.not_before:%Y-%m-%d})",
            _OTHER_FILE_REMEDY,
        )
    trouble = _after_reload(seen)
    if trouble:
        return (CRITICAL, *trouble)
    return (
        CRITICAL,
        f"{file} was renewed on {disk.not_before:%Y-%m-%d}, but the old certificate is still"
        f" served (until {served.not_after:%Y-%m-%d}): not reloaded",
        "",
    )


def _after_reload(seen: CertificateSnapshot) -> tuple[str, str] | None:
    """Why clients would refuse what the next reload brings, though it is newer."""
    file, later = seen.target.file, seen.disk_verdict
    if seen.disk_named is False:
        return (
            f"{file} is not issued for {seen.target.name!r}: clients refuse it after the next"
            " reload or restart",
            "Put the right certificate there before anything is reloaded.",
        )
    if not later.code:
        return None
    reason = verification_reason(later.code, later.message, seen.target.name)
    remedy = verification_remedy(later.code).replace(" and reload.", ".")
    return (
        f"clients refuse what {file} holds after the next reload or restart: {reason}",
        f"Do not reload before the file is right. {remedy}",
    )
