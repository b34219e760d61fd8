# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inspector of a Node.js process: whether it may be opened, opening it, closing it again.

SIGUSR1 makes Node.js listen on the port of ``--inspect-port``, by default 9229, of the loopback
address. Whoever connects controls the process, so it is closed as soon as possible. A process that
is not Node.js would be killed by the signal.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ...core.deadline import Deadline
from ...core.errors import Refused, Unreachable
from ...linux.proc import read_text
from ...linux.sockets import LISTEN, connections, same_network, socket_inodes
from ...linux.usage import read_usage

_PROGRAM = re.compile(r"node(js)?(-?\d+(\.\d+)*)?( \(deleted\))?")
_CAUGHT = re.compile(r"^SigCgt:\s+([0-9a-f]+)$", re.MULTILINE)
_DEFAULT_PORT = 9229
_PORT_ARGUMENT = re.compile(r"--(?:inspect|inspect-brk|inspect-port|debug-port)[= ](?:\S*:)?(\d+)")
#: Seconds within which Node.js opens the inspector, also in the middle of a computation.
_OPENS_WITHIN = 5.0
_POLL = 0.05
_HTTP_SECONDS = 3.0
_LARGEST_ANSWER = 1 << 20


@dataclass(frozen=True)
class Target:
    """An inspector that listens."""

    port: int
    path: str
    """Of the WebSocket."""
    version: str
    """Such as ``node.js/v24.1.0``."""
    ours: bool
    """Whether it is to be closed: it was closed before."""


def obstacle(pid: int) -> str:
    """Why SIGUSR1 must not be sent to a process; empty if Node.js waits for it."""
    try:
        program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        caught = _CAUGHT.search(read_text(f"/proc/{pid}/status"))
    except OSError as error:
        return f"process {pid} cannot be examined: {error.strerror}"
    if not _PROGRAM.fullmatch(program):
        return f"process {pid} runs {program}, and SIGUSR1 opens an inspector in Node.js only"
    if not same_network(pid):
        return f"process {pid} is in the network of another container"
    if caught is None or not int(caught[1], 16) >> (signal.SIGUSR1 - 1) & 1:
        return (
            f"process {pid} does not handle SIGUSR1, which would end it: its inspector is switched "
            "off (--disable-sigusr1)"
        )
    return ""


def listeners(pid: int) -> set[int]:
    """The ports on which a process listens on the loopback address."""
    usage = read_usage(pid)
    if usage is None:
        return set()
    found = connections(pid, socket_inodes(usage.files or {}))
    return {
        each.local[1]
        for each in found
        if each.state == LISTEN and each.local[0] in ("127.0.0.1", "::1")
    }


def open_ports(pid: int) -> list[int]:
    """The usual ports of an inspector among those on which a process listens."""
    usual = {_DEFAULT_PORT}
    with suppress(OSError):
        usual.update(
            int(port)
            for port in _PORT_ARGUMENT.findall(read_text(f"/proc/{pid}/cmdline").replace("\0", " "))
        )
    return sorted(usual & listeners(pid))


def find_target(pid: int, *, ours: bool) -> Target | None:
    """The inspector of a process, if it is open: on a usual port, or on any if it is ours."""
    for port in sorted(listeners(pid)) if ours else open_ports(pid):
        target = ask(port, ours=ours)
        if target:
            return target
    return None


def open_inspector(pid: int, started: str, deadline: Deadline) -> Target:
    """Open the inspector of a process, unless it is open; raises `Refused` and `Unreachable`.

    ``started`` is what `Usage.started` was when the process was examined.
    """
    target = find_target(pid, ours=False)
    if target:
        return target
    reason = obstacle(pid)
    if reason:
        raise Refused(reason)
    usage = read_usage(pid)
    if usage is None or usage.started != started:
        raise Refused(f"process {pid} has ended meanwhile")
    before = listeners(pid)
    os.kill(pid, signal.SIGUSR1)
    until = time.monotonic() + deadline.remaining(_OPENS_WITHIN)
    while time.monotonic() < until:
        for port in sorted(listeners(pid) - before):
            target = ask(port, ours=True)
            if target:
                return target
        if read_usage(pid) is None:
            raise Unreachable(f"process {pid} ended when it got SIGUSR1")
        time.sleep(deadline.remaining(_POLL))
    for port in sorted(before):  # it was open before, on an unusual port
        target = ask(port, ours=False)
        if target:
            return target
    raise Unreachable(
        f"process {pid} opened no inspector within {_OPENS_WITHIN:g} s after SIGUSR1: its port "
        "(--inspect-port, by default 9229) is in use, the app handles the signal itself, or it is "
        "stuck outside JavaScript"
    )


def ask(port: int, *, ours: bool) -> Target | None:
    """What listens on a port of the loopback address; none if it is no inspector."""
    try:
        version, listed = _get(port, "/json/version"), _get(port, "/json/list")
        if not str(version["Browser"]).startswith("node.js/"):
            return None
        path = urlsplit(str(listed[0]["webSocketDebuggerUrl"])).path
        return Target(port, path, str(version["Browser"]), ours)
    except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException):
        return None


def _get(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_HTTP_SECONDS)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read(_LARGEST_ANSWER))
    finally:
        connection.close()


def is_closed(pid: int, port: int, seconds: float) -> bool:
    """Whether a process stops listening on a port within so many seconds."""
    until = time.monotonic() + seconds
    while port in listeners(pid):
        if time.monotonic() > until:
            return False
        time.sleep(_POLL)
    return True
