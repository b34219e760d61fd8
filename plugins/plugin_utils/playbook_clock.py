# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the running playbook started, which Ansible reports only to callbacks.

The callback notes it in the controller's main process. An action plugin runs in a fork of that
process and reads it there. It is not known unless the callback is enabled.
"""

from __future__ import annotations

from datetime import datetime, timezone

_started: datetime | None = None


def start() -> None:
    global _started
    _started = datetime.now(timezone.utc)


def started() -> datetime | None:
    return _started
