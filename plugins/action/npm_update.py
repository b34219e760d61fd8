# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs npm_update in the background, if the results of earlier steps allow it.

Documented in plugins/modules/npm_update.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..module_utils.release.update.options import Options
from ..plugin_utils.background import BackgroundAction

#: Runs of all commands at most, beside the search: with the update and without it.
_RUNS = 2
#: Questions to npm and Snyk, and copies of the repository.
_QUESTIONS = 5


class ActionModule(BackgroundAction):
    operation = "the update"
    skipped_action = "npm.update"
    skipped_results: ClassVar[Mapping[str, Any]] = {
        "updates": 0,
        "patch": "",
        "version": "",
        "sbom": "",
        "ready": False,
    }
    first_phase = "copying the app"

    def max_seconds(self) -> float:
        """The search may begin its last trial at the end of its time."""
        command = self._seconds("command_timeout", Options.command_timeout)
        commands = self._task.args.get("commands") or Options.commands
        count = len(commands) if isinstance(commands, (list, tuple)) else 1
        search = self._seconds("search_time", Options.search_time)
        questions = _QUESTIONS * self._seconds("timeout", Options.timeout)
        return (_RUNS + 1) * count * command + search + questions

    def subject(self) -> str:
        return str(self._task.args.get("path") or "")

    def _seconds(self, option: str, default: float) -> float:
        try:
            return float(self._task.args.get(option) or default)
        except (TypeError, ValueError):
            return default
