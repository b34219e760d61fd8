# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room for the next backups, and what lies among them. Pure."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ....core.check import CRITICAL, Check
from ....core.thresholds import Thresholds
from ....core.units import format_value, pluralize
from .snapshot import Folder, Series

SPACE = "backup.space"
FOREIGN = "backup.foreign"
#: More room than this is not counted.
_PLENTY = 1000


def assess_space(folder: Folder, series: Sequence[Series], thresholds: Thresholds) -> Check:
    """``backup.space``: room for another backup of every database."""
    free = format_value(folder.free, "bytes")
    if folder.read_only:
        return thresholds.verdict(
            SPACE,
            CRITICAL,
            f"{folder.path} is on a read-only file system: the next backup cannot be written",
            subject=folder.path,
            remedy="Find out why ('dmesg'), and mount it for writing again.",
        )
    needed = sum(one.next_bytes or 0 for one in series if not one.tool)
    if not needed:
        return thresholds.not_judged(
            SPACE,
            f"{free} can be used",
            "no backup yet shows how much one takes",
            subject=folder.path,
        )
    room = folder.free / needed
    fits = f"room for {pluralize(int(room), 'more backup')}" if room >= 1 else "too little"
    if room > _PLENTY:
        fits = f"room for more than {_PLENTY:,} backups"
    return thresholds.evaluate(
        SPACE,
        round(min(room, _PLENTY), 1),
        f"{free} can be used: {fits}{' ' if room >= 1 else ' for one more '}of"
        f" {format_value(needed, 'bytes')}",
        subject=folder.path,
    )


def assess_foreign(folder: Folder, thresholds: Thresholds) -> Check:
    """``backup.foreign``: what is broken, left behind or not ours."""
    if not folder.strays:
        running = f"; process {folder.running} is taking one now" if folder.running else ""
        return thresholds.evaluate(FOREIGN, 0, f"Only usable backups{running}", subject=folder.path)
    strays = sorted(folder.strays, key=lambda stray: not stray.broken)
    broken = [stray for stray in strays if stray.broken]
    first = strays[0]
    name = os.path.relpath(first.path, folder.path)
    summary = f"{name}: {first.reason}"
    if len(strays) > 1:
        summary += f"; and {len(strays) - 1} more"
    if broken:
        summary = f"{pluralize(len(broken), 'backup is', 'backups are')} broken. {summary}"
    rows = [
        {"path": os.path.relpath(stray.path, folder.path), "reason": stray.reason}
        for stray in strays
    ]
    if broken:
        return thresholds.verdict(
            FOREIGN, CRITICAL, summary, subject=folder.path, value=len(strays), evidence=rows
        )
    return thresholds.evaluate(FOREIGN, len(strays), summary, subject=folder.path, evidence=rows)
