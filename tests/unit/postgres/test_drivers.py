"""URLs of other drivers, translated by what the libpq that is loaded knows."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.drivers import (
    translate,
    with_libpq_scheme,
)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u@h/db",
        "postgresql://u@h/db",
        "PostgreSQL://u@h/db",
        "postgresql+psycopg2://u@h/db",
        "postgresql+asyncpg://u@h/db",
        "postgis://u@h/db",
        "jdbc:postgresql://u@h/db",
    ],
)
def test_schemes_of_other_drivers_mean_postgresql(url: str) -> None:
    assert with_libpq_scheme(url) == "postgresql://u@h/db"


def test_other_databases_are_not_postgresql() -> None:
    for url in ("mysql://h", "redis://h", "prisma://h", "jdbc:mysql://h", "postgresql:h", "h"):
        assert with_libpq_scheme(url) is None


@pytest.mark.parametrize(
    ("query", "translated"),
    [
        ("sslmode=no-verify", "sslmode=require"),
        ("sslmode=VERIFY_FULL", "sslmode=verify-full"),
        ("ssl=true", "sslmode=require"),
        ("ssl=true&sslmode=verify-full", "sslmode=verify-full"),
        ("ssl=false", "sslmode=disable"),
        ("ssl=no-verify", "sslmode=require"),
        ('ssl={"rejectUnauthorized":false}', "sslmode=require"),
        ("ssl=verify-full&sslmode=require", "sslmode=verify-full"),
        ("sslmode=require&sslaccept=strict", "sslmode=verify-full"),
        ("sslmode=require&sslaccept=accept_invalid_certs", "sslmode=require"),
        ("user=app&password=p%26q", "user=app&password=p%26q"),
        ("ApplicationName=shop", "application_name=shop"),
        ("connectTimeout=3", "connect_timeout=3"),
        ("targetServerType=preferSecondary", "target_session_attrs=prefer-standby"),
        ("tcpKeepAlive=true", "keepalives=1"),
        ("host=/run/postgresql", "host=/run/postgresql"),
        ("", ""),
    ],
)
def test_what_libpq_has_an_equivalent_for_is_translated(query: str, translated: str) -> None:
    assert translate(query) == (translated, [])


@pytest.mark.parametrize(
    "name",
    [
        "schema",
        "connection_limit",
        "pgbouncer",
        "pool_timeout",
        "supa",
        "pool",
        "currentSchema",
        "prepareThreshold",
        "binary_parameters",
        "default_query_exec_mode",
        "pool_max_conns",
        "search_path",
        "server_settings",
        "conn_max_age",
        "serverVersion",
        "workaround",
    ],
)
def test_what_libpq_does_not_know_is_left_out(name: str) -> None:
    assert translate(f"sslmode=prefer&{name}=1") == ("sslmode=prefer", [name])


def test_a_switch_for_tls_with_an_unknown_value_is_left_out() -> None:
    assert translate("ssl=maybe") == ("", ["ssl"])
