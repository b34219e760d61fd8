"""What the tests of pg_review share: what is not ok, the passing of time, recorded questions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.connection import (
    Connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.collect import (
    collect_database,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.history import (
    DatabaseHistory,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.snapshot import (
    DatabaseSnapshot,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url
from tests.support.postgres import run_sql

AREAS = ["locks", "vacuum", "tables", "indexes", "statements", "settings"]


Look = Callable[..., dict[str, Any]]


#: Where tables of a test are small.
SMALL = {
    f"postgres.{name}": {"warning": 1_000_000, "critical": None}
    for name in ("index_bloat", "unused_indexes", "table_bloat")
}


def bad(answer: dict[str, Any]) -> dict[str, str]:
    """What is not ok, and how bad it is."""
    return {
        check["name"].removeprefix("postgres."): check["status"]
        for check in answer["checks"]
        if check["status"] != "ok"
    }


def pass_time(tmp_path: Path, seconds: float = 7200) -> None:
    """Make what the last run has kept so much older."""
    for file in (tmp_path / "state").glob("pg_review*"):
        kept = json.loads(file.read_text())
        for sample in kept["samples"]:
            sample["time"] -= seconds
        file.write_text(json.dumps(kept))


def named(url: str) -> str:
    return f"database {url.rpartition('/')[2]}"


class Listening(Connection):
    """Remembers what was asked."""

    def rows(self, question: str, *more: Any) -> list[tuple[Any, ...]]:
        self.asked = [*getattr(self, "asked", []), question]
        return super().rows(question, *more)


@contextmanager
def connected(url: str) -> Iterator[Listening]:
    with closing(Listening(parse_url(url), "test", Deadline(30))) as connection:
        connection.open()
        connection.begin("itself", "SELECT 1")
        yield connection


def contents(connection: Connection, folder: Path, *areas: str) -> DatabaseSnapshot:
    history = DatabaseHistory(str(folder), "here", "this")
    return collect_database(Options(areas), connection, history)


PARTITIONED = (
    "CREATE TABLE log (day int, hour int, line text) PARTITION BY LIST (day)",
    "CREATE TABLE log_1 PARTITION OF log FOR VALUES IN (1) PARTITION BY LIST (hour)",
    "CREATE TABLE log_1_1 PARTITION OF log_1 FOR VALUES IN (1)",
    "CREATE TABLE log_1_2 PARTITION OF log_1 FOR VALUES IN (2)",
    "INSERT INTO log SELECT 1, g % 2 + 1, repeat('x', 50) || g FROM generate_series(1, 400000) g",
)


def server_version(url: str) -> int:
    return int(run_sql(url, "SHOW server_version_num")[0][0]) // 10000
