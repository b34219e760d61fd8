# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on backups. Pure: what was seen comes from `collect`."""

from __future__ import annotations

from collections.abc import Iterator

from ....core.check import UNKNOWN, Check
from ....core.thresholds import Thresholds
from .age import assess_age
from .options import RUNBOOK, Options
from .place import assess_foreign, assess_space
from .proof import assess_proof
from .schedule import assess_schedule
from .size import assess_size
from .snapshot import Series, Snapshot

NOT_CONFIGURED = (
    "Set backup_dir in the inventory and run playbooks/backup.yml every night. If pgBackRest or"
    " Barman takes the backups, name it in backup_tools."
)


def assess(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Iterator[Check]:
    """All checks of the backups."""
    if RUNBOOK in options.tools and not options.backup_dir:
        yield thresholds.verdict(
            "backup.age",
            UNKNOWN,
            "No backup is known here: backup_dir is not set",
            remedy=NOT_CONFIGURED,
        )
    for one in snapshot.series:
        yield from _of_one(one, snapshot, thresholds)
    if snapshot.folder and snapshot.folder.exists:
        yield assess_space(snapshot.folder, snapshot.series, thresholds)
        yield assess_foreign(snapshot.folder, thresholds)


def no_answer(timeout: float, thresholds: Thresholds) -> Check:
    """The check that says that the probe ran out of time."""
    return thresholds.verdict(
        "backup.age",
        UNKNOWN,
        f"The backups could not be checked within {timeout:g} s",
        remedy="See whether the file system of backup_dir hangs ('ls' there); else raise timeout.",
    )


def _of_one(one: Series, snapshot: Snapshot, thresholds: Thresholds) -> Iterator[Check]:
    yield assess_age(one, snapshot, thresholds)
    for check in (
        assess_proof(one, snapshot, thresholds),
        assess_size(one, thresholds),
        assess_schedule(one, snapshot.now, thresholds),
    ):
        if check:
            yield check
