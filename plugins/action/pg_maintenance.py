# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module in the background of its host and shows its progress.

Documented in plugins/modules/pg_maintenance.py.
"""

from __future__ import annotations

from ..module_utils.postgres.maintenance.options import Options
from ..plugin_utils.background import WatchedAction


class ActionModule(WatchedAction):
    work = "the maintenance"
    beginning = "examining tables and indexes"

    def longest(self) -> float:
        try:
            return float(self._task.args.get("time_budget") or Options.time_budget)
        except (TypeError, ValueError):
            return Options.time_budget
