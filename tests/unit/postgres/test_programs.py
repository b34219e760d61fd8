"""Which of the installed client programs are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres import programs
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs of several versions in folders of their own, and one of them in PATH."""
    for folder, version in (("14", "14.9"), ("15", "15.4"), ("17", "17.2"), ("path", "15.4")):
        path = tmp_path / folder / "pg_dump"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")
        path.chmod(0o755)
    monkeypatch.setattr(programs, "FOLDERS", (f"{tmp_path}/1?",))
    monkeypatch.setenv("PATH", str(tmp_path / "path"), prepend=":")
    return tmp_path


@pytest.mark.parametrize(("server", "folder"), [(14, "14"), (15, "15"), (16, "17")])
def test_the_oldest_that_are_not_older_than_the_server(
    installed: Path, server: int, folder: str
) -> None:
    """And a folder with all programs rather than the wrappers in PATH of the same version."""
    assert programs.find_programs(server * 10000).folder == str(installed / folder)


def test_older_ones_are_not_used(installed: Path) -> None:
    with pytest.raises(NotCollected, match=r"pg_dump 17\.2 is older than the server"):
        programs.find_programs(180000)


@pytest.mark.parametrize("query", ["", "?options=-c%20geqo%3Doff"])
def test_sessions_have_the_settings_beside_those_of_the_url(query: str) -> None:
    with programs.login(parse_url(f"postgresql://app@db/shop{query}")) as login:
        plain = login.command("/bin/pg_restore")
        given = login.command("/bin/pg_restore", settings={"work_mem": "8MB", "jit": "off"})
    assert ("options" in plain.argv[1]) == bool(query)
    own = "-c geqo=off " if query else ""
    assert f"options='{own}-c work_mem=8MB -c jit=off'" in given.argv[1]
