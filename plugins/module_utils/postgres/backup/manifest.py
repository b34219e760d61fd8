# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a backup: what it holds, of what it was taken, and how far it is proven.

It lies beside the backup as JSON. Its checksum shows that no one has edited it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ...core.errors import NotCollected
from ...core.files import write_atomically

#: Version of the format; a reader refuses any other.
FORMAT = 1

#: Levels of proof; each implies those before it.
LEVELS: Mapping[int, str] = {
    0: "not verified",
    1: "complete: files, sizes and checksums are right",
    2: "readable: its table of contents holds every table",
    3: "decoded: all data could be read",
    4: "restored: without an error",
    5: "compared: every row count is that of the snapshot",
    6: "checked: every index holds every row",
}
#: The level from which a backup counts as verified, for retention and for its age.
VERIFIED = 3
#: The level from which a backup has been restored as a test.
RESTORED = 4


@dataclass(frozen=True)
class Table:
    """A table, partitioned table or materialised view, with its rows in the snapshot."""

    schema: str
    name: str
    kind: str
    """``r``, ``p`` or ``m``, as in pg_class.relkind."""
    rows: int


@dataclass(frozen=True)
class File:
    """One file of the backup."""

    path: str
    """Below the backup; empty if the backup is one file."""
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Proof:
    """One verification, and how far it came.

    One that could not be carried out (no server, no space) says nothing about the backup, and is
    not recorded.
    """

    level: int
    """One of `LEVELS`: the highest that was reached."""
    at: float
    """Unix time of its end."""
    seconds: float
    """How long it took; from level 4 on, this is the measured time to restore."""
    wanted: int
    """The level that was asked for; the backup is bad if it was not reached."""
    where: str = ""
    """Server that it was restored to, from level 4 on."""
    problem: str = ""
    """Why the level that was asked for was not reached; empty if it was."""


@dataclass(frozen=True)
class Manifest:
    """What is known about one backup."""

    name: str
    """File name of the backup: ``20261128T030000Z.dir``."""
    database: str
    """Empty for globals."""
    started: float
    """Unix time of the snapshot, by the clock of the host that took the backup."""
    finished: float
    bytes: int
    """Size of all files together."""
    files: tuple[File, ...]
    compression: str
    """``zstd:3``, ``gzip:1``, ``none``, as the program was told."""
    client_version: str
    """Version of pg_dump: ``15.19``. pg_restore must be at least of this major version."""
    server_version: int
    """As PostgreSQL counts it: 150019."""
    system_identifier: str
    """Of the cluster; empty if the role lacks permission to read it."""
    database_bytes: int
    """pg_database_size when the backup was taken."""
    tables: tuple[Table, ...] = ()
    """Exact counts, taken in the snapshot of the dump."""
    sequences: tuple[tuple[str, str, int | None], ...] = ()
    """Schema, name and last value (none if never used) of each sequence."""
    large_objects: int = 0
    extensions: tuple[tuple[str, str, str], ...] = ()
    """Name, version and schema of each extension."""
    roles: tuple[str, ...] = ()
    """Roles that own something or are granted something in the database."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Of the database: owner, encoding, collation, settings, grants, comment."""
    toc_entries: int = 0
    """Entries in the archive's table of contents."""
    recipients: tuple[str, ...] = ()
    """Public keys that it is encrypted for."""
    proofs: tuple[Proof, ...] = ()
    """Every verification, oldest first."""

    @property
    def level(self) -> int:
        """The highest level of proof that was reached; 0 if the last verification failed."""
        if not self.proofs or self.proofs[-1].problem:
            return 0
        return max(proof.level for proof in self.proofs)

    @property
    def verified(self) -> bool:
        """Whether it counts as a backup for retention and age."""
        return self.level >= VERIFIED

    @property
    def restored(self) -> Proof | None:
        """Its last successful test restore."""
        good = (proof for proof in reversed(self.proofs) if not proof.problem)
        return next((proof for proof in good if proof.level >= RESTORED), None)

    def with_proof(self, proof: Proof) -> Manifest:
        """The manifest after one more verification."""
        return replace(self, proofs=(*self.proofs, proof))


def write_manifest(path: str, manifest: Manifest) -> None:
    """Write it in one step, flushed to disk, readable for its owner alone; raises OSError."""
    content = {"format": FORMAT, **asdict(manifest)}
    content["checksum"] = _checksum(content)
    write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_manifest(path: str) -> Manifest:
    """Read and check it; raises `NotCollected` if it is missing, damaged, edited or too new."""
    try:
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream)
    except OSError as error:
        raise NotCollected(f"its manifest cannot be read ({error.strerror})") from None
    except ValueError:
        raise NotCollected("its manifest is damaged: it is not JSON") from None
    if not isinstance(content, dict) or "format" not in content:
        raise NotCollected("its manifest was not written by this collection")
    if content["format"] != FORMAT:
        raise NotCollected(
            f"its manifest has format {content['format']}, this version reads format {FORMAT}"
        )
    if content.pop("checksum", "") != _checksum(content):
        raise NotCollected("its manifest was edited or damaged: its checksum is wrong")
    del content["format"]
    try:
        return _from_json(content)
    except (TypeError, ValueError):
        raise NotCollected("its manifest lacks fields or has others") from None


def _from_json(content: dict[str, Any]) -> Manifest:
    return Manifest(
        **{
            **content,
            "files": tuple(File(**item) for item in content["files"]),
            "tables": tuple(Table(**item) for item in content["tables"]),
            "proofs": tuple(Proof(**item) for item in content["proofs"]),
            "sequences": tuple(tuple(item) for item in content["sequences"]),
            "extensions": tuple(tuple(item) for item in content["extensions"]),
            "roles": tuple(content["roles"]),
            "recipients": tuple(content["recipients"]),
        }
    )


def _checksum(content: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in content.items() if key != "checksum"}
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
