# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads pg_stat_statements: calls and time of each statement in the window since the last run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...core.errors import NotCollected
from ...core.state import Sample, StateFile, interval, now_sample
from ...core.units import format_duration
from ..connection import Connection
from .queries import EXTENSION, RESET, STATEMENTS, TEXTS
from .snapshot import Row, Statements

#: Statements whose counters are kept for the next run: those that used the most time.
KEPT = 500
#: Statements shown as evidence.
SHOWN = 5
#: What marks this collection's own statements, and how many there are at most.
MARK = "/* gpt_agent.runbook */"
OWN_STATEMENTS = 20
#: Statements that an app waits for. No request waits for the others, such as VACUUM, COPY, CREATE
#: DATABASE and COMMIT.
REQUEST = re.compile(
    r"(?:\s|\(|/\*.*?\*/|--[^\n]*\n)*"
    r"(?:SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES|TABLE|CALL|EXECUTE|FETCH)\b",
    re.IGNORECASE | re.DOTALL,
)
#: Rows that an INSERT writes with each call, from which it is a bulk load.
BULK_ROWS = 1000
#: Fewer calls in the window are one-off work, which says nothing about what an app waits for.
REPEATED = 10
#: Fewer calls say nothing about the mean.
MIN_CALLS = 20


def collect_statements(
    connection: Connection, facts: Row, state: StateFile, shown: int
) -> Statements:
    """The statements of the window, with the text of the ``shown`` that took the most time."""
    version, schema = _extension(connection, facts)
    rows, reset = _counters(connection, version, schema)
    counters: dict[str, float] = {}
    for key, calls, seconds, _rows in rows:
        counters[f"{key} n"], counters[f"{key} s"] = float(calls), seconds
    sample = now_sample(f"{facts['started']} {reset}", counters)
    age = max(0.0, facts["now"] - reset) if reset else None
    counted = [row[:3] for row in rows]
    statements, window = windowed(counted, sample, state.earlier(sample), age)
    ranked = _ranked(statements, shown + OWN_STATEMENTS)
    texts = _texts(connection, schema, ranked)
    per_call = {key: affected / calls for key, calls, _seconds, affected in rows if calls}
    top = []
    for key in ranked:
        text, user, database = texts.get(key, (None, None, None))
        if text and not is_request(text, per_call.get(key, 0.0)):
            del statements[key]
            continue
        calls, seconds = statements[key]
        row = {"statement": text, "user": user, "database": database}
        top.append({**row, "calls": calls, "seconds": seconds})
    judged = [counts for counts in statements.values() if counts[0] >= REPEATED]
    return Statements(
        sum(calls for calls, _seconds in judged),
        sum(seconds for _calls, seconds in judged),
        window,
        sorted(top, key=lambda row: -row["seconds"])[: shown + OWN_STATEMENTS],
        sample,
    )


def is_request(text: str, rows_per_call: float) -> bool:
    """Whether an app waits for a statement, by its text and the rows that it reads or writes."""
    if MARK in text or not REQUEST.match(text):
        return False
    return not ("INSERT" in text[:100].upper() and rows_per_call >= BULK_ROWS)


def _ranked(statements: Mapping[str, tuple[float, float]], count: int) -> list[str]:
    """The statements with the most time and those with the most calls."""
    by_time = sorted(statements, key=lambda key: statements[key][1], reverse=True)[:count]
    by_calls = sorted(statements, key=lambda key: statements[key][0], reverse=True)
    return list(dict.fromkeys([*by_time, *by_calls[:OWN_STATEMENTS]]))


def _extension(connection: Connection, facts: Row) -> tuple[tuple[int, ...], str]:
    """Version and schema of pg_stat_statements; raises `NotCollected` without it."""
    if not facts["statements_loaded"]:
        raise NotCollected(
            "pg_stat_statements is not loaded",
            "Add pg_stat_statements to shared_preload_libraries in postgresql.conf, restart "
            "PostgreSQL, then run 'CREATE EXTENSION pg_stat_statements;'.",
        )
    installed = connection.rows("pg_stat_statements", EXTENSION)
    if not installed:
        database = connection.database
        raise NotCollected(
            f"the extension pg_stat_statements is not installed in database '{database}'",
            f"As a superuser in database '{database}': CREATE EXTENSION pg_stat_statements;",
        )
    version, schema = installed[0]
    return tuple(int(part) for part in version.split(".")), schema.replace("%", "%%")


def _counters(
    connection: Connection, version: tuple[int, ...], schema: str
) -> tuple[list[tuple[str, float, float, float]], float | None]:
    """Key, calls, seconds and rows of each statement, and when the counters were reset."""
    query = STATEMENTS.format(
        schema=schema,
        time="total_exec_time" if version >= (1, 8) else "total_time",
        top="toplevel" if version >= (1, 9) else "true",
        reset=RESET.format(schema=schema) if version >= (1, 9) else "NULL::float8",
    )
    rows = connection.rows("pg_stat_statements", query, (KEPT,))
    reset = rows[0][4] if rows else None
    return [row[:4] for row in rows], reset


def _texts(
    connection: Connection, schema: str, keys: Sequence[str]
) -> Mapping[str, tuple[Any, ...]]:
    """Text, user and database of each statement that the role has permission to see."""
    identities = [int(key.split("/")[2]) for key in keys if _has_identity(key)]
    if not identities:
        return {}
    rows = connection.rows("pg_stat_statements", TEXTS.format(schema=schema), (identities,))
    return {row[0]: row[1:] for row in rows}


def windowed(
    rows: Sequence[tuple[str, float, float]],
    now: Sample,
    earlier: Sequence[Sample],
    age: float | None,
) -> tuple[dict[str, tuple[float, float]], str]:
    """Calls and seconds of each statement in a window, and the window.

    That is the span since the last run, or since the reset, ``age`` seconds ago, if there was no
    last run or too few calls since.
    """
    if earlier:
        recent = _since(earlier[0], rows)
        if sum(calls for calls, _seconds in recent.values()) >= MIN_CALLS:
            return recent, interval(earlier[0], now)
    ago = "" if age is None else f" {format_duration(age)} ago"
    everything = {key: (calls, seconds) for key, calls, seconds in rows}
    return everything, f"since statistics reset{ago}"


def _since(
    sample: Sample, rows: Sequence[tuple[str, float, float]]
) -> dict[str, tuple[float, float]]:
    """Calls and seconds of each statement since a sample was taken."""
    found = {}
    for key, calls, seconds in rows:
        calls_then = sample.counters.get(f"{key} n", 0.0)
        seconds_then = sample.counters.get(f"{key} s", 0.0)
        if calls < calls_then or seconds < seconds_then:
            # PostgreSQL dropped it for lack of room, and started counting again.
            if not _has_identity(key):
                continue
            calls_then = seconds_then = 0.0
        if calls > calls_then:
            found[key] = (calls - calls_then, seconds - seconds_then)
    return found


def _has_identity(key: str) -> bool:
    return key.count("/") == 2
