# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on certificates, served or in files. Pure: what was seen comes from `collect`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ..core.check import UNKNOWN, Check
from ..core.errors import RunbookError
from ..core.thresholds import Thresholds
from .chain import assess_chain
from .expiry import assess_expiry
from .files import problem_status
from .hostname import assess_hostname
from .key import assess_key
from .served_file import assess_served_file
from .snapshot import CertificateSnapshot, Snapshot
from .trust import build_path


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
    leaf, path = seen.chain[0], seen.verdict.path or build_path(seen.chain)
    yield assess_expiry(target.subject, seen.chain, thresholds, now)
    if target.name or leaf.names or not all(one.authority for one in seen.chain):
        yield assess_chain(seen, path, thresholds, now)
    if target.name:
        yield assess_hostname(target, leaf, seen.named, thresholds)
    yield assess_key(seen, path, thresholds)
    if target.name and target.file:
        yield assess_served_file(seen, leaf, thresholds)


def _no_certificate(seen: CertificateSnapshot, thresholds: Thresholds) -> Check:
    """That a service is down is for its own check to say; a file without a certificate is ours."""
    status, summary, remedy = UNKNOWN, seen.failure, seen.remedy
    if isinstance(seen.disk, RunbookError):
        status, summary, remedy = problem_status(seen.disk), str(seen.disk), seen.disk.remedy
    return thresholds.verdict(
        "certificate.expiry", status, summary, subject=seen.target.subject, remedy=remedy
    )
