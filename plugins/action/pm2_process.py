# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs pm2_process in the background. Documented in plugins/modules/pm2_process.py."""

from __future__ import annotations

from ..module_utils.pm2.process.apply import MAX_SECONDS
from ..plugin_utils.background import BackgroundAction


class ActionModule(BackgroundAction):
    operation = "the restart"
    first_phase = "inspecting the app"

    def max_seconds(self) -> float:
        return MAX_SECONDS
