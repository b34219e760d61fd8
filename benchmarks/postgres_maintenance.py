"""Maintenance where one table in ten needs it, against PostgreSQL's programs that do it all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.measurement import Setup, seconds_of
from benchmarks.postgres_server import PostgresBench, postgres_bench
from tests.support.postgres import run_sql

TABLES = 100
#: The first ones need maintenance.
NEGLECTED = 10
INDEXES = "SELECT sum(pg_relation_size(indexrelid))::bigint FROM pg_index WHERE indexrelid > 16384"


def measure(setup: Setup) -> None:
    with postgres_bench(setup.work) as bench:
        _make_origin(bench)
        ours, size = _on_a_copy(bench, "some", partial(_maintain, bench))
        theirs, their_size = _on_a_copy(bench, "all", partial(_everything, bench))
    what = "pg_maintenance / vacuumdb -z -j2 and reindexdb --concurrently -j2 where 10 % need it"
    setup.promises.at_most(what, ours / theirs, 1 / 3, f"{ours:.1f} s / {theirs:.1f} s")
    what = "size of the indexes afterwards / after rebuilding all of them"
    figures = f"{size / 1e6:.0f} MB / {their_size / 1e6:.0f} MB"
    setup.promises.at_most(what, size / their_size, 1.1, figures)


def _make_origin(bench: PostgresBench) -> None:
    """A database in which every tenth table has dead rows and a bloated index."""
    bench.server.admin("CREATE DATABASE origin")
    url = bench.url("origin")
    for number in range(TABLES):
        run_sql(
            url,
            f"CREATE TABLE t_{number} (id int PRIMARY KEY, word text)",
            f"INSERT INTO t_{number} SELECT g, md5(g::text) FROM generate_series(1, 80000) g",
            f"CREATE INDEX i_{number} ON t_{number} (word)",
        )
    run_sql(url, "VACUUM ANALYZE")
    for number in range(NEGLECTED):
        update = f"UPDATE t_{number} SET word = md5(word)"
        run_sql(
            url,
            update,
            f"VACUUM t_{number}",
            update,
            f"VACUUM ANALYZE t_{number}",
            f"UPDATE t_{number} SET word = word WHERE id % 4 = 0",
        )


def _on_a_copy(bench: PostgresBench, database: str, work: Callable[[], Any]) -> tuple[float, int]:
    """Seconds that the work takes on a copy of the database, and bytes of its indexes after."""
    bench.server.admin(f'CREATE DATABASE "{database}" TEMPLATE origin', "CHECKPOINT")
    # A copy has no statistics of its use: what was changed has to be counted again.
    updates = [f"UPDATE t_{number} SET word = word WHERE id % 4 = 1" for number in range(NEGLECTED)]
    run_sql(bench.url(database), *updates)
    seconds = seconds_of(work)
    return seconds, run_sql(bench.url(database), INDEXES)[0][0]


def _maintain(bench: PostgresBench) -> None:
    """With as many jobs and as little delay as the programs have."""
    options = {"bloat_bytes": 1_000_000, "jobs": 2, "cost_delay": 0}
    bench.module("pg_maintenance", database_url=bench.url("some"), **options)


def _everything(bench: PostgresBench) -> None:
    bench.program("vacuumdb", "-z", "-j", "2", "all")
    bench.program("reindexdb", "--concurrently", "-j", "2", "all")
