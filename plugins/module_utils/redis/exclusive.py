# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps two runs from changing one server at the same time, by the name of their connections.

Nothing is written for it, and it ends with the connection, however the run ends. It holds whichever
hosts the runs come from.
"""

from __future__ import annotations

from ..core.errors import Refused
from ..core.lock import Locked
from ..core.units import format_duration
from .server import Server

#: How the names of connections of this collection begin.
OWN_NAME = "gpt-agent-runbook:"


def take_turn(server: Server, operation: str) -> bool:
    """Name the connection, and raise `Locked` if another run of an operation is under way.

    Of two that begin in the same moment, both may give way. False if the server does not show its
    clients to this user, so that other runs cannot be seen.
    """
    try:
        server.ask("CLIENT SETNAME", lambda client: client.client_setname(f"{OWN_NAME}{operation}"))
        own = server.ask("CLIENT ID", lambda client: client.client_id())
        clients = server.ask("CLIENT LIST", lambda client: client.client_list())
    except Refused:
        return False
    for each in clients:
        if each.get("name", "").startswith(OWN_NAME) and int(each["id"]) != own:
            what = each["name"][len(OWN_NAME) :]
            age = format_duration(int(each.get("age", 0)))
            address = each.get("addr", "an unknown address")
            raise Locked(
                f"another run ({what}, from {address}, for {age}) is changing "
                f"{server.endpoint.address}",
                "Wait until it has ended.",
            )
    return True
