# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there before anything is removed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Callable

from ...core.deadline import Deadline
from ...core.errors import Refused
from ...core.progress import ProgressCallback, progress, running_item
from ..server import Server
from .inventory import take_inventory
from .nodes import count, databases
from .options import Options
from .plan import Snapshot


def collect(
    nodes: Sequence[Server], obstacle: str, options: Options, report: ProgressCallback
) -> Snapshot:
    """The keys of these servers; raises like `Server.ask`."""
    infos = [server.info() for server in nodes]
    counts = {node.endpoint.address: count(info, options) for node, info in zip(nodes, infos)}
    total = sum(counts.values())
    inventory = take_inventory(
        [(node, number) for node, info in zip(nodes, infos) for number in databases(info, options)],
        options.prefix,
        options.sample,
        total,
        Deadline(options.time_limit),
        reporter(report, "inspecting keys", total),
    )
    if options.prefix:
        counts = {address: inventory.by_node[address] for address in counts}
        total = inventory.keys
    first = infos[0]
    clustered = first.get("cluster_enabled") and first["role"] != "slave"
    used = sum(info["used_memory"] for info in infos)
    return Snapshot(first, inventory, total, counts if clustered else {}, obstacle, used)


def not_offered(nodes: Sequence[Server], options: Options) -> str:
    """Why nothing can be removed, if a server lacks the command for it; else, or unseen, empty."""
    for server in nodes:
        with suppress(Refused):
            found = server.ask(
                "COMMAND INFO",
                lambda client: client.execute_command("COMMAND INFO", options.command),
            )
            if list(found) == [None]:
                other = "" if options.prefix else ", or give prefix, for which UNLINK is enough"
                return (
                    f"{server.endpoint.address} does not offer {options.command}: rename-command "
                    "in redis.conf has renamed or disabled it, or it is a managed service; remove "
                    f"that line and restart Redis{other}"
                )
    return ""


def reporter(report: ProgressCallback, phase: str, total: int) -> Callable[[int], None]:
    """Reports how many of all keys are done, once a second."""
    started = time.monotonic()
    last = [started]

    def tell(done: int) -> None:
        now = time.monotonic()
        if now - last[0] >= 1:
            last[0] = now
            share = min(1.0, done / total) if total else None
            report(progress(0, 1, [running_item("redis", now - started, phase, share)]))

    return tell
