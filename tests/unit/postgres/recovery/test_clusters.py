"""Which of Debian's clusters has a port, whichever file says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.recovery import clusters

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make a cluster; returns its configuration file."""
    monkeypatch.setattr(
        clusters, "_CLUSTERS", str(tmp_path / "etc" / "*" / "*" / "postgresql.conf")
    )

    def run(version: str, name: str, text: str, *, start: str = "auto") -> Path:
        folder, data = tmp_path / "etc" / version / name, tmp_path / "data" / version / name
        folder.mkdir(parents=True)
        data.mkdir(parents=True)
        (folder / "start.conf").write_text(f"# comment: auto\n{start}\n")
        (folder / "postgresql.conf").write_text(f"data_directory = '{data}'\n{text}")
        return folder / "postgresql.conf"

    return run


def test_where_the_port_is_set(make: Make, tmp_path: Path) -> None:
    plain = make("15", "main", "#port = 5499\nport = 5432\t# (change requires restart)\n")
    included = make("15", "jobs", "port = 5432\ninclude_dir = 'conf.d'\n")
    (included.parent / "conf.d").mkdir()
    (included.parent / "conf.d" / "own.conf").write_text("port 5433\nlog_directory '/var/log/j'\n")
    altered = make("15", "shop", "Port=5434\n")
    (tmp_path / "data" / "15" / "shop" / "postgresql.auto.conf").write_text("port = '5435'\n")
    found = {port: clusters.cluster_on(port) for port in (5432, 5433, 5434, 5435)}
    assert found[5432].config == str(plain)
    assert found[5433].config == str(included)
    assert (found[5433].version_and_name, found[5433].logs) == ("15-jobs", "/var/log/j")
    assert found[5434] == clusters.Cluster()
    assert found[5435].config == str(altered)
    assert found[5435].logs == str(tmp_path / "data" / "15" / "shop" / "log")


def test_an_old_one_with_the_same_port(make: Make) -> None:
    make("13", "main", "port = 5432\n", start="manual")
    new = make("15", "main", "port = 5432\n")
    assert clusters.cluster_on(5432).config == str(new)
    make("16", "main", "port = 5432\n")
    assert clusters.cluster_on(5432) == clusters.Cluster(), "it may be either"


def test_files_that_include_each_other(make: Make) -> None:
    config = make("15", "main", "include 'postgresql.conf'\ninclude 'absent.conf'\nport = 5432\n")
    assert clusters.cluster_on(5432).config == str(config)
