"""pg_health against a server that is frozen or out of slots; and well again afterwards."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import (
    Deadline,
    DeadlineExceeded,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.connection import (
    Connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url
from tests.conftest import by_name
from tests.support.postgres import Server, eventually
from tests.support.postgres_probe import Ask, assert_well, unreachable


def test_a_frozen_server_is_told_within_the_time_limit(
    stack: Any, server: Server, ask: Ask
) -> None:
    own = server.own
    pid = stack.pid("postgres")
    os.kill(pid, signal.SIGSTOP)
    try:
        for url in (
            server.url(),
            server.socket_url(own["database"]),
        ):
            begin = time.monotonic()
            check = unreachable(ask(url, timeout=1))
            assert time.monotonic() - begin < 10
            assert "takes the connection but does not answer within 1 s" in check["summary"]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert_well(ask())


def test_a_server_that_freezes_while_it_is_asked(server: Server) -> None:
    connection = Connection(parse_url(server.url()), "test", Deadline(1.5))
    connection.open()
    connection.begin("itself", "SELECT 1")
    pid = connection.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            connection.rows("its sessions", "SELECT 1")
        connection.close()
        assert time.monotonic() - begin < 10
        assert (
            "accepted the connection, then did not answer within 1.5 s when asked "
            "about its sessions"
        ) in str(connection.no_answer())
    finally:
        os.kill(pid, signal.SIGCONT)


def test_out_of_connection_slots(server: Server, ask: Ask) -> None:
    with server.sessions(200, "worker") as taken:
        check = unreachable(ask())
        assert (
            "is out of connection slots: all that role 'gpt_agent' can use are taken"
            in check["summary"]
        )
        assert "playbooks/relieve_connections.yml" in check["remedy"]
        # A superuser has slots of its own, and sees who holds the others.
        connections = by_name(ask(server.admin_url), "postgres.connections")
        assert connections["status"] == "critical"
        assert connections["value"] > 95
        assert f"{len(taken)} of them idle from app 'worker'" in connections["summary"]
        assert {row["application"] for row in connections["evidence"]} >= {"worker"}
    eventually(lambda: ask()["checks"][0]["status"] == "ok")


def test_the_connection_limits_of_a_role_and_of_a_database(server: Server, ask: Ask) -> None:
    with server.role(
        "narrow", "ALTER ROLE narrow CONNECTION LIMIT 2", "CREATE DATABASE small CONNECTION LIMIT 3"
    ) as url:
        try:
            with server.sessions(2, "worker", url):
                assert (
                    "out of connection slots for role 'narrow'" in unreachable(ask(url))["summary"]
                )
                check = by_name(ask(), "postgres.connections", "role narrow")
                assert (check["status"], check["value"]) == ("critical", 100.0)
            with server.sessions(3, "worker", server.url(database="small")):
                assert (
                    "out of connection slots for database 'small'"
                    in unreachable(ask(server.url(database="small")))["summary"]
                )
                assert by_name(ask(), "postgres.connections", "database small")["value"] == 100.0
        finally:
            server.admin("DROP DATABASE small WITH (FORCE)")
