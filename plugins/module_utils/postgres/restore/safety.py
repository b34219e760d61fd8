# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fresh backup of a database before it is replaced, made as pg_backup makes it."""

from __future__ import annotations

from glob import escape

from ...core.check import Action
from ...core.errors import Refused, UsageError
from ...core.progress import ProgressCallback
from ..backup import options as backup
from ..backup.operation import back_up
from ..backup.repository import list_backups
from ..url import Target
from .options import Options
from .restored import BackUp


def safety_backup(target: Target, options: Options, report: ProgressCallback) -> BackUp:
    """Makes a backup of a database; raises `Refused` unless it is complete."""

    def make(database: str) -> list[Action]:
        if not options.backup_dir:
            raise UsageError(
                "backup_dir: missing; the fresh backup of the live database goes there"
            )
        outcome = back_up(target, _options(options, database), report=report)
        if outcome.problem:
            raise Refused(
                f"The fresh backup of the live database failed: {outcome.problem}",
                "Correct that first, or set safety_backup to false.",
            )
        return outcome.actions

    return make


def _options(options: Options, database: str) -> backup.Options:
    """Encrypted like the newest backup of the database, so that no plain one lies beside it."""
    manifests = [each.manifest for each in list_backups(options.backup_dir, database).backups]
    recipients = next((each.recipients for each in reversed(manifests) if each), ())
    return backup.Options(
        options.backup_dir,
        databases=(escape(database),),
        globals=False,
        age_recipients=recipients,
        age_identity=options.age_identity,
        age_program=options.age_program,
        jobs=options.jobs,
        bin_dir=options.bin_dir,
        timeout=options.timeout,
    )
