"""Names of backups and folders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.naming import (
    GLOBALS_FOLDER,
    Name,
    database_of,
    folder_of,
    format_time,
    manifest_time,
    parse_name,
    parse_time,
)

NAMES = [
    Name("20261128T030000Z", "dir"),
    Name("20261128T030000Z", "dump"),
    Name("20261128T030000Z", "dump", zstd=True),
    Name("20261128T030000Z", "dump", zstd=True, encrypted=True),
    Name("20261128T030000Z", "sql", encrypted=True),
]


@pytest.mark.parametrize("name", NAMES, ids=str)
def test_a_name_is_read_as_it_is_written(name: Name) -> None:
    assert parse_name(str(name)) == name
    assert manifest_time(name.manifest) == name.time


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20261128T030000Z",
        "20261128T030000Z.tar",
        "20261328T030000Z.dir",
        "x20261128T030000Z.dir",
        "20261128T030000Z.dir.bak",
        "20261128T030000Z.manifest.json",
        Name("20261128T030000Z", "dir").partial("4711"),
        "backup-20261128.sql.gz",
    ],
)
def test_nothing_else_is_a_backup(text: str) -> None:
    assert parse_name(text) is None


@given(st.text(min_size=1, max_size=63).filter(lambda text: "\0" not in text))
def test_every_database_has_a_folder_of_its_own(database: str) -> None:
    if database.encode(errors="replace").decode() != database:
        return  # a lone surrogate is no text
    folder = folder_of(database)
    assert "/" not in folder
    assert not folder.startswith((".", "@"))
    assert database_of(folder) == database


def test_the_folder_of_the_globals_belongs_to_no_database() -> None:
    assert database_of(GLOBALS_FOLDER) == ""
    assert folder_of(GLOBALS_FOLDER) != GLOBALS_FOLDER


def test_times_are_utc() -> None:
    assert format_time(1795834800) == "20261128T030000Z"
    assert parse_time("20261128T030000Z") == 1795834800
