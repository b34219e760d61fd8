"""A verified backup against `pg_dump | gzip`, and what the app and the host notice of it."""

from __future__ import annotations

import statistics
import subprocess
import time
from functools import partial

from benchmarks.large_database import (
    DATABASE,
    RECIPE,
    Measured,
    back_up,
    dump_by_recipe,
    large_database,
)
from benchmarks.measurement import Setup, seconds_of
from benchmarks.postgres_load import latencies, p99
from benchmarks.postgres_server import PostgresBench


def measure(setup: Setup) -> None:
    with large_database(setup) as bench:
        _against_gzip(setup, bench)
        _beside_an_app(setup, bench)


def _against_gzip(setup: Setup, bench: PostgresBench) -> None:
    runs: list[Measured] = []
    dumps, theirs = [], []
    for _round in range(min(setup.rounds, 3)):
        theirs.append(seconds_of(partial(dump_by_recipe, bench)))
        runs.append(back_up(bench))
        dumps.append(seconds_of(partial(_dump_alone, bench, _compression(runs[-1]))))
    made = runs[-1].answer["actions"][0]
    print(f"         {made['reason']}", flush=True)
    recipe, alone = statistics.median(theirs), statistics.median(dumps)
    whole = statistics.median(run.seconds for run in runs)
    what = "pg_dump | gzip / the dump of pg_backup without counts and proof"
    setup.promises.at_least(what, recipe / alone, 3.0, f"{recipe:.1f} s / {alone:.1f} s")
    what = "pg_dump | gzip / pg_backup with counts and proof to level 3"
    setup.promises.at_least(what, recipe / whole, 2.0, f"{recipe:.1f} s / {whole:.1f} s")
    plain = (bench.work / RECIPE).stat().st_size
    figures = f"{made['bytes'] / 1e6:.0f} MB / {plain / 1e6:.0f} MB"
    setup.promises.at_most("size / that of pg_dump | gzip", made["bytes"] / plain, 1.1, figures)
    peak, together = max(run.peak for run in runs), max(run.together for run in runs)
    what = "peak memory of pg_backup / 100 MB"
    figures = f"{peak / 1e6:.0f} MB, with all programs that it starts {together / 1e6:.0f} MB"
    setup.promises.at_most(what, peak / 100e6, 1.0, figures)


def _beside_an_app(setup: Setup, bench: PostgresBench) -> None:
    quiet = latencies(bench, DATABASE, partial(time.sleep, 15))
    during = latencies(bench, DATABASE, lambda: [back_up(bench) for _run in range(2)])
    what = "p99 latency during pg_backup / in quiet"
    figures = f"{p99(during):.1f} ms / {p99(quiet):.1f} ms"
    setup.promises.at_most(what, p99(during) / p99(quiet), 20.0, figures)


def _compression(run: Measured) -> str:
    """The one that the module has chosen, as its report says: ``… (zstd:2), level 3``."""
    reason: str = run.answer["actions"][0]["reason"]
    return reason.rpartition("(")[2].partition(")")[0]


def _dump_alone(bench: PostgresBench, compression: str) -> None:
    """The same dump as the module's, as far as pg_dump does it."""
    path = bench.work / f"alone-{time.monotonic_ns()}"
    options = ["-Fd", "-j2", f"--compress={compression}", f"--file={path}"]
    bench.program("pg_dump", *options, DATABASE)
    subprocess.run(["rm", "-r", path], check=True)
