"""A connection's name resolution: interrupted in time, and explained where it fails."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import (
    Deadline,
    DeadlineExceeded,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import Unreachable
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres import (
    connection as pg_connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.connection import (
    Connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGHOSTADDR", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


def test_a_name_service_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = threading.Event()
    monkeypatch.setattr(
        pg_connection.socket, "getaddrinfo", lambda *args, **more: [stuck.wait(30)][:0]
    )
    connection = Connection(parse_url("postgresql://u@db.example/x"), "test", Deadline(0.2))
    try:
        with pytest.raises(DeadlineExceeded):
            connection.open()
    finally:
        stuck.set()
    assert "was not resolved" in str(connection.no_answer())


def test_a_name_without_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **more: object) -> list[object]:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(pg_connection.socket, "getaddrinfo", unknown)
    with pytest.raises(
        Unreachable, match=r"'db\.example', cannot be resolved \(Name or service not known\)"
    ):
        Connection(parse_url("postgresql://u@db.example/x"), "test", Deadline(5)).open()
