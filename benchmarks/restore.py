"""A restore with all its proof against `gunzip | psql` and `ANALYZE`."""

from __future__ import annotations

import statistics
import subprocess
from functools import partial

from benchmarks.large_database import (
    DATABASE,
    RECIPE,
    Measured,
    back_up,
    dump_by_recipe,
    large_database,
    run_module,
)
from benchmarks.measurement import MeasurementFailed, Setup, seconds_of
from benchmarks.postgres_server import PostgresBench

COPY = "copy"


def measure(setup: Setup) -> None:
    with large_database(setup) as bench:
        dump_by_recipe(bench)
        back_up(bench)
        theirs: list[float] = []
        runs: list[Measured] = []
        for _round in range(min(setup.rounds, 3)):
            bench.server.admin(f"CREATE DATABASE {COPY}")
            theirs.append(seconds_of(partial(_recipe, bench)))
            _forget(bench)
            runs.append(_restore(bench))
            _forget(bench)
    steps = [f"{each['name']} {each['seconds']:.1f} s" for each in runs[-1].answer["actions"]]
    print(f"         {', '.join(steps)}", flush=True)
    recipe, ours = statistics.median(theirs), statistics.median(run.seconds for run in runs)
    what = "gunzip | psql and ANALYZE / pg_restore, compared row by row and analyzed"
    setup.promises.at_least(what, recipe / ours, 1.5, f"{recipe:.1f} s / {ours:.1f} s")
    peak, together = max(run.peak for run in runs), max(run.together for run in runs)
    what = "peak memory of pg_restore / 100 MB"
    figures = f"{peak / 1e6:.0f} MB, with all programs that it starts {together / 1e6:.0f} MB"
    setup.promises.at_most(what, peak / 100e6, 1.0, figures)


def _recipe(bench: PostgresBench) -> None:
    """The runbook's own restore, into a database that is empty, and statistics."""
    psql = bench.command("psql", "-q", "-d", COPY)
    unzip = subprocess.Popen(["gunzip", "-c", bench.work / RECIPE], stdout=subprocess.PIPE)
    done = subprocess.run(
        psql, env=bench.environment, stdin=unzip.stdout, stdout=subprocess.DEVNULL, check=False
    )
    if unzip.wait() or done.returncode:
        raise MeasurementFailed("gunzip | psql failed")
    bench.program("psql", "-q", "-d", COPY, "-c", "ANALYZE")


def _restore(bench: PostgresBench) -> Measured:
    options = {"state": "restored", "database": COPY, "source": DATABASE}
    return run_module(bench, "pg_restore", options)


def _forget(bench: PostgresBench) -> None:
    """Both sides start with a server that has nothing left to write."""
    bench.server.admin(f"DROP DATABASE {COPY} WITH (FORCE)", "CHECKPOINT")
