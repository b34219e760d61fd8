"""pg_sessions spares what is protected, in use, or does not show its state."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg2
import psycopg2.extras

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.connection import (
    Connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions import (
    apply as sessions_apply,
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
from tests.conftest import by_name
from tests.support.postgres import (
    Server,
    eventually,
    wait,
)
from tests.support.sessions import Relieve, alive, pids, subjects


def test_a_session_used_between_plan_and_apply_survives(server: Server, operator: str) -> None:
    """After the plan one session works, one has worked, one got another's pid, one stays idle."""
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
            _use(works, worked, forgetful)
            chosen[stranger.info.backend_pid]["started"] = "2020-01-01T00:00:00+00:00"
            time.sleep(0.2)
            told = {
                pid: sessions_apply.end_session(connection, session, seen)
                for pid, session in chosen.items()
            }
            connection.close()
            for each in (works, worked, forgetful):
                action = told[each.info.backend_pid]
                assert action.status == "skipped"
                assert action.reason.endswith(": it has been used since the plan was made")
            assert told[stranger.info.backend_pid].status == "skipped"
            assert told[idle.info.backend_pid].status == "done"
            everyone = [works, worked, forgetful, stranger, idle]
            eventually(
                lambda: alive(server, everyone) == pids([works, worked, forgetful, stranger])
            )
        finally:
            works.close()


def _use(works: Any, worked: Any, forgetful: Any) -> None:
    works.cursor().execute("SELECT pg_sleep(60)")
    worked.cursor().execute("SELECT 1")
    worked.rollback()
    forgetful.cursor().execute("COMMIT")


#: What protects the session of each app, of those in `_protected_sessions`.
PROTECTED = {
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
#: Options that protect some of them, and which these are.
PROTECT = {
    "protect_applications": ["NIGHTLY-*"],
    "protect_users": ["rival"],
    "protect_databases": ["other"],
    "protect_addresses": ["local", "10.0.0.0/8"],
}
BY_OPTION = ("nightly-7", "rival", "elsewhere", "socket")


def _protected_sessions(server: Server, stack: ExitStack) -> dict[str, Any]:
    """A session for each app in `PROTECTED`."""

    def session(application: str, url: str | None = None, *statements: str) -> Any:
        connection = stack.enter_context(server.session(url, application, autocommit=True))
        for statement in statements:
            connection.cursor().execute(statement)
        return connection

    prepare = ("BEGIN", "SELECT 1", "PREPARE TRANSACTION 'half'")
    return {
        "super": session("super", server.admin_url),
        "repl": session("repl", server.url("repl", "of-repl")),
        "gpt_agent.runbook/pg_health": session("gpt_agent.runbook/pg_health"),
        "PgBouncer 1.23": session("PgBouncer 1.23"),
        "listener": session("listener", None, "/* hear */ LISTEN news"),
        "locker": session("locker", None, "SELECT pg_advisory_lock(7)"),
        "preparer": session("preparer", None, *prepare),
        "nightly-7": session("nightly-7"),
        "rival": session("rival", server.url("rival", "of-rival")),
        "elsewhere": session("elsewhere", server.url(database="other")),
        "socket": stack.enter_context(_through_the_socket(server)),
    }


def test_protected_sessions_survive(server: Server, relieve: Relieve) -> None:
    server.admin("CREATE ROLE repl LOGIN REPLICATION PASSWORD 'of-repl'", "CREATE DATABASE other")
    try:
        with ExitStack() as stack:
            kept = _protected_sessions(server, stack)
            sender = psycopg2.connect(
                server.url("repl", "of-repl"),
                connection_factory=psycopg2.extras.PhysicalReplicationConnection,
            )
            stack.callback(sender.close)
            plain = stack.enter_context(server.session(None, "plain", autocommit=True))
            time.sleep(0.3)
            answer = relieve(0, keep_per_application=0, **PROTECT)
            assert subjects(answer, "done") == pids([plain])
            assert alive(server, [*kept.values(), plain, sender]) == pids([*kept.values(), sender])
            stay = {
                row["sessions_of"]: row["stay"]
                for row in by_name(answer, "postgres.relief")["evidence"]
            }
            assert stay == {f"app '{name}'": reason for name, reason in PROTECTED.items()}
            assert "11 too many remain" in by_name(answer, "postgres.relief")["summary"]
            # Without the options, those are ended that only an option has protected.
            expected = pids([kept[name] for name in BY_OPTION])
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
        "CREATE FUNCTION hostile.pg_terminate_backend(integer) RETURNS boolean"
        " LANGUAGE sql AS $$ SELECT true $$",
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
