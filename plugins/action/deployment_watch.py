# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs deployment_watch in the background, if the results of earlier steps allow it.

Documented in plugins/modules/deployment_watch.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..module_utils.release.watch.options import Options
from ..plugin_utils.background import BackgroundAction


class ActionModule(BackgroundAction):
    operation = "the watch"
    skipped_action = "release.watch"
    skipped_results: ClassVar[Mapping[str, Any]] = {"healthy": False, "roll_back": False}
    first_phase = "collecting the releases"

    def max_seconds(self) -> float:
        try:
            return float(self._task.args.get("watch_for") or Options.watch_for)
        except (TypeError, ValueError):
            return Options.watch_for

    def subject(self) -> str:
        return str(self._task.args.get("name", ""))
