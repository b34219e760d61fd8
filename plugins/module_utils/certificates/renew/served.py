# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What endpoints serve: which certificate of certbot's it is, and whether clients accept it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ...core.errors import RunbookError
from ..collect import collect
from ..connection import TlsClient
from ..judge import Judge
from ..options import Options as CheckOptions
from ..options import Target
from ..snapshot import CertificateSnapshot
from .lineage import Lineage, version_of
from .options import Options

_SECONDS = 30.0
_POLL = 0.2


@dataclass(frozen=True)
class Served:
    """An endpoint, and the certificate of certbot's that it serves."""

    seen: CertificateSnapshot
    lineage: str = ""
    """Name of the certificate; empty for one that certbot does not keep."""
    version: int = 0
    """The version of it that is served; 0 if it is none of the last ones."""

    @property
    def subject(self) -> str:
        return self.seen.target.subject

    @property
    def answers(self) -> bool:
        return bool(self.seen.chain)

    @property
    def is_file(self) -> bool:
        """Whether it serves what its file holds."""
        disk = self.seen.disk
        if isinstance(disk, RunbookError) or not disk or not self.seen.chain:
            return False
        return disk[0].fingerprint == self.seen.chain[0].fingerprint

    def accepted(self, now: datetime) -> bool:
        """Whether clients accept what is served."""
        seen = self.seen
        good = seen.verdict.code == 0 and seen.named is not False
        return bool(seen.chain) and good and seen.chain[0].in_date(now)

    def file_refused(self, now: datetime) -> bool:
        """Whether clients would refuse the file, though they accept what is served."""
        seen = self.seen
        bad = bool(seen.disk_verdict.code) or seen.disk_named is False
        return bad and not self.is_file and self.accepted(now)


def watch(options: Options, targets: Sequence[Target], lineages: Sequence[Lineage]) -> list[Served]:
    """What the endpoints serve now."""
    if not targets:
        return []
    judge = Judge(options.ca_file)
    kinds = {target.endpoint.starttls for target in targets if target.endpoint}
    client = TlsClient(judge, options.connect_timeout, kinds)
    asked = CheckOptions(tuple(targets), options.ca_file, options.connect_timeout)
    return [
        _served(seen, lineages) for seen in collect(asked, client, judge, _SECONDS).certificates
    ]


def watch_until(
    options: Options,
    targets: Sequence[Target],
    lineages: Sequence[Lineage],
    seconds: float,
    done: Callable[[Sequence[Served]], bool],
) -> list[Served]:
    """The same once it is as it should be, or the time is up: a reload takes a moment."""
    end = time.monotonic() + seconds
    while True:
        served = watch(options, targets, lineages)
        if done(served) or time.monotonic() > end:
            return served
        time.sleep(_POLL)


def with_files(served: Sequence[Served], lineages: Sequence[Lineage]) -> list[Target]:
    """The endpoints, with the file of the certificate that they have been serving."""
    paths = {one.name: one.fullchain for one in lineages}
    return [
        replace(one.seen.target, file=one.seen.target.file or paths.get(one.lineage, ""))
        for one in served
    ]


def _served(seen: CertificateSnapshot, lineages: Sequence[Lineage]) -> Served:
    fingerprint = seen.chain[0].fingerprint if seen.chain else ""
    for lineage in lineages:
        if lineage.problem:
            continue
        version = version_of(lineage, fingerprint) if fingerprint else 0
        if version or _is_of(seen.target.file, lineage):
            return Served(seen, lineage.name, version)
    return Served(seen)


def _is_of(file: str, lineage: Lineage) -> bool:
    """Whether a file is one of a certificate's, under its own name or by links."""
    if not file:
        return False
    folder = os.path.dirname(os.path.abspath(file))
    return folder == os.path.abspath(lineage.live) or os.path.dirname(
        os.path.realpath(file)
    ) == os.path.realpath(lineage.archive)


def utc_now() -> datetime:
    return datetime.now(timezone.utc)
