"""Which of several systemd units is that of the Redis at an address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.programs import Program
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.units import Unit
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import Endpoint
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.recovery import collect
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.recovery.options import (
    Options,
)


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Unit]:
    """The usual one on port 6379, and an instance on port 6380."""
    found = []
    for name, port in (("redis-server", 6379), ("redis-server@jobs", 6380)):
        file = tmp_path / f"{port}.conf"
        file.write_text(f"port {port}\nunixsocket /run/{port}.sock\n")
        command = f"{{ argv[]=/usr/bin/redis-server {file} --daemonize no ; }}"
        found.append(Unit(f"{name}.service", active="failed", pid=port, command=command))

    def read_units(names: Sequence[str]) -> list[Unit]:
        return found

    monkeypatch.setattr(collect, "read_units", read_units)
    monkeypatch.setattr(collect, "unit_of", lambda pid: found[1] if pid == 6380 else None)
    return found


@pytest.mark.parametrize(
    ("endpoint", "at"),
    [
        (Endpoint("127.0.0.1", 6379), 0),
        (Endpoint("127.0.0.1", 6380), 1),
        (Endpoint("127.0.0.1", 6381), None),
        (Endpoint(path="/run/6380.sock"), 1),
        (Endpoint(path="/run/other.sock"), None),
    ],
)
def test_the_unit_of_an_address(units: list[Unit], endpoint: Endpoint, at: int | None) -> None:
    unit = collect._unit(Options(endpoint), None)
    assert unit == (None if at is None else units[at])


def test_files_that_cannot_be_read(units: list[Unit], tmp_path: Path) -> None:
    for file in tmp_path.iterdir():
        file.unlink()
    options = Options(Endpoint("127.0.0.1", 6380))
    assert collect._unit(options, None) is None, "it may be either"
    del units[1]
    assert collect._unit(options, None) == units[0]


def test_a_mask_counts_more_than_an_alias(units: list[Unit]) -> None:
    masked = replace(units[0], load="masked", command="")
    units[:] = [masked, replace(units[0], name="redis.service")]
    file = units[1].command.split()[2]
    options = Options(Endpoint("127.0.0.1", 6379), config_file=file)
    assert collect._unit(options, None) == masked


def test_one_that_hangs(units: list[Unit]) -> None:
    options = Options(Endpoint("127.0.0.1", 6379))
    assert collect._unit(options, Program(6380, "redis-server", "S", "")) == units[1]
    assert collect._unit(options, Program(7, "redis-server", "S", "")) is None, "in a container"
