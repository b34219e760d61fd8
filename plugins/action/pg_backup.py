# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs pg_backup in the background, if the results of earlier steps allow it.

Documented in plugins/modules/pg_backup.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..module_utils.postgres.backup.options import Options
from ..plugin_utils.background import BackgroundAction


class ActionModule(BackgroundAction):
    operation = "the backup"
    skipped_action = "backup.dump"
    skipped_results: ClassVar[Mapping[str, Any]] = {"complete": False, "backups": []}
    first_phase = "connecting"

    def max_seconds(self) -> float:
        try:
            return float(self._task.args.get("time_limit") or Options.time_limit)
        except (TypeError, ValueError):
            return Options.time_limit
