"""pg_sessions against real servers: exactly the right sessions go, and no other; on each version of PostgreSQL that is at hand."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extras
import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.connection import (
    Connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions import (
    apply as sessions_apply,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.operation import (
    relieve as relieve_server,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.plan import (
    make_plan,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.snapshot import (
    begin,
    collect,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url
from tests.conftest import RunModule, by_name
from tests.support.postgres import FOLDERS, Server, Throwaway, eventually, throwaway, wait

Relieve = Callable[..., dict[str, Any]]


@pytest.fixture(params=["", *FOLDERS], ids=lambda folder: folder or "demo", scope="module")
def own(request: pytest.FixtureRequest) -> Iterator[Throwaway]:
    """A server whose 100 slots nobody else uses."""
    programs = Path(request.param or request.getfixturevalue("stack").settings["bin"]["postgres"])
    found = re.search(
        r"\) (\d+)",
        subprocess.run(
            [programs / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout,
    )
    assert found
    more = {"reserved_connections": 2} if int(found[1]) >= 16 else {}
    with throwaway(programs, max_prepared_transactions=5, max_connections=100, **more) as server:
        made = Server(server)
        made.admin(
            "CREATE ROLE operator LOGIN PASSWORD 'of-operator-91e4' IN ROLE pg_monitor, pg_signal_backend",
            "CREATE ROLE rival LOGIN PASSWORD 'of-rival'",
        )
        yield server


@pytest.fixture
def server(own: Throwaway) -> Iterator[Server]:
    """The server, with no session but the test's own."""
    made = Server(own)
    end = time.monotonic() + 10  # those that a test has closed take a moment to go
    while made.admin(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    ) != [(0,)]:
        assert time.monotonic() < end
        time.sleep(0.02)
    yield made
    made.admin(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE backend_type IN ('client backend', 'walsender') AND pid <> pg_backend_pid()"
    )


@pytest.fixture
def usable(server: Server) -> int:
    return int(
        server.admin(
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
            " - coalesce(current_setting('reserved_connections', true), '0')::int"
        )[0][0]
    )


@pytest.fixture
def operator(server: Server) -> str:
    return server.url("operator", "of-operator-91e4")


@pytest.fixture
def relieve(server: Server, operator: str, usable: int, run_module: RunModule) -> Relieve:
    """Run the module as a role with pg_monitor and pg_signal_backend: ``relieve(40)`` leaves 40 sessions."""

    def run(
        leave: int = 0, url: str = operator, *, check: bool = False, **options: Any
    ) -> dict[str, Any]:
        given = {
            "database_url": url,
            "state": "relieved",
            "confirm": "shop",
            "usage": 100 * (leave + 0.5) / usable,
            "idle_age": 0.2,
            "wait": 0.3,
        }
        answer = run_module(
            "pg_sessions",
            {**given, "idle_in_transaction_age": 0.2, **options, "_ansible_diff": True},
            check=check,
        )
        assert "warnings" not in answer, answer["warnings"]
        said = json.dumps(answer)
        for secret in (
            server.own["password"],
            server.own["admin_password"],
            "of-operator-91e4",
            "hunter2",
        ):
            assert secret not in said
        return answer

    return run


def pids(connections: list[Any]) -> list[int]:
    return [connection.info.backend_pid for connection in connections]


def alive(server: Server, connections: list[Any]) -> list[int]:
    """Those of the sessions that are still there, in their order."""
    there = {pid for (pid,) in server.admin("SELECT pid FROM pg_stat_activity")}
    return [pid for pid in pids(connections) if pid in there]


def processes(connections: list[Any]) -> int:
    """How many of the sessions are still there, seen without taking a slot."""
    return sum(Path(f"/proc/{pid}").exists() for pid in pids(connections))


def subjects(answer: dict[str, Any], status: str) -> list[int]:
    return [
        int(action["subject"].split()[1])
        for action in answer["actions"]
        if action["status"] == status
    ]


