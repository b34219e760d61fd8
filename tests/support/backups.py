"""Backups as the check of them sees them: as plain data, and as files without much content."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.check import (
    assess,
    checks,
    options,
    snapshot,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.manifest import (
    File,
    Manifest,
    Proof,
    Table,
    write_manifest,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.naming import (
    folder_of,
    format_time,
)

# The full names of these are too long for a line.
CHECKS = checks.CHECKS
Options = options.Options
Copy = snapshot.Copy
Folder = snapshot.Folder
Restored = snapshot.Restored
Series = snapshot.Series
Server = snapshot.Server
Snapshot = snapshot.Snapshot
Stray = snapshot.Stray

#: Runs a module with options that a fixture adds to.
Module = Callable[..., dict[str, Any]]

HOUR, DAY = 3600.0, 86400.0
#: A Saturday, nine o'clock in the morning, UTC.
NOW = 1795856400.0
#: A server that has been there for years.
OLD = Server(str(int(NOW - 1000 * DAY) << 32), "shop", {"shop": 10_000_000})


def copy(hours: float = 6, **changes: Any) -> Copy:
    """A verified backup, so many hours old."""
    plain = Copy(
        label=f"{format_time(NOW - hours * HOUR)}.dir",
        started=NOW - hours * HOUR,
        bytes=1_000_000,
        verified=True,
        level=3,
        kind="dir",
        rows={"public.orders": 1000},
        client_version="18.6",
    )
    return replace(plain, **changes)


def nightly(nights: int = 7, **changes: Any) -> tuple[Copy, ...]:
    """A backup of each night, the last one this morning, at three."""
    return tuple(copy(6 + 24 * back, **changes) for back in reversed(range(nights)))


def checks_of(
    *copies: Copy,
    thresholds: Mapping[str, Any] | None = None,
    server: Server = OLD,
    too_new: frozenset[int] = frozenset(),
    **more: Any,
) -> dict[str, Check]:
    """The checks of one database with these backups, by what they are about: age, proof …"""
    series = Series(subject="shop", copies=copies, **more)
    seen = Snapshot(NOW, (series,), None, server, too_new)
    found = assess.assess(seen, Options("/backups"), Thresholds(CHECKS, thresholds))
    return {check.name.partition(".")[2]: check for check in found}


def put_backup(
    backup_dir: Path, database: str, hours: float = 6, form: str = "dump", **changes: Any
) -> Path:
    """A backup on disk, so many hours old, with a manifest that fits."""
    folder = backup_dir / folder_of(database) if database else backup_dir / "@globals"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    backup_dir.chmod(0o700)
    started = time.time() - hours * HOUR
    path = folder / f"{format_time(started)}.{form}"
    content = b"x" * 1000
    files = []
    for name in ["toc.dat", "1.dat"] if form == "dir" else [""]:
        file = path / name if name else path
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o600)
        files.append(File(name, len(content), hashlib.sha256(content).hexdigest()))
    plain = Manifest(
        name=path.name,
        database=database,
        started=started,
        finished=started + 1,
        bytes=sum(file.bytes for file in files),
        files=tuple(files),
        compression="gzip:1",
        client_version="14.0",
        server_version=140000,
        system_identifier="",
        database_bytes=10_000_000,
        tables=(Table("public", "orders", "r", 1000),),
        proofs=(Proof(3, started + 2, 0.1, 3),),
    )
    write_manifest(str(folder / f"{format_time(started)}.manifest.json"), replace(plain, **changes))
    return path
