"""Which of several systemd units is that of the PostgreSQL at an address."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.programs import Program
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.units import Unit
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.recovery import collect
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.recovery.clusters import (
    Cluster,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.recovery.options import (
    Options,
)

WRAPPER = Unit("postgresql.service", active="active", command="{ argv[]=/bin/true ; }")
OWN = Unit("postgresql.service", enabled="enabled", command="{ argv[]=/usr/bin/postgres ; }")
OLD = Unit("postgresql-15.service", enabled="enabled")
NEW = Unit("postgresql-16.service", enabled="disabled")


@pytest.mark.parametrize(
    ("units", "unit"),
    [
        ([WRAPPER], None),  # it would restart every cluster of the host
        ([OWN], OWN),
        ([NEW], NEW),
        ([NEW, OLD], OLD),
        ([OLD, OWN], None),
    ],
)
def test_the_unit_without_a_cluster_of_debian(
    units: list[Unit], unit: Unit | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_units(names: Sequence[str]) -> list[Unit]:
        return [each for each in units if each.name in names]

    monkeypatch.setattr(collect, "read_units", read_units)
    assert collect._unit(Options(), Cluster()) == unit


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        ("LANG=C PGDATA=/var/lib/pgsql/data PG_OOM_ADJUST_FILE=/x", "{ argv[]=p -D ${PGDATA} ; }"),
        ("", "{ argv[]=/usr/bin/postgres -D /var/lib/pgsql/data ; ignore_errors=no ; }"),
    ],
)
def test_the_data_directory_by_the_unit(environment: str, command: str) -> None:
    unit = Unit("postgresql.service", environment=environment, command=command)
    assert collect._data_of_unit(unit) == "/var/lib/pgsql/data"
    assert collect._data_of_unit(OWN) == collect._data_of_unit(None) == ""
    assert environment == "" or environment not in repr(unit)


def test_the_only_server_that_runs_is_not_taken_for_one_on_another_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "working_directory", lambda pid: str(tmp_path))
    main = Program(5, "postgres", "S", "")
    file = tmp_path / "postmaster.pid"
    file.write_text(f"5\n{tmp_path}\n1700000000\n5433\n")
    assert collect._data_of_main([main], 5433) == str(tmp_path)
    assert collect._data_of_main([main], 5432) == ""
    file.write_text("5\n")
    assert collect._data_of_main([main], 5432) == str(tmp_path), "it is about to start"
