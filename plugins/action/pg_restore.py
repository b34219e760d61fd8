# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs pg_restore in the background, if the results of earlier steps allow it.

Documented in plugins/modules/pg_restore.py.
"""

from __future__ import annotations

from ..module_utils.postgres.restore.options import Options
from ..plugin_utils.background import BackgroundAction


class ActionModule(BackgroundAction):
    operation = "the restore"
    skipped_action = "restore.load"
    first_phase = "choosing the backup"

    def max_seconds(self) -> float:
        try:
            return float(self._task.args.get("time_limit") or Options.time_limit)
        except (TypeError, ValueError):
            return Options.time_limit
