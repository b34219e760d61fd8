"""Lock waits, judged: chains, circles and who is at the root."""

from __future__ import annotations

from tests.support.postgres_review import FACTS, LIMITS, by_name, lock_checks, waits


def test_a_chain_is_counted_at_its_root_and_a_circle_ends() -> None:
    edges = [
        {"pid": pid, "seconds": seconds, "blockers": blockers}
        for pid, seconds, blockers in ((2, 90.0, [1]), (3, 50.0, [2]), (4, 5.0, [9]), (9, 5.0, [4]))
    ]
    sessions = {
        "1": {
            "application": "app",
            "user": "u",
            "state": "idle in transaction",
            "transaction_seconds": 100.0,
            "statement": "SELECT 'secret'",
        }
    }
    check = by_name(lock_checks(waits(blocked=(edges, sessions)), FACTS, LIMITS))["blocked"]
    assert check.status == "warning"
    assert check.value == 90.0
    assert (
        "4 sessions wait for a lock, the longest for 1 min; at the root: pid 1, app "
        "'app', idle in transaction, in a transaction for 1 min"
    ) in check.summary
    assert "secret" not in str(check.evidence)


def test_a_prepared_transaction_at_the_root_has_no_pid() -> None:
    check = by_name(
        lock_checks(
            waits(blocked=([{"pid": 2, "seconds": 1.0, "blockers": [0]}], {})), FACTS, LIMITS
        )
    )["blocked"]
    assert "a prepared transaction (pg_prepared_xacts)" in check.summary


def test_a_prepared_transaction_is_ended_by_its_name() -> None:
    prepared = [{"name": "'order-7'", "database": "shop", "owner": "app", "seconds": -0.2}]
    edges = [{"pid": 2, "seconds": 200.0, "blockers": [0]}]
    check = by_name(lock_checks(waits(blocked=(edges, {}), prepared=prepared), FACTS, LIMITS))[
        "blocked"
    ]
    assert "at the root: prepared transaction 'order-7', open for 0 s" in check.summary
    assert "database 'shop' and run ROLLBACK PREPARED 'order-7'" in check.remedy


def test_more_sessions_wait_than_are_checked() -> None:
    check = by_name(
        lock_checks(
            waits(blocked=([{"pid": 2, "seconds": 1.0, "blockers": [0]}], {}), waiting=70),
            FACTS,
            LIMITS,
        )
    )["blocked"]
    assert (
        "70 sessions wait for a lock, the longest for 1 s (only the 1 that have "
        "waited longest were checked)"
    ) in check.summary
