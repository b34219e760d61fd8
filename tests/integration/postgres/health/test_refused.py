"""pg_health where it is refused, by the server or by the network; and well again afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import by_name
from tests.support.postgres import Server, eventually
from tests.support.postgres_probe import Ask, assert_well, listening, unreachable


def test_a_stopped_server_and_its_recovery(stack: Any, server: Server, ask: Ask) -> None:
    stack.stop("postgres")
    try:
        assert unreachable(ask())["summary"] == (
            f"PostgreSQL at 127.0.0.1:{server.own['port']} refuses the connection: "
            f"nothing listens there"
        )
        socket_url = server.socket_url("x")
        assert "there is no such socket" in unreachable(ask(socket_url))["summary"]
    finally:
        stack.start("postgres")
    assert_well(ask())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "hunter2"}, "refuses the password of role 'gpt_agent'"),
        ({"password": ""}, "requires a password for role 'gpt_agent'"),
        ({"user": "nobody_known", "password": "x"}, "refuses the password of role 'nobody_known'"),
        ({"database": "no such"}, "has no database 'no such'"),
        ({"sslmode": "require"}, "does not support TLS"),
    ],
)
def test_refusals_are_told_apart(
    server: Server, ask: Ask, changes: dict[str, str], words: str
) -> None:
    check = unreachable(ask(server.url(**changes)))
    assert words in check["summary"]
    assert "hunter2" not in json.dumps(check)


def test_pg_hba(server: Server, ask: Ask) -> None:
    file = Path(server.own["data"]) / "pg_hba.conf"
    before = file.read_text()
    with server.role("barred") as url:
        file.write_text("host all barred 127.0.0.1/32 reject\n" + before)
        try:
            server.admin("SELECT pg_reload_conf()")
            eventually(lambda: "pg_hba.conf of PostgreSQL" in unreachable(ask(url))["summary"])
        finally:
            file.write_text(before)
            server.admin("SELECT pg_reload_conf()")
        eventually(lambda: ask(url)["checks"][0]["status"] == "ok")


def test_rights_to_log_in_and_to_connect(server: Server, ask: Ask) -> None:
    with server.role(
        "limited",
        "CREATE DATABASE closed",
        "REVOKE CONNECT ON DATABASE closed FROM PUBLIC",
        "CREATE DATABASE shut ALLOW_CONNECTIONS false",
    ):
        try:
            url = server.url("limited", "of-limited", "closed")
            check = unreachable(ask(url))
            assert "lacks permission to connect to database 'closed'" in check["summary"]
            assert 'GRANT CONNECT ON DATABASE "closed" TO "limited"' in check["remedy"]
            assert (
                "accepts no connections"
                in unreachable(ask(server.url("limited", "of-limited", "shut")))["summary"]
            )
            server.admin("ALTER ROLE limited NOLOGIN")
            assert "is not allowed to log in" in unreachable(ask(url))["summary"]
        finally:
            server.admin("DROP DATABASE closed", "DROP DATABASE shut")


def test_names_and_networks(ask: Ask) -> None:
    assert "cannot be resolved" in unreachable(ask("postgresql://u:pw@host.invalid/x"))["summary"]
    with listening(lambda peer: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert (
            "does not speak PostgreSQL's protocol"
            in unreachable(ask(f"postgresql://u:pw@127.0.0.1:{port}/x"))["summary"]
        )
    with listening(lambda peer: peer.close()) as port:
        assert (
            "closed the connection"
            in unreachable(ask(f"postgresql://u:pw@127.0.0.1:{port}/x"))["summary"]
        )


def test_of_several_hosts_the_first_that_answers_is_asked(server: Server, ask: Ask) -> None:
    own = server.own
    hosts = f"host.invalid:1,127.0.0.1:1,localhost:{own['port']}"
    answer = ask(f"postgresql://{own['user']}:{own['password']}@{hosts}/{own['database']}")
    assert_well(answer)
    assert f"at localhost:{own['port']} answers" in by_name(answer, "postgres.reachable")["summary"]
