"""What holds back vacuum, judged."""

from __future__ import annotations

import pytest

from tests.support.postgres_review import FACTS, LIMITS, by_name, lock_checks, waits


def test_without_the_right_to_see_sessions_the_horizon_is_unknown() -> None:
    blind = {**FACTS, "sees_all": False}
    assert by_name(lock_checks(waits(), blind, LIMITS))["vacuum_horizon"].status == "unknown"
    slot = {
        "kind": "replication slot",
        "whose": "'x'",
        "database": None,
        "age": 200_000_000,
        "seconds": None,
    }
    assert (
        by_name(lock_checks(waits(horizon=[slot]), blind, LIMITS))["vacuum_horizon"].status
        == "critical"
    ), "what is in sight proves it"


@pytest.mark.parametrize(
    ("kind", "whose", "remedy"),
    [
        ("session", "pid 7 (report)", "pg_terminate_backend(7)"),
        ("prepared transaction", "'x'", "ROLLBACK PREPARED 'x'"),
        ("replication slot", "'s'", "pg_drop_replication_slot('s')"),
        ("standby", "replica", "hot_standby_feedback = off"),
    ],
)
def test_the_remedy_follows_what_holds_back_vacuum(kind: str, whose: str, remedy: str) -> None:
    holder = {"kind": kind, "whose": whose, "database": "shop", "age": 2 * 10**8, "seconds": 900.0}
    checks = by_name(lock_checks(waits(horizon=[holder]), FACTS, LIMITS))
    assert remedy in checks["vacuum_horizon"].remedy


def test_a_standby_holds_back_only_what_it_tells_its_primary() -> None:
    session = {
        "kind": "session",
        "whose": "pid 7 (report)",
        "database": "shop",
        "age": 200_000_000,
        "seconds": 900.0,
    }
    silent = by_name(lock_checks(waits(horizon=[session]), {**FACTS, "standby": True}, LIMITS))
    assert silent["vacuum_horizon"].status == "ok"
    assert silent["prepared_transactions"].not_judged
    check = by_name(
        lock_checks(waits(horizon=[session]), {**FACTS, "standby": True, "feedback": True}, LIMITS)
    )["vacuum_horizon"]
    assert check.status == "critical"
    assert check.summary.startswith("Vacuum on the primary cannot remove")


def test_foreign_names_are_shown_without_secrets() -> None:
    session = {
        "kind": "session",
        "whose": "pid 7 (token=abcdef)",
        "database": "shop",
        "age": 9,
        "seconds": 9.0,
    }
    prepared = {
        "kind": "prepared transaction",
        "whose": "'password=hunter22'",
        "database": "shop",
        "age": 8,
        "seconds": 8.0,
    }
    waiter = (
        [{"pid": 2, "seconds": 1.0, "blockers": [3]}],
        {"2": {"application": "secret=hunter22", "user": "u", "state": "active"}},
    )
    text = str(list(lock_checks(waits(horizon=[session, prepared], blocked=waiter), FACTS, LIMITS)))
    assert "abcdef" not in text
    assert "hunter22" not in text
