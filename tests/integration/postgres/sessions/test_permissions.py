"""pg_sessions ends nothing without the confirmation and the permissions it needs."""

from __future__ import annotations

import time

import pytest

from tests.conftest import by_name
from tests.support.postgres import (
    Server,
)
from tests.support.sessions import Relieve, alive, half_way, pids, subjects


@pytest.mark.parametrize("confirm", ["", "shopping"])
def test_without_the_right_confirmation_nothing_is_ended(
    server: Server, relieve: Relieve, confirm: str
) -> None:
    with server.sessions(5, "worker") as worker:
        time.sleep(0.3)
        answer = relieve(0, confirm=confirm)
        assert answer["failed"] is True
        right = "is missing; give shop" if not confirm else "the database is shop"
        assert right in answer["msg"]
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


def test_two_runs_at_once_are_one(server: Server, relieve: Relieve, relief: Relieve) -> None:
    with server.sessions(8, "worker") as worker:
        time.sleep(0.3)
        with half_way(relief(6, wait=3), worker, left=6) as answer:
            for database in ("shop", "postgres"):  # locks are a database's own, the slots are not
                second = relieve(
                    4, server.url("operator", "of-operator-91e4", database), confirm=database
                )
                assert second["failed"] is True
                assert "another run is ending sessions of this server: pid " in second["msg"]
                assert (second["changed"], second["actions"]) == (False, [])
        assert len(subjects(answer, "done")) == 2
        assert len(alive(server, worker)) == 6
