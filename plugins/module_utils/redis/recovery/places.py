# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the Redis of this host is the one at an address: by where each of them listens."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ...linux.programs import UNSEEN, Place, Program, places_of
from ...linux.sockets import same_network
from ..connection import Endpoint

#: Titles of processes that a server forks, to write a snapshot or the append-only file.
_FORKED = re.compile(r"\S*-(?:rdb|aof)-")
#: At the end of the title of a server that serves TCP: ``127.0.0.1:6379``, ``*:6379 [cluster]``.
_TITLE = re.compile(r" (\S*):(\d+)(?: \[\w+\])?$")


@dataclass(frozen=True)
class Running:
    """A Redis that runs on this host."""

    program: Program
    places: Sequence[Place] = ()
    """Where it listens; by its title, which names but one address, if that cannot be seen."""
    seen: bool = False
    """Whether these are all."""
    inside: bool = False
    """Whether it is in a network of its own, as in a container."""

    @property
    def described(self) -> str:
        """``process 5 (redis-server), sleeping, on 127.0.0.1:6379``."""
        where = ", ".join(map(str, self.places)) or "an address that cannot be seen"
        return f"{self.program.described}, on {where}{' in a container' if self.inside else ''}"


def servers(programs: Sequence[Program]) -> list[Running]:
    """Each Redis among these processes, and where it listens, as far as this user may see it."""
    return [_look(program) for program in programs if not _FORKED.match(program.title)]


def _look(program: Program) -> Running:
    places = places_of(program.pid)
    if places:
        return Running(program, places, True, not same_network(program.pid))
    titled = _TITLE.search(program.title)
    return Running(program, [Place(titled[1], int(titled[2]))] if titled else [])


def hosts_of(endpoint: Endpoint) -> set[str]:
    """The IP addresses of an address; empty for a Unix socket."""
    with suppress(OSError):
        found = socket.getaddrinfo(endpoint.host, 0, type=socket.SOCK_STREAM)
        return set() if endpoint.path else {str(each[4][0]) for each in found}
    return set()


def serving(
    running: Sequence[Running], endpoint: Endpoint, hosts: Collection[str], listener: str
) -> Program | None:
    """The Redis that accepts the connections to an address; none if that is not certain.

    ``hosts`` are the IP addresses of it, ``listener`` is who listens there.
    """
    for each in running:
        at = any(_is_at(place, endpoint, hosts) for place in each.places)
        if at and each.seen and not each.inside:
            return each.program
    unseen = [each for each in running if not each.seen and similar(each, endpoint)]
    return unseen[0].program if listener == UNSEEN and len(unseen) == 1 else None


def similar(each: Running, endpoint: Endpoint) -> bool:
    """Whether one that does not serve an address may have been meant to: it has the same port."""
    return not endpoint.path and any(place.port == endpoint.port for place in each.places)


def unclear(each: Running, endpoint: Endpoint) -> bool:
    """Whether it cannot be seen if one is another Redis; a title says nothing of Unix sockets."""
    return not each.places or (bool(endpoint.path) and not each.seen)


def elsewhere(pid: int, endpoint: Endpoint) -> bool:
    """Whether a process certainly listens, and not at an address."""
    places = places_of(pid)
    hosts = hosts_of(endpoint)
    return bool(places) and not any(_is_at(place, endpoint, hosts) for place in places)


def same_socket(one: str, other: str) -> bool:
    """Whether two paths are those of one Unix socket."""
    return os.path.realpath(one) == os.path.realpath(other)


def _is_at(place: Place, endpoint: Endpoint, hosts: Collection[str]) -> bool:
    if endpoint.path:
        return bool(place.path) and same_socket(place.path, endpoint.path)
    return place.serves(endpoint.port, hosts)
