# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is running, what the configuration file says, and how much memory there is."""

from __future__ import annotations

from ...linux.cgroup import memory_group
from ..process import server_process
from ..server import Server
from .file import read_config_file
from .plan import Snapshot
from .values import SECRETS, canonical


def collect(server: Server) -> Snapshot:
    """Ask the server; raises like `Server.ask`."""
    info = server.info()
    answer = server.ask("CONFIG GET", lambda client: client.config_get("*"))
    running = {
        canonical(str(name)): str(value or "")
        for name, value in answer.items()
        if not SECRETS.fullmatch(canonical(str(name)))
    }
    pid = server_process(server.endpoint, info)
    limit, whose = info["total_system_memory"], "the host's"
    group = memory_group(pid) if pid else None
    if group and group.limit < limit:
        limit, whose = group.limit, "the container's or service's"
    path = str(info.get("config_file", ""))
    return Snapshot(running, info, limit, whose, read_config_file(path, pid))
