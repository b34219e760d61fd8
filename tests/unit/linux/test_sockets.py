"""The connections of a process, this one's own."""

from __future__ import annotations

import os
import socket
import time

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.sockets import (
    ESTABLISHED,
    LISTEN,
    Connection,
    connections,
    same_network,
    socket_inodes,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.usage import read_usage


def own(port: int) -> list[Connection]:
    usage = read_usage(os.getpid())
    assert usage
    found = connections(os.getpid(), socket_inodes(usage.files or {}))
    return [each for each in found if port in (each.local[1], each.peer[1])]


def test_who_owes_whom_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert [each.state for each in own(port)] == [LISTEN]
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0] as peer:
            peer.sendall(b"hello")
            client.recv(5)
            time.sleep(0.05)
            client.sendall(b"question")
            peer.recv(8)
            time.sleep(0.05)
            waits = next(each for each in own(port) if each.peer[1] == port)
            assert (waits.state, waits.peer) == (ESTABLISHED, ("127.0.0.1", port))
            assert waits.sent is not None
            assert waits.waiting >= 0.04
            peer.sendall(b"answer")
            client.recv(6)
            answered = next(each for each in own(port) if each.peer[1] == port)
            assert answered.waiting == 0
            assert answered.silent is not None


def test_addresses_of_version_6() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
            assert {each.peer[0] for each in own(port)} == {"::", "127.0.0.1"}


def test_links_that_are_no_sockets() -> None:
    targets = {0: "/dev/null", 1: "socket:[12]", 2: "socket:[x]", 3: "pipe:[13]"}
    assert socket_inodes(targets) == {12}
    assert same_network(os.getpid())
    assert not same_network(2**22)
