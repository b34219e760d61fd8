# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module in the background of its host and says where it is. Documented in plugins/modules/pm2_process.py."""

from __future__ import annotations

from ..module_utils.pm2.restart import LONGEST
from ..plugin_utils.background import WatchedAction


class ActionModule(WatchedAction):
    work = "the restart"
    beginning = "looking at the app"

    def longest(self) -> float:
        return LONGEST
