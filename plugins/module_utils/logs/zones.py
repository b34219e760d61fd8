# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time zone in which a process writes times."""

from __future__ import annotations

import os
from datetime import tzinfo


def process_zone(pid: int) -> tzinfo | None:
    """The zone of a process, by the TZ of its environment; none for this process' own zone.

    Also none if the environment cannot be read. Nothing else of the environment is kept.
    """
    try:
        with open(f"/proc/{pid}/environ", "rb") as stream:
            entries = stream.read().split(b"\0")
    except OSError:
        return None
    value = next((entry[3:] for entry in entries if entry.startswith(b"TZ=")), b"")
    name = value.decode(errors="replace").lstrip(":")
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
