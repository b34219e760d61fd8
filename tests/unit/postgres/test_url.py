"""What the URL of a database means, and what is said of one that is malformed."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url


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


def test_a_parameter_that_libpq_does_not_know_is_named_but_not_its_value() -> None:
    target = parse_url(
        "postgresql://u:pw@h/db?schema=public&sslmode=require&supa=hunter2&schema=x&pgbouncer=true"
    )
    assert target.params == {
        "user": "u",
        "password": "pw",
        "host": "h",
        "dbname": "db",
        "sslmode": "require",
    }
    (warning,) = target.warnings
    assert "'schema', 'supa', 'pgbouncer'" in warning
    assert "hunter2" not in warning


@pytest.mark.parametrize(
    "url",
    [
        '"postgresql://u:hunter2@h/db"',
        "'postgresql://u:hunter2@h/db'",
    ],
)
def test_quotes_around_a_url_are_removed_with_a_warning(url: str) -> None:
    target = parse_url(url)
    assert target.params["dbname"] == "db"
    (warning,) = target.warnings
    assert "quotes" in warning
    assert "hunter2" not in warning


def test_a_password_may_hold_a_question_mark_and_equals_signs() -> None:
    target = parse_url("postgresql://u:a?schema=b&c=d@h/db?application_name=x&schema=y")
    assert target.params["password"] == "a?schema=b&c=d"
    assert "'schema'." in target.warnings[0]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (None, "database_url: missing"),
        (None, "DATABASE_URL is not set on"),
        (None, "exported on the controller"),
        ("", "database_url: missing, it is empty"),
        ("DATABASE_URL=postgresql://u:hunter2@h/db", "without the name of a variable"),
        ("psql 'postgresql://u:hunter2@h/db'", "without the command psql"),
        ("'postgresql://u:hunter2@h/db", "has a quote at one end only"),
        ("prisma+postgres://x/?api_key=hunter2", "Prisma Accelerate"),
        ("mysql://u:hunter2@h/db", "must start with 'postgresql://'"),
        ("hunter2", "must start with 'postgresql://'"),
        ("postgresql://u:hunter2@h/db?sslmode", "write its parameter 'sslmode' as NAME=VALUE"),
        ("postgresql://h/db?user=u&password=x&hunter2", "not NAME=VALUE"),
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
