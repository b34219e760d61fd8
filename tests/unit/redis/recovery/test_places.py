"""Which of several Redis is the one at an address, by where each listens."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.programs import (
    UNSEEN,
    Place,
    Program,
    listener,
    places_of,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import Endpoint
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.recovery.places import (
    Running,
    elsewhere,
    hosts_of,
    servers,
    serving,
    similar,
    unclear,
)

HERE = {"127.0.0.1"}
AT = Endpoint("127.0.0.1", 6379)
SOCKET = Endpoint(path="/run/a.sock")
ONE, TWO = (Program(pid, "redis-server", "S", "") for pid in (5, 6))


@pytest.mark.parametrize(
    ("place", "same", "meant"),
    [
        (Place("127.0.0.1", 6379), True, True),
        (Place("0.0.0.0", 6379), True, True),
        (Place("::", 6379), True, True),
        (Place("127.0.0.2", 6379), False, True),
        (Place("127.0.0.1", 6380), False, False),
        (Place(path="/run/a.sock"), False, False),
    ],
)
def test_an_address(place: Place, same: bool, meant: bool) -> None:
    running = Running(ONE, [place], seen=True)
    assert (serving([running], AT, HERE, "") == ONE) == same
    assert similar(running, AT) == meant
    assert not unclear(running, AT)
    inside = Running(ONE, [place], seen=True, inside=True)
    assert serving([inside], AT, HERE, "") is None, "that port is the container's"


def test_a_socket() -> None:
    both = Running(ONE, [Place("127.0.0.1", 6379), Place(path="/run/a.sock")], seen=True)
    other = Running(TWO, [Place("127.0.0.1", 6380), Place(path="/run/b.sock")], seen=True)
    assert serving([other, both], SOCKET, (), "") == ONE
    assert serving([other], SOCKET, (), "") is None
    titled = Running(TWO, [Place("127.0.0.1", 6380)])
    assert unclear(titled, SOCKET)
    assert not unclear(titled, AT)
    assert not any(similar(each, SOCKET) for each in (both, other, titled))


def test_without_permission_the_title_says_the_port() -> None:
    for title in ("/usr/bin/redis-server *:6379", "valkey-server 127.0.0.1:6379 [cluster]"):
        (running,) = servers([Program(0, "redis-server", "S", title)])
        assert serving([running], AT, HERE, UNSEEN) == running.program
        assert serving([running], AT, HERE, "process 9 (ssh)") is None
        assert serving([running, running], AT, HERE, UNSEEN) is None, "either may be"
    (hidden,) = servers([Program(0, "redis-server", "S", "redis-server /etc/redis.conf")])
    assert unclear(hidden, AT)


def test_a_process_that_writes_a_snapshot_is_no_server() -> None:
    assert servers([Program(0, "redis-server", "S", "redis-rdb-bgsave 127.0.0.1:6379")]) == []


def test_a_process_that_listens(tmp_path: Path) -> None:
    with socket.socket() as own, socket.socket(socket.AF_UNIX) as local:
        own.bind(("127.0.0.1", 0))
        own.listen()
        local.bind(str(tmp_path / "own socket"))
        local.listen()
        port = own.getsockname()[1]
        places = places_of(os.getpid())
        assert Place("127.0.0.1", port) in places
        assert Place(path=str(tmp_path / "own socket")) in places
        assert f"process {os.getpid()} " in listener(port)
        assert f"process {os.getpid()} " in listener(port, hosts_of(Endpoint("localhost")))
        assert listener(port, {"127.0.0.2"}) == ""
        assert not elsewhere(os.getpid(), Endpoint("127.0.0.1", port))
        assert elsewhere(os.getpid(), Endpoint(path=str(tmp_path / "another")))
    assert listener(port) == ""
