"""The window over which statements are counted."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Sample
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.collect_statements import (  # noqa: E501
    is_request,
    windowed,
)
from tests.support.postgres_health import SAMPLE

ROWS = [("1/10/7", 200.0, 4.0), ("1/10/8", 50.0, 1.0), ("1/10", 90.0, 9.0)]


def test_statements_are_counted_since_the_last_run() -> None:
    before = [
        Sample(
            0,
            "e",
            {
                "1/10/7 n": 150,
                "1/10/7 s": 3.5,
                "1/10/8 n": 50,
                "1/10/8 s": 1.0,
                "9/9/9 n": 5,
                "9/9/9 s": 5,
            },
        )
    ]
    found, window = windowed(ROWS, Sample(86400, "e", {}), before, 5.0)
    assert found == {"1/10/7": (50, 0.5), "1/10": (90, 9.0)}
    assert window == "1970-01-01T00:00Z/PT24H"


def test_a_statement_that_was_thrown_out_and_came_back_counts_as_new() -> None:
    before = [
        Sample(
            0,
            "e",
            {
                "1/10/7 n": 900,
                "1/10/7 s": 90.0,
                "1/10/8 n": 20,
                "1/10/8 s": 0.5,
                "1/10 n": 1000,
                "1/10 s": 1000.0,
            },
        )
    ]
    found, _window = windowed(ROWS, Sample(86400, "e", {}), before, 5.0)
    assert found == {"1/10/7": (200, 4.0), "1/10/8": (30, 0.5)}, (
        "those without identity cannot be told apart and are left out"
    )


def test_too_few_statements_since_the_last_run_are_judged_over_the_longer_span() -> None:
    before = [
        Sample(
            0,
            "e",
            {
                f"{key} {what}": value
                for key, calls, seconds in ROWS
                for what, value in (("n", calls), ("s", seconds))
            },
        )
    ]
    found, window = windowed(ROWS, Sample(86400, "e", {}), before, 9 * 86400)
    assert sum(calls for calls, _ in found.values()) == 340
    assert window == "since statistics reset 9 days ago"
    assert windowed(ROWS, SAMPLE, [], None)[1] == "since statistics reset"


@pytest.mark.parametrize(
    ("text", "rows", "expected"),
    [
        ("SELECT $1", 1, True),
        ("  /* shop:orders */ select $1", 50_000, True),
        ("-- a comment\nWITH a AS (SELECT $1) SELECT * FROM a", 1, True),
        ("(SELECT $1) UNION (SELECT $2)", 1, True),
        ("CALL settle($1)", 0, True),
        ("INSERT INTO t VALUES ($1)", 1, True),
        ("INSERT INTO t SELECT generate_series($1, $2)", 100_000, False),
        ("CREATE DATABASE shop", 0, False),
        ("COPY t FROM STDIN", 100_000, False),
        ("VACUUM t", 0, False),
        ("COMMIT", 0, False),
        ("SELECT /* gpt_agent.runbook */ 1", 1, False),
    ],
)
def test_what_an_app_waits_for(text: str, rows: float, expected: bool) -> None:
    assert is_request(text, rows) == expected
