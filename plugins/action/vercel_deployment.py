# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs vercel_deployment in the background, for one host of a play.

Documented in plugins/modules/vercel_deployment.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ..plugin_utils.background import BackgroundAction, all_hosts
from ..plugin_utils.requirements import results_of

#: Seconds that a run may take: the time limit and two times of watching, at their longest.
_MAX_SECONDS = 3 * 3600.0


class ActionModule(BackgroundAction):
    operation = "the switch of the deployment"
    skipped_action = "vercel.switch"
    skipped_results: ClassVar[Mapping[str, Any]] = {"proven": False}
    first_phase = "reading the project"

    def max_seconds(self) -> float:
        return _MAX_SECONDS

    def subject(self) -> str:
        return str(self._task.args.get("project") or "")

    def obstacle(self, requires: Iterable[str], variables: Mapping[str, Any]) -> str:
        """The hosts of a play share the project: a second rollback would be one too many."""
        reason = super().obstacle(requires, variables)
        if reason or not self._task.register:
            return reason
        this = variables.get("inventory_hostname")
        others = {host: own for host, own in all_hosts(variables).items() if host != this}
        earlier = sorted(results_of(self._task.register, others))
        return f"it is one project for all hosts: see {earlier[0]}" if earlier else ""
