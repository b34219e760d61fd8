"""The migrations of the database against those of a release."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.schema import (
    applied,
    known,
    unknown_to,
)


@dataclass
class Files:
    folders: dict[str, list[str]] = field(default_factory=dict)

    def read(self, path: str) -> str:
        return ""

    def names(self, folder: str) -> list[str]:
        return self.folders.get(folder, [])


@pytest.mark.parametrize(
    ("folder", "entries", "names"),
    [
        ("db/migrations", ["20260105_a.up.sql", "20260105_a.down.sql"], ("20260105_a",)),
        ("prisma/migrations", ["20260105_a", "migration_lock.toml"], ("20260105_a",)),
        ("migrations", ["20260105_a.js", "20260106_b.ts"], ("20260105_a", "20260106_b")),
        ("elsewhere", ["20260105_a.js"], ()),
    ],
)
def test_what_a_release_knows(folder: str, entries: list[str], names: tuple[str, ...]) -> None:
    assert known(Files({folder: entries}), "") == names


def test_a_folder_of_the_operators_own() -> None:
    files = Files({"sql": ["1_a.sql"], "db/migrations": ["2_b.sql"]})
    assert known(files, "sql") == ("1_a",)


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("1_a\n2_b.js\n", ("1_a", "2_b")),
        ("> app@1.0.0 db:status\n> node x\n\napplied  1_a  2026\npending  2_b\n", ("1_a",)),
        ("unknown   3_c  (applied by another release)\n", ("3_c",)),
        ("pending 1_a\n", ()),
        ("", ()),
        ("Error: connect ECONNREFUSED\n", None),
    ],
)
def test_what_the_database_has(output: str, names: tuple[str, ...] | None) -> None:
    assert applied(output) == names


def test_what_the_release_does_not_know() -> None:
    assert unknown_to(["1"], ["1", "2", "3"], []) == ["2", "3"]
    assert unknown_to(["1"], ["1", "2", "3"], ["2.up.sql"]) == ["3"]
    assert unknown_to(["1", "9"], ["1"], []) == []
