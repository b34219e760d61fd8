"""A verified backup against `pg_dump | gzip`, and what the app and the host notice of it."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measurement import MeasurementFailed, Setup, seconds_of
from benchmarks.postgres_load import latencies, p99
from benchmarks.postgres_server import PostgresBench, postgres_bench
from tests.conftest import finish, start_module
from tests.support.postgres import run_sql

#: About 500 MB of pgbench's accounts.
SCALE = 33
#: About 500 MB of text in rows of about 500 bytes, of words that repeat as in a language.
TEXT = """
CREATE TABLE messages AS SELECT g AS id, now() - g * interval '1 s' AS at,
  (SELECT string_agg(substr(md5((floor(2000 * random() * random()) + 0 * g * h)::text), 1, 7), ' ')
   FROM generate_series(1, 60) h) AS words FROM generate_series(1, 850000) g
"""
DATABASE = "big"


def measure(setup: Setup) -> None:
    with postgres_bench(setup.work) as bench:
        bench.server.admin(f"CREATE DATABASE {DATABASE}")
        bench.program("pgbench", "-i", "-q", "-s", str(SCALE), DATABASE)
        run_sql(bench.url(DATABASE), "SET jit = off", TEXT, "VACUUM ANALYZE")
        size = run_sql(bench.url(DATABASE), f"SELECT pg_database_size('{DATABASE}')")[0][0]
        print(f"         a database of {size / 1e6:.0f} MB", flush=True)
        _against_gzip(setup, bench)
        _beside_an_app(setup, bench)


def _against_gzip(setup: Setup, bench: PostgresBench) -> None:
    ours, dumps, theirs, peaks = [], [], [], []
    for _round in range(min(setup.rounds, 3)):
        theirs.append(seconds_of(partial(_recipe, bench)))
        dumps.append(seconds_of(partial(_dump_alone, bench)))
        started = time.perf_counter()
        answer, peak = _back_up(bench)
        ours.append(time.perf_counter() - started)
        peaks.append(peak)
    made = answer["actions"][0]
    print(f"         {made['reason']}", flush=True)
    recipe, alone, whole = (statistics.median(each) for each in (theirs, dumps, ours))
    what = "pg_dump | gzip / the dump of pg_backup without counts and proof"
    setup.promises.at_least(what, recipe / alone, 3.0, f"{recipe:.1f} s / {alone:.1f} s")
    what = "pg_dump | gzip / pg_backup with counts and proof to level 3"
    setup.promises.at_least(what, recipe / whole, 2.0, f"{recipe:.1f} s / {whole:.1f} s")
    plain = (bench.work / "recipe.sql.gz").stat().st_size
    figures = f"{made['bytes'] / 1e6:.0f} MB / {plain / 1e6:.0f} MB"
    setup.promises.at_most("size / that of pg_dump | gzip", made["bytes"] / plain, 1.1, figures)
    peak = max(peaks)
    what = "peak memory of the module / 100 MB"
    setup.promises.at_most(what, peak / 100e6, 1.0, f"{peak / 1e6:.0f} MB")


def _beside_an_app(setup: Setup, bench: PostgresBench) -> None:
    quiet = latencies(bench, DATABASE, partial(time.sleep, 15))
    during = latencies(bench, DATABASE, lambda: [_back_up(bench) for _run in range(2)])
    what = "p99 latency during pg_backup / in quiet"
    figures = f"{p99(during):.1f} ms / {p99(quiet):.1f} ms"
    setup.promises.at_most(what, p99(during) / p99(quiet), 20.0, figures)


def _recipe(bench: PostgresBench) -> None:
    """The runbook's own backup."""
    command = bench.command("pg_dump", DATABASE)
    with (bench.work / "recipe.sql.gz").open("wb") as sink:
        dump = subprocess.Popen(command, env=bench.environment, stdout=subprocess.PIPE)
        subprocess.run(["gzip"], stdin=dump.stdout, stdout=sink, check=True)
        if dump.wait():
            raise MeasurementFailed("pg_dump failed")


def _dump_alone(bench: PostgresBench) -> None:
    """The same dump as the module's, as far as pg_dump does it."""
    path = bench.work / f"alone-{time.monotonic_ns()}"
    bench.program("pg_dump", "-Fd", "-j2", "--compress=gzip:1", f"--file={path}", DATABASE)
    subprocess.run(["rm", "-r", path], check=True)


def _back_up(bench: PostgresBench) -> tuple[dict[str, Any], int]:
    """The answer of the module, and the peak of its memory in bytes."""
    options = {
        "database_url": bench.url(DATABASE),
        "backup_dir": str(bench.work / "backups"),
        "bin_dir": str(bench.own.programs),
        "globals": False,
        "keep": {"daily": 0, "weekly": 0, "monthly": 0, "at_least": 1},
    }
    process = start_module("pg_backup", options)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _peak(process.pid))
        time.sleep(0.05)
    output, errors = finish(process, 10)
    answer: dict[str, Any] = json.loads(output.strip().splitlines()[-1]) if output else {}
    if not answer.get("complete"):
        raise MeasurementFailed(f"pg_backup failed: {answer.get('msg')} {errors}")
    return answer, peak


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
