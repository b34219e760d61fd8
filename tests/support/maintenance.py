"""What the tests of pg_maintenance share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg2
import psycopg2.extras
import pytest

from tests.support.postgres import (
    Server,
    run_sql,
)

#: Runs the module: ``maintain(check=True, only=["messages"])``.
Maintain = Callable[..., dict[str, Any]]


def done(answer: dict[str, Any], status: str = "done") -> list[tuple[str, str]]:
    return sorted(
        (each["name"].split(".")[1], each["subject"])
        for each in answer["actions"]
        if each["status"] == status
    )


def size(server: Server, relation: str) -> int:
    return int(run_sql(server.url(), f"SELECT pg_relation_size('{relation}')")[0][0])


def invalid(server: Server) -> list[str]:
    return [
        row[0]
        for row in run_sql(
            server.url(), "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
        )
    ]


def cut_off(server: Server, statement: str) -> None:
    """Start a concurrent build on t, and cancel it while it waits for a writer."""
    with server.session() as holder, server.session(autocommit=True) as builder:
        holder.cursor().execute("UPDATE t SET a = a WHERE id = 1")

        def build() -> None:
            with pytest.raises(psycopg2.errors.QueryCanceled):
                builder.cursor().execute(statement)

        thread = threading.Thread(target=build)
        thread.start()
        pid = builder.info.backend_pid
        while not server.admin(
            "SELECT 1 FROM pg_stat_progress_create_index"
            f" WHERE pid = {pid} AND phase LIKE 'waiting%'"
        ):
            time.sleep(0.02)
        server.admin(f"SELECT pg_cancel_backend({pid})")
        thread.join()
