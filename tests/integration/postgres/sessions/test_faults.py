"""pg_sessions when the server is full, lost or frozen."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

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
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url
from tests.conftest import by_name
from tests.support.postgres import (
    Server,
    Throwaway,
    eventually,
)
from tests.support.sessions import Relieve, alive, half_way, pids, subjects


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


def lose_after_three(own: Throwaway, monkeypatch: pytest.MonkeyPatch, fault: str) -> list[int]:
    """Lose the server before the fourth session; the module's own backend is in the result."""
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
    return backends


@pytest.mark.parametrize("fault", ["stops", "freezes"])
def test_a_server_that_is_lost_in_the_middle(
    own: Throwaway, server: Server, operator: str, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    backends = lose_after_three(own, monkeypatch, fault)
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
        assert "3 of 8 sessions ended, 1 failed, 4 left alone; " in outcome.problem
        assert "how many connections are in use now is unknown" in outcome.problem
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
    own: Throwaway, server: Server, relief: Relieve
) -> None:
    with server.sessions(5, "worker") as worker:
        time.sleep(0.3)
        try:
            with half_way(relief(2, wait=3), worker, left=2) as answer:
                own.stop()
        finally:
            own.start()
    assert answer["failed"] is True
    assert answer["changed"] is True
    assert len(subjects(answer, "done")) == 3
    assert by_name(answer, "postgres.reachable")["status"] == "critical"


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
        assert "pg_terminate_backend was sent, but it is still connected" in answer["msg"]
        assert subjects(answer, "done") == pids(worker[1:2])
        assert answer["diff"]["after"].startswith(f"postgres.end_session pid {frozen}: ")
