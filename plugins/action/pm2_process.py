# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs pm2_process in the background, if the results of earlier steps allow it.

Documented in plugins/modules/pm2_process.py.
"""

from __future__ import annotations

from typing import Any

from ..module_utils.core.check import SKIPPED, Action, as_dicts
from ..module_utils.pm2.process.apply import MAX_SECONDS
from ..plugin_utils.background import BackgroundAction
from ..plugin_utils.requirements import malformed, not_proven, unmet


class ActionModule(BackgroundAction):
    operation = "the restart"
    first_phase = "inspecting the app"

    def max_seconds(self) -> float:
        return MAX_SECONDS

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        requires = self._task.args.get("requires") or []
        requires = [requires] if isinstance(requires, str) else list(requires)
        wrong = malformed(requires)
        if wrong:
            return {"failed": True, "msg": f"requires: {wrong[0]!r} is not of the form STEP.KEY"}
        reason = self._obstacle(requires, task_vars or {})
        if not reason:
            return super().run(tmp, task_vars)
        skipped = Action("app.restart", SKIPPED, reason, str(self._task.args.get("name", "")))
        return {"changed": False, "proven": False, "actions": as_dicts([skipped])}

    def _obstacle(self, requires: list[str], variables: dict[str, Any]) -> str:
        """Why the app must not be restarted, or an empty string."""
        every = variables["hostvars"]
        hosts = {host: every.raw_get(host) for host in every}
        reason = unmet(requires, hosts)
        if reason or not self._task.register:
            return reason
        this = variables.get("inventory_hostname")
        others = {host: values for host, values in hosts.items() if host != this}
        down = not_proven(self._task.register, others, self._task.check_mode)
        return f"the app did not come back on {', '.join(down)}" if down else ""
