"""What an app notices of maintenance and of the runbook's own recipe: pgbench's latencies."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measurement import Setup
from benchmarks.postgres_server import PostgresBench, postgres_bench
from tests.support.postgres import run_sql

#: Millions of rows, in tenths, of pgbench's accounts.
SCALE = 30
#: Transactions a second: a busy app, and below half of what two processors can do.
RATE = 600
#: WAL files of 16 MiB that the server has before it is measured, to use again.
WAL_FILES = 100
RECIPE = ("REINDEX DATABASE recipe", "VACUUM ANALYZE")


@dataclass(frozen=True)
class Round:
    """Latencies in milliseconds of an app's transactions, during maintenance and in quiet."""

    during: list[float]
    quiet: list[float]

    @property
    def ratio(self) -> float:
        return p99(self.during) / p99(self.quiet)


def p99(latencies: list[float]) -> float:
    return statistics.quantiles(latencies, n=100)[98]


def measure(setup: Setup) -> None:
    with postgres_bench(setup.work) as bench:
        rounds = [_round(bench, name) for name in ("first", "second", "third")]
        recipe = _recipe(bench)
    median = sorted(rounds, key=lambda each: each.ratio)[1]
    figures = (
        f"{p99(median.during):.1f} ms / {p99(median.quiet):.1f} ms, the median of three "
        f"(recipe {p99(recipe):.1f} ms)"
    )
    what = "p99 latency during pg_maintenance / in quiet"
    setup.promises.at_most(what, median.ratio, 1.5, figures)
    stall, quiet = (
        max(max(each.during) for each in rounds),
        max(max(each.quiet) for each in rounds),
    )
    figures = f"{stall:.0f} ms, the longest of three / {max(recipe):.0f} ms (quiet {quiet:.0f} ms)"
    what = "longest stall during pg_maintenance / during REINDEX DATABASE; VACUUM ANALYZE"
    setup.promises.at_most(what, stall / max(recipe), 0.1, figures)


def _round(bench: PostgresBench, database: str) -> Round:
    _neglect(bench, database)
    quiet = latencies(bench, database, partial(time.sleep, 15))
    during = latencies(bench, database, partial(_maintain, bench, database))
    quiet += latencies(bench, database, partial(time.sleep, 10))
    print(f"         p99 {p99(during):.2f} ms / {p99(quiet):.2f} ms", flush=True)
    bench.server.admin(f"DROP DATABASE {database}")
    return Round(during, quiet)


def _recipe(bench: PostgresBench) -> list[float]:
    """Latencies in milliseconds while the runbook's own commands run."""
    _neglect(bench, "recipe")
    commands = [word for command in RECIPE for word in ("-c", command)]
    return latencies(bench, "recipe", partial(bench.program, "psql", "-d", "recipe", *commands))


def _neglect(bench: PostgresBench, database: str) -> None:
    """Make a database of pgbench with a bloated index and dead rows.

    The server is one that has been running: its WAL files are used again, not made anew.
    """
    bench.server.admin(f"CREATE DATABASE {database}")
    bench.program("pgbench", "-i", "-q", "-s", str(SCALE), database)
    update = "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid % {} = 0"
    run_sql(
        bench.url(database),
        "CREATE INDEX balance ON pgbench_accounts (abalance, aid)",
        *[update.format(2), "VACUUM pgbench_accounts"] * 2,
        "VACUUM ANALYZE",
    )
    switch = ["SELECT pg_logical_emit_message(true, '', '')", "SELECT pg_switch_wal()"]
    run_sql(bench.url(database), update.format(3), *switch * WAL_FILES, "CHECKPOINT")


def _maintain(bench: PostgresBench, database: str) -> None:
    options = {"database_url": bench.url(database), "bloat_bytes": 1_000_000}
    answer = bench.module("pg_maintenance", **options)
    print("        ", answer["checks"][0]["summary"], flush=True)


def latencies(bench: PostgresBench, database: str, work: Callable[[], Any]) -> list[float]:
    """Latencies in milliseconds of an app's transactions while something is done."""
    logs = bench.work / f"log_{time.monotonic_ns()}"
    logs.mkdir()
    with _load(bench, database, logs):
        time.sleep(3)
        work()
        time.sleep(1)
    lines = [line.split() for file in logs.iterdir() for line in file.read_text().splitlines()]
    return [float(line[2]) / 1000 for line in lines if len(line) >= 6]


@contextmanager
def _load(bench: PostgresBench, database: str, logs: Path) -> Iterator[None]:
    """pgbench at a fixed rate, until the block ends."""
    options = ["-n", "-c", "8", "-j", "2", "-R", str(RATE), "-T", "3600"]
    command = bench.command("pgbench", *options, "-l", f"--log-prefix={logs}/log", database)
    child = subprocess.Popen(
        command,
        env=bench.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        child.terminate()
        child.wait()
