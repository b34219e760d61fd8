"""What the tests of pg_backup share: the module on a database, and what lies in its folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.repository import (
    Backup,
    Listing,
    list_backups,
)

#: Runs the module: ``take(check=True, form="custom")``.
Take = Callable[..., dict[str, Any]]

#: Statements for a database with something of most kinds, also of those that dumps stumble over.
EVERYTHING = [
    "CREATE TYPE mood AS ENUM ('good', 'bad')",
    "CREATE DOMAIN positive AS int CHECK (value > 0)",
    """CREATE TABLE "Größe, ""x\"\"" (
      id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood, p positive, r int4range, j jsonb,
      b bytea, t timestamptz DEFAULT now(), twice int GENERATED ALWAYS AS (p * 2) STORED)""",
    """INSERT INTO "Größe, ""x\"\"" (m, p, r, j, b)
      SELECT 'good', g, int4range(g, g + 3), '{"a": [1, null]}', '\\x00ff'
      FROM generate_series(1, 50) g""",
    "CREATE TABLE parts (at int, what text) PARTITION BY RANGE (at)",
    "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)",
    "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20)",
    "INSERT INTO parts SELECT g, 'x' FROM generate_series(0, 19) g",
    "CREATE TABLE mother (a int)",
    "CREATE TABLE child (b int) INHERITS (mother)",
    "INSERT INTO mother VALUES (1)",
    "INSERT INTO child VALUES (1, 2), (3, 4)",
    "CREATE UNLOGGED TABLE cache (a int)",
    "INSERT INTO cache VALUES (1)",
    "CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM parts",
    "CREATE MATERIALIZED VIEW later AS SELECT 1 AS a WITH NO DATA",
    "CREATE TABLE secret (a int)",
    "ALTER TABLE secret ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE secret FORCE ROW LEVEL SECURITY",
    "INSERT INTO secret VALUES (1), (2)",
    "SELECT lo_from_bytea(0, 'large')",
    "CREATE SEQUENCE unused",
    "COMMENT ON TABLE parts IS 'a ''comment'''",
]


def listing(folder: Path, database: str = "shop") -> Listing:
    return list_backups(str(folder), database)


def names(folder: Path, database: str = "shop") -> list[str]:
    """The backups of a database; all are verified, and there is nothing else."""
    found = listing(folder, database)
    assert [backup.problem for backup in found.backups if not verified(backup)] == []
    assert (found.partial, found.foreign) == ([], [])
    return [str(backup.name) for backup in found.backups]


def verified(backup: Backup) -> bool:
    return backup.manifest is not None and backup.manifest.level == 3


def for_the_owner_alone(folder: Path) -> bool:
    """Whether no one else can read anything in a folder."""
    paths = [folder, *folder.rglob("*")]
    return not any(stat.S_IMODE(os.lstat(path).st_mode) & 0o077 for path in paths)


def program(path: Path, text: str) -> str:
    """A program of a test's own."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def actions(answer: dict[str, Any], status: str = "done") -> list[tuple[str, str]]:
    return [
        (each["name"], each["subject"]) for each in answer["actions"] if each["status"] == status
    ]


def reason(answer: dict[str, Any], subject: str = "shop") -> str:
    """Why the backup of a database failed."""
    (found,) = [each for each in answer["actions"] if each["subject"] == subject]
    assert found["status"] == "failed", found
    return str(found["reason"])
