"""pg_health against a real PostgreSQL: healthy, refused, frozen, crowded, restricted, hostile; and well again afterwards."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import (
    Deadline,
    DeadlineExceeded,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.connection import (
    Connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.collect import (
    History,
    collect,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url
from tests.conftest import SERVER_CHECKS, RunModule, by_name
from tests.support.postgres import Server, database, eventually, run_sql, slow_to_vacuum, until

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def server(stack: Any) -> Server:
    return Server(stack)


@pytest.fixture
def ask(server: Server, run_module: RunModule, tmp_path: Path) -> Ask:
    """Run the module as the app's user, with a state folder of the test's own."""

    def run(url: str | None = None, *, check: bool = False, **options: Any) -> dict[str, Any]:
        answer = run_module(
            "pg_health",
            {"database_url": url or server.url(), "state_dir": str(tmp_path / "state"), **options},
            check=check,
        )
        assert answer.get("changed") is False, answer
        assert "warnings" not in answer, answer["warnings"]
        said = json.dumps(answer)
        assert server.own["password"] not in said
        assert server.own["admin_password"] not in said
        return answer

    return run


def unreachable(answer: dict[str, Any]) -> dict[str, Any]:
    """The one check of a server that cannot be asked."""
    assert [check["name"] for check in answer["checks"]] == ["postgres.reachable"], answer["checks"]
    check: dict[str, Any] = answer["checks"][0]
    assert check["status"] == "critical"
    assert check["remedy"]
    return check


def assert_well(answer: dict[str, Any]) -> None:
    assert {check["name"] for check in answer["checks"]} == SERVER_CHECKS
    assert [check for check in answer["checks"] if check["status"] not in ("ok", "unknown")] == []


# --- healthy ------------------------------------------------------------------------------------------------------


def test_a_healthy_server(server: Server, ask: Ask) -> None:
    for _ in range(3):
        server.admin("SELECT count(*) FROM pg_class c, generate_series(1, 20)")
    answer = ask()
    assert {check["name"] for check in answer["checks"]} == SERVER_CHECKS
    assert {
        check["name"]: check["summary"] for check in answer["checks"] if check["status"] != "ok"
    } == {}
    assert (
        f"at 127.0.0.1:{server.own['port']} answers"
        in by_name(answer, "postgres.reachable")["summary"]
    )


def test_through_the_socket_from_another_database_and_as_administrator(
    server: Server, ask: Ask
) -> None:
    own = server.own
    path = f"postgresql://{own['user']}:{own['password']}@/postgres?host={own['socket_dir']}&port={own['port']}"
    answer = ask(path)
    assert_well(answer)
    assert (
        f"at socket {own['socket_dir']}, port {own['port']}"
        in by_name(answer, "postgres.reachable")["summary"]
    )
    assert_well(ask(server.admin_url))


def test_check_mode_says_the_same_and_keeps_nothing(ask: Ask, tmp_path: Path) -> None:
    assert_well(ask(check=True))
    assert not (tmp_path / "state").exists()
    assert_well(ask())
    files = list((tmp_path / "state").iterdir())
    assert len(files) == 2
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_the_state_holds_no_secret_and_the_next_run_judges_what_came_since(
    server: Server, ask: Ask, tmp_path: Path
) -> None:
    assert "since" in by_name(ask(), "postgres.query_time_mean")["window"]
    for file in (tmp_path / "state").iterdir():
        text = file.read_text()
        assert server.own["password"] not in text
        kept = json.loads(text)
        for sample in kept["samples"]:
            sample["time"] -= 3600
        file.write_text(json.dumps(kept))
    server.admin(
        *["SELECT 'marked', pg_sleep(0.01)"] * 25,
        "SELECT count(*) FROM pg_class c, generate_series(1, 20)",
        *["VACUUM pg_class"] * 30,
    )
    answer = ask()
    mean = by_name(answer, "postgres.query_time_mean")
    assert not any(row["statement"].startswith("VACUUM") for row in mean["evidence"]), (
        "nobody's request waits for it"
    )
    assert mean["window"].endswith("/PT1H")
    assert mean["value"] > 0
    assert any(row["calls"] == 25 and "pg_sleep" in row["statement"] for row in mean["evidence"]), (
        mean
    )
    assert "marked" not in json.dumps(mean)
    assert by_name(answer, "postgres.deadlocks")["window"].endswith("/PT1H")


def test_it_names_itself_and_takes_few_round_trips(server: Server, tmp_path: Path) -> None:
    connection = Connection(parse_url(server.url()), "gpt_agent.runbook/pg_health", Deadline(10))
    try:
        connection.open()
        collect(Options(), connection, History(str(tmp_path), "test", "x"))
        show = (
            "SELECT current_setting('application_name'), "
            "current_setting('transaction_read_only'), current_setting('lock_timeout')"
        )
        assert connection.rows("itself", show) == [("gpt_agent.runbook/pg_health", "on", "100ms")]
    finally:
        connection.close()
    assert connection.round_trips - 1 <= 8


# --- refused ------------------------------------------------------------------------------------------------------


def test_a_stopped_server_and_its_recovery(stack: Any, server: Server, ask: Ask) -> None:
    stack.stop("postgres")
    try:
        assert unreachable(ask())["summary"] == (
            f"PostgreSQL at 127.0.0.1:{server.own['port']} refuses the connection: "
            f"nothing listens there"
        )
        own = server.own
        socket_url = f"postgresql://{own['user']}:{own['password']}@/x?host={own['socket_dir']}&port={own['port']}"
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


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """Something that is no PostgreSQL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def serve() -> None:
            try:
                while True:
                    peer, _ = listener.accept()
                    peer.recv(100)
                    answer(peer)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


