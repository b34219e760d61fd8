# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs redis_recovery, restarts the service if that is the cure, and has it verified.

Documented in plugins/modules/redis_recovery.py.
"""

from __future__ import annotations

from ..plugin_utils.restart import RestartAction


class ActionModule(RestartAction):
    pass
