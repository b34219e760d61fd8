# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fresh backup of a database before it is replaced, made as pg_backup makes it."""

from __future__ import annotations

from ...core.check import Action
from ...core.errors import Refused
from ...core.progress import ProgressCallback
from ..url import Target
from .options import Options
from .restored import BackUp


def safety_backup(target: Target, options: Options, report: ProgressCallback) -> BackUp:
    """Makes a backup of a database; raises `RunbookError` unless it is verified."""

    def back_up(database: str) -> list[Action]:
        raise Refused("pg_backup is not there yet", "Set safety_backup to false.")

    return back_up
