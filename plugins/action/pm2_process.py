# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs pm2_process in the background, if the results of earlier steps allow it.

Documented in plugins/modules/pm2_process.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ..module_utils.pm2.process.apply import MAX_SECONDS
from ..plugin_utils.background import BackgroundAction, all_hosts
from ..plugin_utils.requirements import not_proven, unmet


class ActionModule(BackgroundAction):
    operation = "the restart"
    skipped_action = "app.restart"
    skipped_results: ClassVar[Mapping[str, Any]] = {"proven": False}
    first_phase = "inspecting the app"

    def max_seconds(self) -> float:
        return MAX_SECONDS

    def subject(self) -> str:
        return str(self._task.args.get("name", ""))

    def obstacle(self, requires: Iterable[str], variables: Mapping[str, Any]) -> str:
        """Results of all hosts count: what permits the restart is often on another one."""
        hosts = all_hosts(variables)
        reason = unmet(requires, hosts, self._task.check_mode)
        if reason or not self._task.register:
            return reason
        this = variables.get("inventory_hostname")
        others = {host: values for host, values in hosts.items() if host != this}
        down = not_proven(self._task.register, others, self._task.check_mode)
        return f"the app did not come back on {', '.join(down)}" if down else ""
