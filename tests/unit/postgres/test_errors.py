"""Why PostgreSQL is unreachable, told apart by what the server and libpq say."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.errors import (
    explain,
    no_answer,
)


def from_server(text: str) -> str:
    """The text as libpq has it: PostgreSQL adds the place in its source to its own errors."""
    ours = "FATAL: " in text and "LOCATION" not in text and "08P01" not in text
    return f"{text}LOCATION:  routine, file.c:1\n" if ours else text


TOLD_APART = [
    (
        (
            'FATAL:  28P01: password authentication failed for user "app"\nLOCATION:  '
            "auth_failed, auth.c:317\n"
        ),
        "refuses the password of role 'app'",
    ),
    (
        "FATAL:  28P01: Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen\n",
        "refuses the password of role 'app'",
    ),
    (
        'FATAL:  28000: no pg_hba.conf entry for host "10.0.0.9", user "app"\n',
        "pg_hba.conf of PostgreSQL at db:5432 does not allow role 'app'",
    ),
    ('FATAL:  28000: role "app" does not exist\n', "has no role 'app'"),
    (
        'FATAL:  28000: role "app" is not permitted to log in\n',
        "Role 'app' is not allowed to log in",
    ),
    ('FATAL:  28000: Peer authentication failed for user "app"\n', "(peer authentication)"),
    (
        "FATAL:  28000: connection requires a valid client certificate\n",
        "refuses the login of role 'app' (connection requires a valid client certificate)",
    ),
    ('FATAL:  3D000: database "shop" does not exist\n', "has no database 'shop'"),
    (
        (
            'FATAL:  42501: permission denied for database "shop"\nDETAIL:  User does '
            "not have CONNECT privilege.\n"
        ),
        "lacks permission to connect to database 'shop'",
    ),
    (
        'FATAL:  55000: database "shop" is not currently accepting connections\n',
        "accepts no connections",
    ),
    (
        "FATAL:  53300: sorry, too many clients already\n",
        "out of connection slots: all that role 'app' can use",
    ),
    (
        (
            "FATAL:  53300: remaining connection slots are reserved for roles with the "
            "SUPERUSER attribute\n"
        ),
        "out of connection slots: all that role 'app' can use",
    ),
    (
        'FATAL:  53300: too many connections for role "app"\n',
        "for role 'app': its CONNECTION LIMIT is used up",
    ),
    (
        'FATAL:  53300: too many connections for database "shop"\n',
        "for database 'shop': its CONNECTION LIMIT is used up",
    ),
    ("FATAL:  57P03: the database system is starting up\n", "is starting up"),
    ("FATAL:  57P03: the database system is shutting down\n", "is shutting down"),
    ("FATAL:  57P03: the database system is in recovery mode\n", "is recovering from a crash"),
    ("FATAL:  57P03: the database system is not yet accepting connections\n", "is in recovery"),
    (
        (
            "FATAL:  57P03: the database system is not accepting connections\nDETAIL:  "
            "Hot standby mode is disabled.\n"
        ),
        "is in recovery",
    ),
    (
        "FATAL:  57P03: das Datenbanksystem startet\n",
        "accepts no connections at the moment (das Datenbanksystem startet)",
    ),
    (
        "FATAL:  08P01: no more connections allowed (max_client_conn)\n",
        "PgBouncer at db:5432 is out of client connections",
    ),
    ("fe_sendauth: no password supplied\n", "requires a password"),
    (
        (
            "Connection refused\n\tIs the server running on that host and accepting "
            "TCP/IP connections?\n"
        ),
        "nothing listens there",
    ),
    (
        (
            'connection to server on socket "/run/.s.PGSQL.5432" failed: No such file or '
            "directory\n\tIs the server running locally\n"
        ),
        "there is no such socket",
    ),
    (
        'connection to server on socket "/run/.s.PGSQL.5432" failed: Permission denied\n',
        "lacks permission to use",
    ),
    (
        (
            'connection to server on socket "/run/.s.PGSQL.5432" failed: Resource '
            "temporarily unavailable\n"
        ),
        "its queue is full",
    ),
    ("No route to host\n", "is unreachable over the network"),
    ("Connection timed out\n", "does not answer"),
    ("server does not support SSL, but SSL was required\n", "does not support TLS"),
    ("SSL error: certificate verify failed\n", "is not trusted"),
    ('server certificate for "a" does not match host name "b"\n', "is not trusted"),
    ('root certificate file "/x" does not exist\n', "there is no CA certificate"),
    ('could not load private key file "/x": no start line\n', "cannot be used"),
    (
        (
            'FATAL:  55000: cannot connect to invalid database "shop"\nHINT:  Use DROP DATABASE to '
            "drop invalid databases.\n"
        ),
        "is invalid: a DROP DATABASE was interrupted",
    ),
    ("FATAL:  XX000: cache lookup failed\n", "reports an internal error"),
    ("FATAL:  53400: too much\n", "is out of a resource"),
    ("received invalid response to SSL negotiation: H\n", "does not speak PostgreSQL's protocol"),
    (
        (
            "server closed the connection unexpectedly\n\tThis probably means the server "
            "terminated abnormally\n"
        ),
        "closed the connection without an error message",
    ),
    ("session is read-only\n", "target_session_attrs"),
    ("something new\n", "refuses the connection: something new"),
]


@pytest.mark.parametrize(("text", "words"), TOLD_APART)
def test_refusals_are_told_apart(text: str, words: str) -> None:
    refusal = explain(from_server(text), "db:5432", "app", "shop")
    assert words in str(refusal)
    assert "db:5432" in str(refusal)
    assert "{" not in str(refusal) + refusal.remedy
    assert "\n" not in str(refusal) + refusal.remedy


def test_what_a_server_said_tells_more_than_a_closed_port() -> None:
    first = (
        'connection to server at "::1", port 1 failed: FATAL:  28P01: password '
        "authentication failed\nLOCATION:  auth_failed, auth.c:334\n"
    )
    text = first + 'connection to server at "b", port 2 failed: Connection refused\n'
    assert "refuses the password" in str(explain(text, "a, b", "app", "shop"))


def test_a_second_attempt_without_encryption_does_not_hide_what_became_of_the_first() -> None:
    encrypted = (
        'FATAL:  28P01: password authentication failed for user "app"\nLOCATION:  '
        "auth_failed, auth.c:334\n"
    )
    refused = (
        'connection to server at "db", port 5432 failed: FATAL:  28000: pg_hba.conf '
        'rejects connection for host "a", no encryption\n'
    )
    assert "refuses the password" in str(explain(encrypted + refused, "db:5432", "app", "shop"))
    assert "pg_hba.conf" in str(explain(refused + refused, "db:5432", "app", "shop"))


def test_a_value_that_libpq_does_not_know_is_misuse() -> None:
    for text in (
        'invalid sslmode value: "hunter2"\n',
        'invalid integer value "hunter2" for connection option "keepalives"\n',
    ):
        with pytest.raises(
            UsageError,
            match=(
                r"^database_url: malformed; (sslmode|keepalives) has a value that libpq "
                r"does not know$"
            ),
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
    assert "hunter2" not in str(refusal)
    assert "a:b@" not in str(refusal)


def test_without_an_answer_it_says_how_far_the_connection_got() -> None:
    sentences = [
        str(no_answer(phase, "its sessions", "db:5432", 10))
        for phase in ("resolve", "connect", "handshake", "login", "query")
    ]
    assert len(set(sentences)) == 5
    assert all("within 10 s" in sentence and "db:5432" in sentence for sentence in sentences)
    assert "its sessions" in sentences[4]
    assert not any(a in b for a, b in itertools.permutations(sentences, 2))
