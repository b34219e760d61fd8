"""What the tests of backups share: a backup of a database, as pg_backup makes it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup import (
    checksums,
    contents,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.manifest import (
    Manifest,
    Proof,
    write_manifest,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.naming import (
    folder_of,
    format_time,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url


def take(url: str, programs: Path, backup_dir: Path, **changes: Any) -> Path:
    """Back up a database that no one writes to; returns the path of the backup."""
    target = parse_url(url)
    found = contents.read_contents(target, 60, 5)
    started = time.time()
    name = f"{format_time(started)}.dir"
    folder = backup_dir / folder_of(target.database)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    version = subprocess.run(
        [programs / "pg_dump", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[2]
    dump = [programs / "pg_dump", f"--dbname={url}", "--format=directory", "--jobs=2"]
    subprocess.run([*dump, f"--file={path}"], check=True, env=os.environ)
    files = checksums.checksum_files(str(path), lambda: None)
    values: dict[str, Any] = {
        "name": name,
        "database": target.database,
        "started": started,
        "finished": time.time(),
        "bytes": sum(file.bytes for file in files),
        "files": files,
        "compression": "gzip:1",
        "client_version": version,
        "server_version": int(version.split(".")[0]) * 10000,
        "system_identifier": "",
        "database_bytes": found.bytes,
        "tables": found.tables,
        "sequences": found.sequences,
        "large_objects": found.large_objects,
        "extensions": found.extensions,
        "roles": found.roles,
        "properties": found.properties,
        "proofs": (Proof(3, time.time(), 0.1, 3),),
        **changes,
    }
    write_manifest(str(folder / name.replace(".dir", ".manifest.json")), Manifest(**values))
    return path
