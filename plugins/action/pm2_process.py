# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs pm2_process in the background, if the results of earlier steps allow it.

Documented in plugins/modules/pm2_process.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ..module_utils.core.check import FAILED, SKIPPED
from ..module_utils.pm2.process.apply import MAX_SECONDS
from ..plugin_utils.background import BackgroundAction, all_hosts
from ..plugin_utils.requirements import results_of, unmet

Result = Mapping[str, Any]

UNREACHABLE, NOT_OK, UNKNOWN = "unreachable", "not ok", "unknown"
#: Why an earlier host stops the restart on the next one, the most important reason first.
_PROBLEMS = {
    FAILED: "the restart failed on {hosts}",
    UNREACHABLE: "{hosts} could not be reached",
    NOT_OK: "app.process is not ok after the restart on {hosts}",
    UNKNOWN: "the result of the restart is unknown on {hosts}",
    SKIPPED: "the restart was skipped on {hosts}",
}


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
        return earlier_problem(results_of(self._task.register, others), self._task.check_mode)


def earlier_problem(found: Mapping[str, Sequence[Result]], check_mode: bool) -> str:
    """Why nothing must be restarted after the restarts on other hosts, or an empty string.

    ``found`` holds their results, by host; each must be proven. Only a failed or unreachable host
    counts in check mode, as nothing is proven there.
    """
    problems: dict[str, list[str]] = {}
    for host, results in found.items():
        for kind in dict.fromkeys(map(_problem, results)):
            problems.setdefault(kind, []).append(host)
    for kind in (FAILED, UNREACHABLE) if check_mode else tuple(_PROBLEMS):
        if kind in problems:
            return _PROBLEMS[kind].format(hosts=", ".join(problems[kind]))
    return ""


def _problem(result: Result) -> str:
    """Why a result proves nothing, as a key of `_PROBLEMS`; empty if it does."""
    if result.get("unreachable"):
        return UNREACHABLE
    if result.get("failed"):
        return FAILED
    if result.get("proven"):
        return ""
    if "proven" not in result:
        return UNKNOWN
    actions = result.get("actions") or []
    if actions and all(action.get("status") == SKIPPED for action in actions):
        return SKIPPED
    return NOT_OK
