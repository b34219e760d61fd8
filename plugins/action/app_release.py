# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs app_release in the background, if the results of earlier steps allow it.

Documented in plugins/modules/app_release.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ..plugin_utils.background import BackgroundAction, all_hosts
from ..plugin_utils.requirements import results_of

#: Seconds that a run may take: two builds of the longest time limit.
_MAX_SECONDS = 8 * 3600.0


class ActionModule(BackgroundAction):
    operation = "the switch of the release"
    skipped_action = "release.switch"
    skipped_results: ClassVar[Mapping[str, Any]] = {"proven": False}
    first_phase = "collecting the releases"

    def max_seconds(self) -> float:
        return _MAX_SECONDS

    def subject(self) -> str:
        return str(self._task.args.get("name", ""))

    def obstacle(self, requires: Iterable[str], variables: Mapping[str, Any]) -> str:
        """A release that did not prove itself on one host is not tried on the next."""
        reason = super().obstacle(requires, variables)
        if reason or not self._task.register or self._task.args.get("state") == "listed":
            return reason
        this = variables.get("inventory_hostname")
        others = {host: own for host, own in all_hosts(variables).items() if host != this}
        return earlier_problem(results_of(self._task.register, others))


def earlier_problem(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Why this host is left alone after what happened on others, or an empty string."""
    failed = sorted(
        host
        for host, results in found.items()
        if any(each.get("failed") or each.get("unreachable") for each in results)
    )
    return f"left unchanged: it failed on {', '.join(failed)}" if failed else ""
