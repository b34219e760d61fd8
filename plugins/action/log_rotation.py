# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs log_rotation in the background, if the results of earlier steps allow it.

Documented in plugins/modules/log_rotation.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..module_utils.rotation.options import Options
from ..plugin_utils.background import BackgroundAction


class ActionModule(BackgroundAction):
    operation = "the rotation"
    skipped_action = "logs.rotate"
    skipped_results: ClassVar[Mapping[str, Any]] = {
        "rotated": [],
        "archived": 0,
        "complete": False,
    }
    first_phase = "examining the logs"

    def max_seconds(self) -> float:
        try:
            return float(self._task.args.get("time_limit") or Options.time_limit)
        except (TypeError, ValueError):
            return Options.time_limit