@contextmanager
def sleeping(server: Server, count: int, application: str) -> Iterator[list[Any]]:
    """Sessions in the middle of a statement."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(server.running("SELECT pg_sleep(120)", application))
            for _ in range(count)
        ]


def test_of_sixty_sessions_of_three_apps_exactly_the_right_ones_go(
    server: Server, relieve: Relieve, usable: int
) -> None:
    with ExitStack() as stack:
        worker = stack.enter_context(server.sessions(20, "worker"))
        web = stack.enter_context(server.sessions(10, "web"))
        busy = stack.enter_context(sleeping(server, 10, "web"))
        report = stack.enter_context(server.sessions(20, "report"))
        for connection in report[:10]:
            connection.cursor().execute("SELECT 1")
        for connection in report[:5]:
            with pytest.raises(psycopg2.Error):
                connection.cursor().execute("SELECT 1/0")
        time.sleep(0.3)
        planned = relieve(40, check=True)
        assert planned["changed"] is True
        assert alive(server, [*worker, *web, *busy, *report]) == pids(
            [*worker, *web, *busy, *report]
        )
        assert "60 of" in by_name(planned, "postgres.relief")["summary"]
        done = relieve(40)
        expected = pids([*worker[:18], *web[:2]])
        assert subjects(planned, "planned") == subjects(done, "done") == expected
        assert alive(server, [*worker, *web, *busy, *report]) == pids(
            [*worker[18:], *web[2:], *busy, *report]
        )
        for answer in (planned, done):
            lines = answer["diff"]["before"].splitlines()
            assert sorted(int(line.split()[2].strip(":")) for line in lines) == sorted(expected)
        assert done["diff"]["after"] == ""
        check = by_name(done, "postgres.relief")
        assert check["status"] == "warning"
        assert (
            f"20 of 20 sessions ended: 60 → 40 of {usable} usable connections in use, at most 40 wanted"
            in check["summary"]
        )
        assert (
            "Lasting fix for app 'worker': ALTER ROLE app SET idle_session_timeout = '5min';"
            in check["remedy"]
        )
        assert by_name(done, "postgres.connections")["value"] == round(100 * 40 / usable, 1)
        evidence = by_name(done, "postgres.connections")["evidence"]
        assert {(row["application"], row["state"], row["count"]) for row in evidence} >= {
            ("web", "active", 10),
            ("report", "idle in transaction (aborted)", 5),
        }
        assert {row["client"] for row in evidence} == {"127.0.0.1"}
        again = relieve(40)
        assert (again["changed"], again["actions"]) == (False, [])
        assert "diff" not in again
        assert by_name(again, "postgres.relief")["status"] == "ok"


def test_check_mode_ends_nothing_and_says_who_is_at_fault(
    server: Server, operator: str, run_module: RunModule
) -> None:
    with server.sessions(20, "worker") as worker:
        time.sleep(0.3)
        answer = run_module(
            "pg_sessions",
            {
                "database_url": operator,
                "state": "relieved",
                "usage": 10,
                "idle_age": 0.2,
                "instances": 3,
            },
            check=True,
        )
        assert answer["confirmed"] is True
        assert len(subjects(answer, "planned")) == 11
        assert (
            "20 of them idle from app 'worker'"
            in by_name(answer, "postgres.connections")["summary"]
        )
        check = by_name(answer, "postgres.relief")
        assert check["status"] == "warning"
        assert "-e runbook_confirm=shop" in check["remedy"]
        assert "to 9 over all its instances (3 each with 3)" in check["remedy"]
        assert alive(server, worker) == pids(worker)


def test_a_session_used_between_plan_and_apply_survives(server: Server, operator: str) -> None:
    """The plan is made, then one session starts to work, one has worked, one has a pid that another one had, and one does nothing."""
    with (
        server.sessions(3, "worker") as (worked, stranger, idle),
        server.session(application="worker", autocommit=True) as forgetful,
    ):
        works = psycopg2.connect(server.url(), application_name="worker", async_=True)
        try:
            wait(works)
            forgetful.cursor().execute("BEGIN")
            time.sleep(0.3)
            connection = Connection(
                parse_url(operator), "gpt_agent.runbook/pg_sessions", Deadline(10)
            )
            connection.open()
            seen = collect(connection, begin(connection))
            plan = make_plan(seen.sessions, seen.slots, Options(0.1, 0.2, 0.2, 0, 50))
            chosen = {session["pid"]: dict(session) for session in plan.ended}
            assert sorted(chosen) == sorted(pids([worked, stranger, idle, forgetful, works]))
            works.cursor().execute("SELECT pg_sleep(60)")
            worked.cursor().execute("SELECT 1")
            worked.rollback()
            forgetful.cursor().execute("COMMIT")
            chosen[stranger.info.backend_pid]["started"] = "2020-01-01T00:00:00+00:00"
            time.sleep(0.2)
            told = {
                pid: sessions_apply.end_session(connection, session, seen)
                for pid, session in chosen.items()
            }
            connection.close()
            for each in (works, worked, forgetful):
                assert (
                    told[each.info.backend_pid].status,
                    told[each.info.backend_pid].reason.split(": ")[-1],
                ) == (
                    "skipped",
                    "it has been used since the plan was made",
                )
            assert told[stranger.info.backend_pid].status == "skipped"
            assert told[idle.info.backend_pid].status == "done"
            everyone = [works, worked, forgetful, stranger, idle]
            eventually(
                lambda: alive(server, everyone) == pids([works, worked, forgetful, stranger])
            )
        finally:
            works.close()


def test_protected_sessions_survive(server: Server, relieve: Relieve) -> None:
    server.admin("CREATE ROLE repl LOGIN REPLICATION PASSWORD 'of-repl'", "CREATE DATABASE other")
    try:
        with ExitStack() as stack:

            def session(application: str, url: str | None = None, *statements: str) -> Any:
                connection = stack.enter_context(server.session(url, application, autocommit=True))
                for statement in statements:
                    connection.cursor().execute(statement)
                return connection

            kept = {
                "super": session("super", server.admin_url),
                "repl": session("repl", server.url("repl", "of-repl")),
                "gpt_agent.runbook/pg_health": session("gpt_agent.runbook/pg_health"),
                "PgBouncer 1.23": session("PgBouncer 1.23"),
                "listener": session("listener", None, "/* hear */ LISTEN news"),
                "locker": session("locker", None, "SELECT pg_advisory_lock(7)"),
                "preparer": session(
                    "preparer", None, "BEGIN", "SELECT 1", "PREPARE TRANSACTION 'half'"
                ),
                "nightly-7": session("nightly-7"),
                "rival": session("rival", server.url("rival", "of-rival")),
                "elsewhere": session("elsewhere", server.url(database="other")),
                "socket": stack.enter_context(_through_the_socket(server)),
            }
            sender = psycopg2.connect(
                server.url("repl", "of-repl"),
                connection_factory=psycopg2.extras.PhysicalReplicationConnection,
            )
            stack.callback(sender.close)
            plain = session("plain")
            time.sleep(0.3)
            protect = {
                "applications": ["NIGHTLY-*"],
                "users": ["rival"],
                "databases": ["other"],
                "addresses": ["local", "10.0.0.0/8"],
            }
            answer = relieve(
                0,
                keep_per_application=0,
                **{f"protect_{what}": names for what, names in protect.items()},
            )
            assert subjects(answer, "done") == pids([plain])
            assert alive(server, [*kept.values(), plain, sender]) == pids([*kept.values(), sender])
            stay = {
                row["sessions_of"]: row["stay"]
                for row in by_name(answer, "postgres.relief")["evidence"]
            }
            reasons = {
                "super": "of a superuser",
                "repl": "of a replication role",
                "gpt_agent.runbook/pg_health": "of this collection",
                "PgBouncer 1.23": "of a connection pooler",
                "listener": "listening for notifications",
                "locker": "holding an advisory lock",
                "preparer": "with a prepared transaction",
                "nightly-7": "of a protected app, user or database",
                "rival": "of a protected app, user or database",
                "elsewhere": "of a protected app, user or database",
                "socket": "from a protected address",
            }
            assert stay == {f"app '{name}'": reason for name, reason in reasons.items()}
            assert "11 too many remain" in by_name(answer, "postgres.relief")["summary"]
            # Without the exceptions, those go that only they have protected.
            expected = pids([kept[name] for name in ("nightly-7", "rival", "elsewhere", "socket")])
            assert subjects(relieve(0, keep_per_application=0, check=True), "planned") == expected
    finally:
        server.admin("ROLLBACK PREPARED 'half'", database="shop")
        server.admin("DROP DATABASE other WITH (FORCE)", "DROP ROLE repl")


@contextmanager
def _through_the_socket(server: Server) -> Iterator[Any]:
    own = server.own
    connection = psycopg2.connect(
        host=own["socket_dir"],
        port=own["port"],
        user=own["user"],
        password=own["password"],
        dbname=own["database"],
        application_name="socket",
    )
    try:
        yield connection
    finally:
        connection.close()


def test_minimum_for_each_app_and_cap(server: Server, relieve: Relieve) -> None:
    with (
        server.sessions(8, "worker") as worker,
        server.sessions(4, "") as nameless,
        sleeping(server, 2, "web") as busy,
        server.sessions(3, "web") as web,
    ):
        time.sleep(0.3)
        answer = relieve(0, keep_per_application=3, max_ended=6)
        assert subjects(answer, "done") == pids([*worker[:5], nameless[0]])
        stay = {
            (row["sessions_of"], row["stay"]): row["count"]
            for row in by_name(answer, "postgres.relief")["evidence"]
        }
        last, beyond = "among the last 3 of their app", "beyond the 6 that one run may end"
        assert stay == {
            ("app 'worker'", last): 3,
            ("user 'app'", last): 3,
            ("app 'web'", beyond): 3,
        }
        # What works counts for the minimum, and is left alone.
        answer = relieve(0, keep_per_application=3)
        assert subjects(answer, "done") == pids(web[:2])
        assert alive(server, [*worker, *nameless, *busy, *web]) == pids(
            [*worker[5:], *nameless[1:], *busy, web[2]]
        )
        assert relieve(0, keep_per_application=3)["changed"] is False


def test_each_kind_of_idleness_has_its_own_age_and_can_be_switched_off(
    server: Server, relieve: Relieve
) -> None:
    with server.sessions(2, "worker") as idle, server.sessions(2, "forgetful") as forgetful:
        for connection in forgetful:
            connection.cursor().execute("SELECT 'hunter2'")
        with pytest.raises(psycopg2.Error):
            forgetful[1].cursor().execute("SELECT 1/0")
        time.sleep(0.3)
        free: dict[str, Any] = {"keep_per_application": 0, "check": True}
        assert subjects(relieve(0, **free), "planned") == pids([*idle, *forgetful])
        assert subjects(relieve(0, idle_in_transaction_age=0, **free), "planned") == pids(idle)
        assert subjects(relieve(0, idle_in_transaction_age=3600, **free), "planned") == pids(idle)
        answer = relieve(0, idle_age=0, keep_per_application=0)
        assert subjects(answer, "done") == pids(forgetful)
        assert alive(server, [*idle, *forgetful]) == pids(idle)
        assert (
            "ALTER ROLE app SET idle_in_transaction_session_timeout = '5min';"
            in by_name(answer, "postgres.relief")["remedy"]
        )


def test_a_role_with_a_limit_of_its_own_is_relieved(server: Server, relieve: Relieve) -> None:
    server.admin("ALTER ROLE rival CONNECTION LIMIT 10")
    try:
        with (
            server.sessions(5, "worker"),
            server.sessions(10, "rival", server.url("rival", "of-rival")) as rival,
        ):
            time.sleep(0.3)
            answer = relieve(usage=70)
            assert subjects(answer, "done") == pids(rival[:3])
            assert (
                "10 → 7 of 10 connections of role 'rival' in use, at most 7 wanted"
                in by_name(answer, "postgres.relief")["summary"]
            )
            assert by_name(answer, "postgres.connections", "role rival")["status"] == "ok"
    finally:
        server.admin("ALTER ROLE rival CONNECTION LIMIT -1")


# --- confirmation and rights ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("confirm", ["", "shopping"])
def test_without_the_right_confirmation_nothing_is_ended(
    server: Server, relieve: Relieve, confirm: str
) -> None:
    with server.sessions(5, "worker") as worker:
        time.sleep(0.3)
        answer = relieve(0, confirm=confirm)
        assert answer["failed"] is True
        assert "give 'shop'" in answer["msg"]
        assert answer["confirmed"] is False
        assert alive(server, worker) == pids(worker)


def test_without_the_right_to_see_nothing_is_ended(server: Server, relieve: Relieve) -> None:
    with (
        server.role("blind", "GRANT pg_signal_backend TO blind") as url,
        server.sessions(5, "worker") as worker,
    ):
        time.sleep(0.3)
        for check in (True, False):
            answer = relieve(0, url, check=check)
            assert (answer["failed"], answer["changed"], answer["actions"]) == (True, False, [])
            assert "GRANT pg_monitor TO blind" in answer["msg"]
            assert by_name(answer, "postgres.relief")["status"] == "critical"
            assert answer["confirmed"] is True
        assert alive(server, worker) == pids(worker)
        # Where there is nothing to relieve, nothing has to be seen.
        assert by_name(relieve(50, url), "postgres.relief")["status"] == "ok"


def test_a_view_that_may_not_be_read(server: Server, relieve: Relieve) -> None:
    server.admin("REVOKE SELECT ON pg_stat_activity FROM PUBLIC", database="shop")
    try:
        answer = relieve(0)
        assert answer["failed"] is True
        assert "Nothing was ended" in answer["msg"]
        assert "permission denied for view pg_stat_activity" in answer["msg"]
        looked = relieve(0, state="listed")
        assert (
            "failed" in looked,
            [(check["name"], check["status"]) for check in looked["checks"]],
        ) == (False, [("postgres.reachable", "ok"), ("postgres.connections", "unknown")])
    finally:
        server.admin("GRANT SELECT ON pg_stat_activity TO PUBLIC", database="shop")


def test_without_the_right_to_end_it_says_which_grant(server: Server, relieve: Relieve) -> None:
    with (
        server.role('"look only"', 'GRANT pg_monitor TO "look only"') as _,
        server.sessions(4, "worker") as worker,
    ):
        url = server.url("look only", 'of-"look only"')
        time.sleep(0.3)
        for check in (True, False):
            answer = relieve(2, url, check=check)
            assert (answer["failed"], answer["changed"]) == (True, False)
            assert 'GRANT pg_signal_backend TO "look only"' in answer["msg"]
            assert subjects(answer, "failed") == pids(worker[:2])
            assert by_name(answer, "postgres.relief")["status"] == "critical"
        assert alive(server, worker) == pids(worker)


def test_a_role_may_end_sessions_of_its_own_without_a_grant(
    server: Server, relieve: Relieve
) -> None:
    server.admin("GRANT pg_monitor TO app")
    try:
        with (
            server.sessions(2, "rival", server.url("rival", "of-rival")) as rival,
            server.sessions(3, "worker") as worker,
        ):
            time.sleep(0.3)
            answer = relieve(0, server.url(), keep_per_application=1)
            assert answer["failed"] is True
            assert "2 of 3 sessions ended, 1 failed" in answer["msg"]
            assert (subjects(answer, "failed"), subjects(answer, "done")) == (
                pids(rival[:1]),
                pids(worker[:2]),
            )
            assert by_name(answer, "postgres.relief")["status"] == "critical"
    finally:
        server.admin("REVOKE pg_monitor FROM app")


# --- full, gone, slow -------------------------------------------------------------------------------------------------


def test_with_all_ordinary_slots_taken(
    server: Server, relieve: Relieve, usable: int, operator: str
) -> None:
    with server.sessions(120, "worker") as worker:
        assert len(worker) == usable
        time.sleep(0.3)
        answer = relieve(90)
        assert answer["failed"] is True
        assert answer["msg"].startswith("Nothing was ended: PostgreSQL at 127.0.0.1:")
        assert "out of connection slots" in answer["msg"]
        assert "superuser" in answer["msg"]
        assert by_name(answer, "postgres.reachable")["status"] == "critical"
        assert answer["confirmed"] is True, "then a restart of the app is what helps"
        assert relieve(90, confirm="shopping")["confirmed"] is False
        looked = relieve(90, state="listed")
        assert "confirmed" not in looked
        assert ("failed" in looked, by_name(looked, "postgres.reachable")["status"]) == (
            False,
            "critical",
        )
        if usable < 97:  # reserved_connections are there from PostgreSQL 16 on
            server.admin("GRANT pg_use_reserved_connections TO operator")
            try:
                assert subjects(relieve(90), "done") == pids(worker[: usable - 90])
            finally:
                server.admin("REVOKE pg_use_reserved_connections FROM operator")
        assert subjects(relieve(80, server.admin_url), "done")
        assert len(alive(server, worker)) == 80
        assert by_name(relieve(80), "postgres.relief")["status"] == "ok"


def test_even_the_reserved_slots_taken(server: Server, relieve: Relieve) -> None:
    with server.sessions(120, "worker"), server.sessions(10, "admin", server.admin_url):
        answer = relieve(80, server.admin_url)
        assert answer["failed"] is True
        assert "Nothing was ended" in answer["msg"]
        assert "out of connection slots" in answer["msg"]


@pytest.mark.parametrize("fault", ["stops", "freezes"])
def test_a_server_that_is_lost_in_the_middle(
    own: Throwaway, server: Server, operator: str, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    really_end = sessions_apply.end_session
    ended: list[int] = []
    backends: list[int] = []

    def end(connection: Connection, session: Any, seen: Any) -> Any:
        backends[:] = [connection.pid]
        if len(ended) == 3 and fault == "stops":
            own.stop()
        elif len(ended) == 3:
            os.kill(connection.pid, signal.SIGSTOP)
        ended.append(session["pid"])
        return really_end(connection, session, seen)

    monkeypatch.setattr(sessions_apply, "end_session", end)
    with server.sessions(10, "worker") as worker:
        time.sleep(0.3)
        connection = Connection(parse_url(operator), "gpt_agent.runbook/pg_sessions", Deadline(3))
        options = Options(2.2, 0.2, 0.2, 0, 50, confirm="shop", wait=0.2)
        try:
            outcome = relieve_server(connection, options, Thresholds(CHECKS), check_mode=False)
            connection.close()
        finally:
            if fault == "stops":
                own.start()
            else:
                os.kill(backends[0], signal.SIGCONT)
        assert [action.status for action in outcome.actions] == ["done"] * 3 + ["failed"] + [
            "skipped"
        ] * 4
        assert [action.subject for action in outcome.actions] == [
            f"pid {pid}" for pid in pids(worker)[:8]
        ]
        assert outcome.actions[3].reason.endswith("whether it has ended is unknown")
        assert outcome.changed
        assert (
            "3 of 8 sessions ended, 1 failed, 4 left alone; how many connections are in use now is unknown"
            in outcome.problem
        )
        assert [(check.name, check.status) for check in outcome.checks] == [
            ("postgres.reachable", "critical")
        ]
        if fault == "freezes":
            eventually(lambda: not Path(f"/proc/{backends[0]}").exists())


def test_what_was_found_is_told_even_if_the_server_freezes_at_the_end(
    server: Server, operator: str
) -> None:
    connection = Connection(parse_url(operator), "gpt_agent.runbook/pg_sessions", Deadline(1))
    connection.open()
    connection.begin("itself", "SELECT 1")
    pid = connection.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        connection.close()  # raises nothing
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: not Path(f"/proc/{pid}").exists())


def test_a_server_that_stops_while_it_waits(
    own: Throwaway, server: Server, relieve: Relieve
) -> None:
    with server.sessions(5, "worker") as worker:
        time.sleep(0.3)
        answers: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: answers.append(relieve(2, wait=4)))
        thread.start()
        try:
            eventually(lambda: processes(worker) == 2)
            own.stop()
            thread.join(30)
        finally:
            own.start()
    assert answers[0]["failed"] is True
    assert answers[0]["changed"] is True
    assert len(subjects(answers[0], "done")) == 3
    assert by_name(answers[0], "postgres.reachable")["status"] == "critical"


def test_a_session_that_does_not_go_is_a_failure(server: Server, relieve: Relieve) -> None:
    with server.sessions(3, "worker") as worker:
        time.sleep(0.3)
        frozen = worker[0].info.backend_pid
        os.kill(frozen, signal.SIGSTOP)
        try:
            answer = relieve(1, keep_per_application=0)
        finally:
            os.kill(frozen, signal.SIGCONT)
        assert answer["failed"] is True
        assert subjects(answer, "failed") == [frozen]
        assert "it was told to end but is still there" in answer["msg"]
        assert subjects(answer, "done") == pids(worker[1:2])
        assert answer["diff"]["after"].startswith(f"postgres.end_session pid {frozen}: ")


def test_an_app_that_comes_back_is_told(server: Server, relieve: Relieve) -> None:
    with ExitStack() as stack:
        worker = stack.enter_context(server.sessions(8, "worker"))
        time.sleep(0.3)
        answers: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: answers.append(relieve(4, wait=3)))
        thread.start()
        eventually(lambda: processes(worker) == 4)
        stack.enter_context(server.sessions(3, "worker"))
        stack.enter_context(server.sessions(1, "other"))
        thread.join(30)
        check = by_name(answers[0], "postgres.relief")
        assert "3 sessions of app 'worker' reconnected since" in check["summary"]
        assert "8 → 8 of" in check["summary"]
        assert "4 too many remain" in check["summary"]
        assert check["status"] == "warning"


def test_two_runs_at_once_are_one(server: Server, relieve: Relieve) -> None:
    with server.sessions(8, "worker") as worker:
        time.sleep(0.3)
        answers: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: answers.append(relieve(6, wait=4)))
        thread.start()
        eventually(lambda: processes(worker) == 6)
        for database in ("shop", "postgres"):  # locks are a database's own, the slots are not
            second = relieve(
                4, server.url("operator", "of-operator-91e4", database), confirm=database
            )
            assert second["failed"] is True
            assert "another run is ending sessions of this server: pid " in second["msg"]
            assert (second["changed"], second["actions"]) == (False, [])
        thread.join(30)
        assert len(subjects(answers[0], "done")) == 2
        assert len(alive(server, worker)) == 6


def test_on_a_standby(own: Throwaway, server: Server, relieve: Relieve) -> None:
    own.stop("fast")
    signal_file = own.home / "data" / "standby.signal"
    signal_file.touch()
    own.identity.own(signal_file)
    own.start()
    try:
        assert server.admin("SELECT pg_is_in_recovery()") == [(True,)]
        with server.sessions(6, "worker") as worker:
            time.sleep(0.3)
            assert subjects(relieve(4), "done") == pids(worker[:2])
    finally:
        server.admin("SELECT pg_promote()")


# --- hostile ----------------------------------------------------------------------------------------------------------

NAMES = [
    "it's",
    'say "hi"',
    "100%s %(pid)s %",
    "a\nb\rc",
    "\x1b[31mred\x1b[0m",
    "x'); DROP ROLE app; --",
    "{{ 7 * 7 }}",
    "password=hunter2",
    "*",
    "[a-z]*",
]


def test_hostile_application_names_are_data(server: Server, relieve: Relieve) -> None:
    with ExitStack() as stack:
        sessions = [stack.enter_context(server.session(application=name)) for name in NAMES]
        time.sleep(0.3)
        answer = relieve(0, keep_per_application=0, protect_applications=["[a-z]*"])
        # A pattern is one of the operator's, never one of a session's.
        kept = [name for name in NAMES if re.match("[a-z]", name)]
        assert alive(server, sessions) == [
            connection.info.backend_pid for name, connection in zip(NAMES, sessions) if name in kept
        ]
        assert len(subjects(answer, "done")) == len(NAMES) - len(kept)
        assert relieve(0, keep_per_application=0)["changed"] is True
        said = json.dumps(answer, ensure_ascii=False)
        assert "49" not in [action["reason"].split("'")[1] for action in answer["actions"]]
        assert "\n" not in "".join(action["reason"] for action in answer["actions"])
        assert "\\u001b" not in said


def test_a_hostile_role_and_search_path(server: Server, relieve: Relieve) -> None:
    name = 'the "odd" role; %s'
    quoted = '"the ""odd"" role; %s"'
    server.admin(
        f"CREATE ROLE {quoted} LOGIN PASSWORD 'of-odd'",
        f"ALTER ROLE {quoted} SET standard_conforming_strings = off",
    )
    server.admin(
        "CREATE SCHEMA hostile",
        "CREATE FUNCTION hostile.pg_terminate_backend(integer) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$",
        "CREATE VIEW hostile.pg_stat_activity AS SELECT 1 AS pid",
        "GRANT USAGE ON SCHEMA hostile TO operator",
        "ALTER ROLE operator SET search_path = hostile, pg_catalog",
        "ALTER ROLE operator SET standard_conforming_strings = off",
        "ALTER ROLE operator SET datestyle = 'SQL, DMY'",
        database="shop",
    )
    try:
        with (
            server.sessions(4, "worker", server.url(name, "of-odd")) as worker,
            server.session(application="list en", autocommit=True) as listener,
        ):
            listener.cursor().execute("LISTEN news")
            time.sleep(0.3)
            answer = relieve(3)
            assert subjects(answer, "done") == pids(worker[:2])
            assert (
                f"ALTER ROLE {quoted} SET idle_session_timeout"
                in by_name(answer, "postgres.relief")["remedy"]
            )
            assert alive(server, [*worker, listener]) == pids([*worker[2:], listener])
    finally:
        server.admin("ALTER ROLE operator RESET ALL", database="shop")
        server.admin("DROP SCHEMA hostile CASCADE", f"DROP ROLE {quoted}", database="shop")


def test_sessions_that_do_not_tell_what_they_do_are_left_alone(
    server: Server, relieve: Relieve
) -> None:
    server.admin("ALTER ROLE rival SET track_activities = off")
    try:
        with (
            server.sessions(3, "secretive", server.url("rival", "of-rival")) as secretive,
            server.sessions(3, "worker") as worker,
        ):
            time.sleep(0.3)
            answer = relieve(0, keep_per_application=0)
            assert subjects(answer, "done") == pids(worker)
            assert alive(server, secretive) == pids(secretive)
            assert (
                "3 too many remain: 3 active, in an unknown state, or idle for less than 0.2 s"
                in by_name(answer, "postgres.relief")["summary"]
            )
    finally:
        server.admin("ALTER ROLE rival RESET track_activities")
