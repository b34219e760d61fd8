"""What all checks of a database with many relations cost, and what the peers' modules cost."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.distance import distant
from benchmarks.measurement import Setup, seconds_of
from benchmarks.postgres_server import PostgresBench, postgres_bench
from tests.support.postgres import run_sql

#: Three of them are one table with two indexes.
RELATIONS = 5000
#: Tables that are made in one transaction.
BATCH = 400
PEERS = ("postgresql_info", "postgresql_user_obj_stat_info")


def measure(setup: Setup) -> None:
    with postgres_bench(setup.work) as bench:
        _make_relations(bench)
        _server_cost(setup, bench)
        if setup.peers:
            python = setup.peers / "python"
            port = int(bench.server.own["port"])
            _against_peers(setup, bench, python, port, "on loopback", 2)
            with distant(port) as far:
                _against_peers(setup, bench, python, far, "with a round trip of 1 ms", 10)


def _make_relations(bench: PostgresBench) -> None:
    bench.server.admin("CREATE DATABASE many")
    for start in range(0, RELATIONS // 3, BATCH):
        numbers = range(start, min(start + BATCH, RELATIONS // 3))
        run_sql(bench.url("many"), "; ".join(map(_table, numbers)))
    statements = [
        "CREATE EXTENSION pg_stat_statements",
        "VACUUM ANALYZE",
        "SELECT pg_stat_statements_reset()",
    ]
    bench.server.admin(*statements, database="many")


def _table(number: int) -> str:
    return (
        f"CREATE TABLE t_{number} (id int PRIMARY KEY, a int); "
        f"CREATE INDEX ON t_{number} (a); INSERT INTO t_{number} VALUES (1, 1)"
    )


def _server_cost(setup: Setup, bench: PostgresBench) -> None:
    _ask(bench, bench.url("many"))
    ours = "FROM pg_stat_statements WHERE query LIKE '%/* gpt_agent.runbook */%'"
    seconds = "sum(total_exec_time + total_plan_time)::float8 / 1000"
    query = f"SELECT sum(calls)::int, {seconds} {ours}"
    queries, busy = bench.server.admin(query, database="many")[0]
    what = f"queries for all checks of {RELATIONS:,} relations"
    setup.promises.at_most(what, queries, 25, f"{queries} queries")
    setup.promises.at_most("seconds of server time for them", busy, 2, f"{busy:.2f} s")


def _against_peers(
    setup: Setup, bench: PostgresBench, python: Path, port: int, where: str, promise: float
) -> None:
    ours = seconds_of(partial(_ask, bench, bench.url("many", port)))
    theirs = sum(seconds_of(partial(bench.peer, python, name, port)) for name in PEERS)
    what = f"modules of community.postgresql / the review in depth, {where}"
    setup.promises.at_least(what, theirs / ours, promise, f"{theirs:.2f} s / {ours:.2f} s")


def _ask(bench: PostgresBench, url: str) -> None:
    bench.module("pg_review", database_url=url, timeout=60)
