# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of a server, if it runs on this host and can be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..linux.proc import read_text
from .connection import Endpoint

_NAMES = ("redis", "valkey", "keydb")


def server_process(endpoint: Endpoint, info: Mapping[str, Any]) -> int | None:
    """Its process id; none for a server elsewhere.

    The id that the server names may be from inside a container, so the name must match as well.
    """
    pid = info.get("process_id")
    if not endpoint.local or not pid:
        return None
    try:
        name = read_text(f"/proc/{pid}/comm")
    except OSError:
        return None
    return int(pid) if any(each in name for each in _NAMES) else None
