# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs deployment_rebuild in the background, if the results of earlier steps allow it.

Documented in plugins/modules/deployment_rebuild.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..plugin_utils.background import BackgroundAction

#: Seconds that a run may take: two commands with the longest time limit.
_MAX_SECONDS = 8 * 3600.0


class ActionModule(BackgroundAction):
    operation = "the build"
    skipped_action = "release.rebuild_aside"
    skipped_results: ClassVar[Mapping[str, Any]] = {"builds": False}
    first_phase = "collecting the releases"

    def max_seconds(self) -> float:
        return _MAX_SECONDS

    def subject(self) -> str:
        return str(self._task.args.get("name", ""))
