# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs app_profile in the background, if the results of earlier steps allow it.

Documented in plugins/modules/app_profile.py.
"""

from __future__ import annotations

from ..module_utils.pm2.profile.operation import MAX_SECONDS
from ..plugin_utils.background import BackgroundAction


class ActionModule(BackgroundAction):
    operation = "the profile"
    skipped_action = "app.profile"
    first_phase = "choosing the instance"

    def max_seconds(self) -> float:
        return MAX_SECONDS

    def subject(self) -> str:
        return str(self._task.args.get("app", ""))