# --- frozen -------------------------------------------------------------------------------------------------------


def test_a_frozen_server_is_told_within_the_time_limit(
    stack: Any, server: Server, ask: Ask
) -> None:
    own = server.own
    pid = stack.pid("postgres")
    os.kill(pid, signal.SIGSTOP)
    try:
        for url in (
            server.url(),
            f"postgresql://{own['user']}:{own['password']}@/{own['database']}?host={own['socket_dir']}&port={own['port']}",
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


# --- crowded ------------------------------------------------------------------------------------------------------


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


# --- sessions -----------------------------------------------------------------------------------------------------

SOON = {
    "postgres.idle_in_transaction": {"warning": 0.2, "critical": 3600},
    "postgres.long_transactions": {"warning": 0.2, "critical": 3600},
}


def test_a_session_idle_in_a_transaction(server: Server, ask: Ask) -> None:
    with server.session(application="forgetful") as connection:
        connection.cursor().execute("SELECT 'hunter2' AS secret, 42")
        time.sleep(0.3)
        answer = ask(thresholds=SOON)
        check = by_name(answer, "postgres.idle_in_transaction")
        assert check["status"] == "warning"
        assert check["summary"].startswith("1 session is idle in a transaction, the longest for ")
        assert check["summary"].endswith(f": app 'forgetful', pid {connection.info.backend_pid}")
        assert check["evidence"][0]["statement"] == "SELECT ? AS secret, ?"
        assert by_name(answer, "postgres.long_transactions")["status"] == "warning"
        assert "hunter2" not in json.dumps(answer)
    assert by_name(ask(thresholds=SOON), "postgres.idle_in_transaction")["status"] == "ok"


def test_a_long_transaction(server: Server, ask: Ask) -> None:
    with server.running("SELECT pg_sleep(30), 'hunter2'", "report"):
        time.sleep(0.3)
        answer = ask(thresholds=SOON)
        check = by_name(answer, "postgres.long_transactions")
        assert check["status"] == "warning"
        assert "app 'report'" in check["summary"]
        assert check["evidence"][0]["statement"] == "SELECT pg_sleep(?), ?"
        assert by_name(answer, "postgres.idle_in_transaction")["status"] == "ok"
        assert "hunter2" not in json.dumps(answer)


def test_a_vacuum_may_take_its_time(server: Server, ask: Ask) -> None:
    with database(server, "vacuumed") as url:
        run_sql(url, *slow_to_vacuum("t"))
        with server.running(
            "VACUUM t",
            url=f"{url}?options={quote('-c vacuum_cost_delay=80 -c vacuum_cost_limit=20')}",
        ):
            until(server, "SELECT 1 FROM pg_stat_progress_vacuum")
            time.sleep(0.3)
            assert by_name(ask(thresholds=SOON), "postgres.long_transactions")["status"] == "ok"


def test_a_backup_may_take_its_time(server: Server, ask: Ask) -> None:
    with server.session(application="pg_dump") as connection:
        connection.cursor().execute("SELECT 1")
        time.sleep(0.3)
        answer = ask(thresholds=SOON)
        assert (
            by_name(answer, "postgres.long_transactions")["summary"]
            == "No transaction is open (1 of ignored applications not counted)"
        )
        assert by_name(answer, "postgres.idle_in_transaction")["status"] == "ok"
        assert (
            by_name(ask(thresholds=SOON, ignore_applications=[]), "postgres.idle_in_transaction")[
                "status"
            ]
            == "warning"
        )


def test_a_deadlock_is_counted(server: Server, ask: Ask) -> None:
    server.admin("SELECT pg_stat_reset()", database=server.own["database"])
    server.admin(
        "DROP TABLE IF EXISTS tangle",
        "CREATE TABLE tangle AS SELECT n FROM generate_series(1, 2) AS n",
        database=server.own["database"],
    )
    admin = server.admin_url
    try:
        with server.session(admin) as first, server.session(admin) as second:
            first.cursor().execute("UPDATE tangle SET n = n WHERE n = 1")
            second.cursor().execute("UPDATE tangle SET n = n WHERE n = 2")
            lost: list[Exception] = []

            def cross() -> None:
                try:
                    first.cursor().execute("UPDATE tangle SET n = n WHERE n = 2")
                except psycopg2.Error as error:
                    lost.append(error)

            thread = threading.Thread(target=cross)
            thread.start()
            try:
                second.cursor().execute("UPDATE tangle SET n = n WHERE n = 1")
            except psycopg2.Error as error:
                lost.append(error)
            second.rollback()
            thread.join(20)
            assert [error.pgcode for error in lost if isinstance(error, psycopg2.Error)] == [
                "40P01"
            ]
        eventually(lambda: by_name(ask(), "postgres.deadlocks")["value"] == 1)
        check = by_name(ask(), "postgres.deadlocks")
        assert (check["status"], check["evidence"]) == (
            "warning",
            [{"database": server.own["database"], "deadlocks_since_reset": 1}],
        )
    finally:
        server.admin("DROP TABLE tangle", "SELECT pg_stat_reset()", database=server.own["database"])
    eventually(lambda: by_name(ask(), "postgres.deadlocks")["status"] == "ok")


# --- restricted and hostile ---------------------------------------------------------------------------------------


def test_a_role_that_may_only_connect_says_what_it_cannot_see(server: Server, ask: Ask) -> None:
    with server.role("plain") as url, server.session(application="someone"):
        answer = ask(url)
        assert {check["name"] for check in answer["checks"]} == SERVER_CHECKS
        for name in ("postgres.idle_in_transaction", "postgres.long_transactions"):
            check = by_name(answer, name)
            assert check["status"] == "unknown"
            assert "role 'plain' lacks permission to see other users' sessions" in check["summary"]
            assert check["remedy"] == 'As a superuser: GRANT pg_monitor TO "plain".'
        connections = by_name(answer, "postgres.connections")
        assert connections["status"] == "ok"
        assert connections["value"] == by_name(ask(), "postgres.connections")["value"]
        assert {row["application"] for row in connections["evidence"]} >= {"someone"}
        statements = {
            row["statement"] for row in by_name(answer, "postgres.query_time_mean")["evidence"]
        }
        assert "(hidden from role 'plain': GRANT pg_monitor shows it)" in statements
        server.admin("GRANT pg_monitor TO plain")
        assert_well(ask(url))
        assert by_name(ask(url), "postgres.long_transactions")["status"] == "ok"


def test_views_that_a_role_may_not_read_are_unknown_one_by_one(server: Server, ask: Ask) -> None:
    with server.role("blind") as url:
        database = server.own["database"]
        rights = (
            "SELECT ON pg_stat_activity",
            "ALL ON FUNCTION pg_stat_statements(boolean)",
            "ALL ON FUNCTION pg_control_system()",
        )
        server.admin(*(f"REVOKE {right} FROM PUBLIC" for right in rights), database=database)
        try:
            answer = ask(url)
        finally:
            server.admin(*(f"GRANT {right} TO PUBLIC" for right in rights), database=database)
        unknown = {
            check["name"]: check for check in answer["checks"] if check["status"] == "unknown"
        }
        assert set(unknown) == {
            f"postgres.{name}"
            for name in (
                "connections",
                "idle_in_transaction",
                "long_transactions",
                "query_time_mean",
            )
        }
        assert (
            "permission denied for view pg_stat_activity"
            in unknown["postgres.connections"]["summary"]
        )
        assert 'GRANT pg_monitor TO "blind"' in unknown["postgres.connections"]["remedy"]


def test_pg_stat_statements_that_is_missing_or_elsewhere(server: Server, ask: Ask) -> None:
    server.admin('CREATE DATABASE "Odd one"')
    try:
        check = by_name(ask(server.url(database="Odd one")), "postgres.query_time_mean")
        assert check["status"] == "unknown"
        assert "is not installed in database 'Odd one'" in check["summary"]
        assert "CREATE EXTENSION pg_stat_statements" in check["remedy"]
        server.admin(
            'CREATE SCHEMA "Odd 100% place"',
            'CREATE EXTENSION pg_stat_statements SCHEMA "Odd 100% place"',
            database="Odd one",
        )
        server.admin(
            'GRANT USAGE ON SCHEMA "Odd 100% place" TO PUBLIC',
            *["SELECT 1"] * 20,
            database="Odd one",
        )
        check = by_name(ask(server.url(database="Odd one")), "postgres.query_time_mean")
        assert check["status"] != "unknown", check
        assert check["evidence"]
    finally:
        server.admin('DROP DATABASE "Odd one" WITH (FORCE)')


def test_a_hostile_search_path_and_timeouts_of_the_role_change_nothing(
    server: Server, ask: Ask
) -> None:
    database = server.own["database"]
    with server.role("victim", "GRANT pg_monitor TO victim") as url:
        server.admin(
            "CREATE SCHEMA hostile",
            "CREATE VIEW hostile.pg_stat_activity AS SELECT 'fake' AS query",
            "CREATE VIEW hostile.pg_stat_database AS SELECT 'fake' AS datname",
            (
                "CREATE FUNCTION hostile.current_setting(text) RETURNS text LANGUAGE sql "
                "AS $$ SELECT 'fake' $$"
            ),
            (
                "CREATE FUNCTION hostile.pg_is_in_recovery() RETURNS boolean LANGUAGE "
                "sql AS $$ SELECT true $$"
            ),
            (
                "CREATE FUNCTION hostile.age(xid) RETURNS integer LANGUAGE sql AS $$ "
                "SELECT 2000000000 $$"
            ),
            "GRANT USAGE ON SCHEMA hostile TO victim",
            "GRANT SELECT ON ALL TABLES IN SCHEMA hostile TO victim",
            "ALTER ROLE victim SET search_path = hostile, pg_catalog",
            "ALTER ROLE victim SET statement_timeout = '1ms'",
            "ALTER ROLE victim SET idle_in_transaction_session_timeout = '1ms'",
            "ALTER ROLE victim SET default_transaction_isolation = 'serializable'",
            database=database,
        )
        try:
            with server.session(url) as connection:
                cursor = connection.cursor()
                cursor.execute("SHOW search_path")
                assert cursor.fetchone() == ("hostile, pg_catalog",)
            answer = ask(url)
            assert_well(answer)
            assert "(primary," in by_name(answer, "postgres.reachable")["summary"]
            assert "fake" not in json.dumps(answer)
        finally:
            server.admin("DROP SCHEMA hostile CASCADE", database=database)


def test_a_lock_on_every_table_keeps_it_from_nothing(server: Server, ask: Ask) -> None:
    database = server.own["database"]
    tables = [
        name
        for (name,) in server.admin(
            (
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE "
                "schemaname = 'public'"
            ),
            database=database,
        )
    ]
    assert tables
    with server.session(server.admin_url) as connection:
        connection.cursor().execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        assert_well(ask())


def test_a_lock_on_what_it_has_to_read_costs_it_that_answer_alone(server: Server, ask: Ask) -> None:
    with server.session(server.admin_url) as connection:
        connection.cursor().execute(
            "LOCK TABLE pg_catalog.pg_stat_archiver IN ACCESS EXCLUSIVE MODE"
        )
        answer = ask()
    unknown = {
        check["name"]: check["summary"]
        for check in answer["checks"]
        if check["status"] == "unknown"
    }
    assert set(unknown.values()) == {
        "Unknown: another session holds a lock on a relation that must be read"
    }
    assert set(unknown) == {"postgres.replication", "postgres.archiver"}


def test_a_lock_that_lets_nobody_log_in_is_told_within_the_time_limit(
    server: Server, ask: Ask
) -> None:
    with server.session(server.admin_url) as connection:
        connection.cursor().execute(
            "LOCK TABLE pg_catalog.pg_authid, pg_catalog.pg_database IN ACCESS EXCLUSIVE MODE"
        )
        check = unreachable(ask(timeout=1))
    assert "takes the connection but does not answer within 1 s" in check["summary"]
    assert_well(ask())


def test_its_settings_do_not_outlive_its_transaction(server: Server) -> None:
    """A pooler gives the same connection to the next client."""
    connection = Connection(parse_url(server.url()), "test", Deadline(10))
    connection.open()
    try:
        show = (
            "SELECT concat_ws(' ', current_setting('search_path'), "
            "current_setting('statement_timeout'), "
            "current_setting('transaction_read_only'))"
        )
        before = connection._ask(show)
        assert connection.begin("itself", show) != before
        connection._ask("COMMIT")
        assert connection._ask(show) == before
    finally:
        connection.close()


def test_two_at_once_do_not_disturb_each_other(ask: Ask) -> None:
    answers: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 3
    for answer in answers:
        assert_well(answer)


def test_limits_are_the_operators(ask: Ask) -> None:
    check = by_name(
        ask(thresholds={"postgres.wraparound": {"warning": 1, "critical": 2}}),
        "postgres.wraparound",
    )
    assert check["status"] == "critical"
    assert {row["database"] for row in check["evidence"]} >= {"template0", "template1"}
