# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs redis_flush in the background, if the results of earlier steps allow it.

Documented in plugins/modules/redis_flush.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..module_utils.redis.flush.options import Options
from ..plugin_utils.background import BackgroundAction


class ActionModule(BackgroundAction):
    operation = "the flush"
    skipped_action = "redis.flush"
    skipped_results: ClassVar[Mapping[str, Any]] = {"keys": None, "removed": 0, "dump": ""}
    first_phase = "connecting"

    def max_seconds(self) -> float:
        """For looking, the dump and removing."""
        try:
            return 4 * float(self._task.args.get("time_limit") or Options.time_limit)
        except (TypeError, ValueError):
            return 4 * Options.time_limit
