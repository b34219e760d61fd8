"""Servers that end with the test, and the probe that asks them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.redis_server import (
    ENCODED,
    PASSWORD,
    PROGRAMS,
    Ask,
    Server,
    Start,
    needs_program,
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers that end with the test."""
    servers: list[Server] = []

    def run(*options: str, program: str = "valkey") -> Server:
        path = PROGRAMS[program]
        assert path
        servers.append(Server(tmp_path / f"server-{len(servers)}", path, *options))
        return servers[-1]

    try:
        yield run
    finally:
        for server in servers:
            server.stop()


@pytest.fixture(params=[pytest.param(name, marks=mark) for name, mark in needs_program.items()])
def start_each(start: Start, request: pytest.FixtureRequest) -> Start:
    """Start servers of each kind that is installed."""
    return lambda *options: start(*options, program=request.param)


@pytest.fixture
def ask(run_module: RunModule, tmp_path: Path) -> Ask:
    def run(
        url: str | None = None,
        *,
        check: bool = False,
        env: dict[str, str] | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        named = {} if url is None else {"redis_url": url}
        answer = run_module(
            "redis_health",
            {**named, "state_dir": str(tmp_path / "state"), **options},
            check=check,
            env=env,
        )
        said = json.dumps(answer, ensure_ascii=False)
        assert PASSWORD not in said
        assert ENCODED not in said
        for file in (tmp_path / "state").glob("*"):
            assert PASSWORD not in file.read_text() + file.name
        return answer

    return run
