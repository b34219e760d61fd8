# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a log."""

from __future__ import annotations

import os

_BYTES = 65536


def last_lines(path: str, lines: int = 200) -> list[str]:
    """The last lines of a file, the oldest first; raises OSError."""
    with open(path, "rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _BYTES))
        text = stream.read().decode(errors="replace")
    found = text.splitlines()
    return found[1:][-lines:] if size > _BYTES else found[-lines:]
