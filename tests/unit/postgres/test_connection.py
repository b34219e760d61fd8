"""The way to PostgreSQL: what a URL means, and why a connection failed."""

from __future__ import annotations

import itertools
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import (
    Deadline,
    DeadlineExceeded,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres import (
    connection as pg_connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.connection import (
    Connection,
    parse_url,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.errors import (
    Refusal,
    explain,
    silence,
)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGHOSTADDR", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "address", "user", "database"),
    [
        ("postgresql://app:pw@db.example:6432/shop", "db.example:6432", "app", "shop"),
        ("postgres://app@db.example", "db.example:5432", "app", "app"),
        ("postgresql://app@[::1]:1/x", "[::1]:1", "app", "x"),
        ("postgresql://app@a:1,b:2/x?target_session_attrs=read-write", "a:1, b:2", "app", "x"),
        ("postgresql://app@a,b/x?port=7", "a:7, b:7", "app", "x"),
        (
            "postgresql:///x?host=/run/postgresql&user=me",
            "socket /run/postgresql, port 5432",
            "me",
            "x",
        ),
        ("postgresql:///x", "the local socket, port 5432", "of the operating system's user", "x"),
        (" postgresql://app:p%40s%2Fs@db/x\n", "db:5432", "app", "x"),
    ],
)
def test_a_url_names_a_target(url: str, address: str, user: str, database: str) -> None:
    target = parse_url(url)
    assert (target.address, target.user, target.database) == (address, user, database)


def test_what_a_url_leaves_out_comes_from_the_environment_of_libpq(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    monkeypatch.setenv("PGPORT", "6432")
    monkeypatch.setenv("PGUSER", "me")
    target = parse_url("postgresql:///x")
    assert (target.address, target.user) == ("db.example:6432", "me")
    assert parse_url("postgresql://other:1/x").address == "other:1"


def test_parameters_of_other_drivers_are_left_out() -> None:
    target = parse_url(
        "postgresql://u:pw@h/db?schema=public&sslmode=require&connection_limit=5&pgbouncer=true"
    )
    assert target.params == {
        "user": "u",
        "password": "pw",
        "host": "h",
        "dbname": "db",
        "sslmode": "require",
    }


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (None, "database_url is missing"),
        ("", "or set DATABASE_URL"),
        ("mysql://u:hunter2@h/db", "has to begin with 'postgresql://'"),
        ("hunter2", "has to begin with 'postgresql://'"),
        ("postgresql://u:hunter2@h/db?schem=public", "libpq knows no parameter 'schem'"),
        ("postgresql://u:hunter2@h/db?sslmode", "parameter 'sslmode' has to be written NAME=VALUE"),
        ("postgresql://u:hunter2%zz@h/db", "percent-encode"),
        ("postgresql://u:hunter2@ss@h/db", "percent-encode"),
        ("postgresql://u:hunter2/ss@h/db", "percent-encode"),
        ("postgresql://u:1/hunter2@h/db", "percent-encode"),
        ("postgresql://u:hunter2@[::1/db", "IPv6"),
        ("postgresql://u:hunter2@[::1]x/db", "not of the form"),
        ("postgresql://u:hunter2@h:0/db", "port is not a number from 1 to 65535"),
        ("postgresql://u:hunter2@h:99999/db", "port is not a number from 1 to 65535"),
        ("postgresql://u:hunter2@a:1,b:2,c:3/db?host=x,y", "one port for all hosts"),
    ],
)
def test_a_malformed_url_is_one_sentence_without_the_password(
    url: str | None, sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse_url(url)
    assert sentence in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


@given(
    st.text(string.ascii_letters + string.digits + "%/@:?#[]&= ,é", max_size=12),
    st.text(string.printable, max_size=12),
)
def test_whatever_the_password_is_no_sentence_shows_it(before: str, after: str) -> None:
    password = before + "hunter2" + after
    try:
        target = parse_url(f"postgresql://u:{password}@h:5432/db")
        said = target.address + target.user + target.database
    except UsageError as error:
        said = str(error)
    assert "hunter2" not in said


TOLD_APART = {
    'FATAL:  28P01: password authentication failed for user "app"\nLOCATION:  auth_failed, auth.c:317\n': "refuses the password of role 'app'",
    "FATAL:  28P01: Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen\n": "refuses the password of role 'app'",
    'FATAL:  28000: no pg_hba.conf entry for host "10.0.0.9", user "app"\n': "pg_hba.conf of PostgreSQL at db:5432 does not let role 'app'",
    'FATAL:  28000: role "app" does not exist\n': "has no role 'app'",
    'FATAL:  28000: role "app" is not permitted to log in\n': "Role 'app' may not log in",
    'FATAL:  28000: Peer authentication failed for user "app"\n': "(peer authentication)",
    "FATAL:  28000: connection requires a valid client certificate\n": "refuses the connection: connection requires a valid client certificate",
    'FATAL:  3D000: database "shop" does not exist\n': "has no database 'shop'",
    'FATAL:  42501: permission denied for database "shop"\nDETAIL:  User does not have CONNECT privilege.\n': "may not connect to database 'shop'",
    'FATAL:  55000: database "shop" is not currently accepting connections\n': "accepts no connections",
    "FATAL:  53300: sorry, too many clients already\n": "out of connection slots: every one",
    "FATAL:  53300: remaining connection slots are reserved for roles with the SUPERUSER attribute\n": "out of connection slots: every one",
    'FATAL:  53300: too many connections for role "app"\n': "for role 'app': its CONNECTION LIMIT is used up",
    'FATAL:  53300: too many connections for database "shop"\n': "for database 'shop': its CONNECTION LIMIT is used up",
    "FATAL:  57P03: the database system is starting up\n": "is starting up",
    "FATAL:  57P03: the database system is shutting down\n": "is shutting down",
    "FATAL:  57P03: the database system is in recovery mode\n": "recovers from a crash",
    "FATAL:  57P03: the database system is not yet accepting connections\n": "is in recovery",
    "FATAL:  57P03: the database system is not accepting connections\nDETAIL:  Hot standby mode is disabled.\n": "is in recovery",
    "FATAL:  57P03: das Datenbanksystem startet\n": "does not accept connections now (das Datenbanksystem startet)",
    "FATAL:  08P01: no more connections allowed (max_client_conn)\n": "refuses the connection: no more connections allowed",
    "fe_sendauth: no password supplied\n": "wants a password",
    "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n": "nothing listens there",
    'connection to server on socket "/run/.s.PGSQL.5432" failed: No such file or directory\n\tIs the server running locally\n': "there is no such socket",
    'connection to server on socket "/run/.s.PGSQL.5432" failed: Permission denied\n': "may not use",
    'connection to server on socket "/run/.s.PGSQL.5432" failed: Resource temporarily unavailable\n': "its queue is full",
    "No route to host\n": "cannot be reached over the network",
    "Connection timed out\n": "does not answer",
    "server does not support SSL, but SSL was required\n": "offers no encryption",
    "SSL error: certificate verify failed\n": "is not trusted",
    'server certificate for "a" does not match host name "b"\n': "is not trusted",
    'root certificate file "/x" does not exist\n': "cannot be used",
    "received invalid response to SSL negotiation: H\n": "does not speak PostgreSQL's protocol",
    "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n": "closed the connection without a word",
    "session is read-only\n": "target_session_attrs",
    "something new\n": "refuses the connection: something new",
}


@pytest.mark.parametrize(("text", "words"), TOLD_APART.items())
def test_refusals_are_told_apart(text: str, words: str) -> None:
    refusal = explain(text, "db:5432", "app", "shop")
    assert words in refusal.summary
    assert "db:5432" in refusal.summary
    assert "{" not in refusal.summary + refusal.remedy
    assert "\n" not in refusal.summary + refusal.remedy


def test_what_a_server_said_tells_more_than_a_closed_port() -> None:
    first = 'connection to server at "::1", port 1 failed: FATAL:  28P01: password authentication failed\n'
    text = first + 'connection to server at "b", port 2 failed: Connection refused\n'
    assert "refuses the password" in explain(text, "a, b", "app", "shop").summary


def test_a_second_attempt_without_encryption_does_not_hide_what_became_of_the_first() -> None:
    encrypted = 'FATAL:  28P01: password authentication failed for user "app"\nLOCATION:  auth_failed, auth.c:334\n'
    refused = 'connection to server at "db", port 5432 failed: FATAL:  28000: pg_hba.conf rejects connection for host "a", no encryption\n'
    assert "refuses the password" in explain(encrypted + refused, "db:5432", "app", "shop").summary
    assert "pg_hba.conf" in explain(refused + refused, "db:5432", "app", "shop").summary


def test_a_value_that_libpq_does_not_know_is_misuse() -> None:
    for text in (
        'invalid sslmode value: "hunter2"\n',
        'invalid integer value "hunter2" for connection option "keepalives"\n',
    ):
        with pytest.raises(
            UsageError,
            match=r"^database_url is malformed: (sslmode|keepalives) has a value that libpq does not know$",
        ):
            explain(text, "db:5432", "app", "shop")


def test_a_password_in_a_servers_words_is_not_passed_on() -> None:
    refusal = explain(
        "FATAL:  08P01: bad login app/hunter2 to postgresql://a:b@c/d\n",
        "db:5432",
        "app",
        "shop",
        ["hunter2"],
    )
    assert "hunter2" not in refusal.summary
    assert "a:b@" not in refusal.summary


def test_silence_says_where_it_stuck() -> None:
    sentences = [
        silence(phase, "its sessions", "db:5432", 10).summary
        for phase in ("resolve", "connect", "greet", "ask")
    ]
    assert len(set(sentences)) == 4
    assert all("within 10 s" in sentence and "db:5432" in sentence for sentence in sentences)
    assert "its sessions" in sentences[3]
    assert not any(a in b for a, b in itertools.permutations(sentences, 2))


def test_a_name_service_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    stuck = threading.Event()
    monkeypatch.setattr(
        pg_connection.socket, "getaddrinfo", lambda *args, **more: [stuck.wait(30)][:0]
    )
    connection = Connection(parse_url("postgresql://u@db.example/x"), "test", Deadline(0.2))
    try:
        with pytest.raises(DeadlineExceeded):
            connection.open()
    finally:
        stuck.set()
    assert "was not resolved" in connection.silence().summary


def test_a_name_without_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **more: object) -> list[object]:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(pg_connection.socket, "getaddrinfo", unknown)
    with pytest.raises(
        Refusal, match=r"'db\.example', cannot be resolved \(Name or service not known\)"
    ):
        Connection(parse_url("postgresql://u@db.example/x"), "test", Deadline(5)).open()
