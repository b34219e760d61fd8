"""The mean time of a statement, judged."""

from __future__ import annotations

from tests.support.postgres_health import STATEMENTS, one


def test_the_mean_is_over_all_calls_and_the_offenders_are_named() -> None:
    top = [
        {
            "statement": "SELECT pg_sleep('7')",
            "user": "app",
            "database": "shop",
            "calls": 10,
            "seconds": 9.0,
        },
        {
            "statement": "<insufficient privilege>",
            "user": "x",
            "database": "y",
            "calls": 10,
            "seconds": 0.5,
        },
        {"statement": None, "user": None, "database": None, "calls": 10, "seconds": 0.5},
        {"statement": "SELECT 1", "user": "app", "database": "y", "calls": 9, "seconds": 5.5},
    ]
    check = one(
        "query_time_mean",
        statements=STATEMENTS._replace(calls=100, seconds=10.0, top=top),
        thresholds={"postgres.query_time_mean": {"critical": 0.2}},
    )
    assert (check.status, check.value, check.window) == ("warning", 0.1, "the window")
    assert check.summary == (
        "A statement takes 100 ms on average (100 calls); 90 % of the time goes to: "
        "SELECT pg_sleep(?)"
    )
    assert check.evidence[0]["mean_seconds"] == 0.9
    assert [row["statement"] for row in check.evidence[1:]] == [
        "(hidden from role 'app': GRANT pg_monitor shows it)"
    ] * 2, "a query that was called a few times is not judged"


def test_a_mean_of_a_few_calls_is_none() -> None:
    check = one("query_time_mean", statements=STATEMENTS._replace(calls=3))
    assert (check.status, check.value) == ("ok", None)
    assert check.summary.startswith("3 calls of repeated queries; not judged: needs 20 calls")
