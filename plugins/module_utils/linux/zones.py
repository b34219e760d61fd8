# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time zone in which a process writes times."""

from __future__ import annotations

import os
from datetime import tzinfo

from .proc import environment_variable


def process_zone(pid: int) -> tzinfo | None:
    """The zone of a process, by the TZ of its environment; none for this process' own zone.

    Also none if the environment cannot be read.
    """
    value = environment_variable(pid, "TZ")
    if value is None:
        return None
    name = value.lstrip(":")
    if name == os.environ.get("TZ", "").lstrip(":"):
        return None
    return named_zone(name)


def named_zone(name: str) -> tzinfo | None:
    """The zone with a name such as ``Europe/Berlin``; that of the host without a name.

    None if there is no such zone.
    """
    from zoneinfo import ZoneInfo  # loaded only where zones differ

    try:
        if name and not name.startswith("/"):
            return ZoneInfo(name)
        with open(name or "/etc/localtime", "rb") as stream:
            return ZoneInfo.from_file(stream, key=name or "host")
    except (OSError, ValueError, KeyError):
        return None
