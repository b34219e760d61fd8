# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in the folder of the backups: backups, unfinished ones, and what is not ours."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ...core.errors import NotCollected
from ...core.files import PARTIAL
from .manifest import Manifest, read_manifest
from .naming import GLOBALS_FOLDER, Name, database_of, folder_of, manifest_time, parse_name

#: The file that `exclusive_lock` is taken on, in the folder of the backups.
LOCK = ".lock"
#: Folders at the top of a file system that it makes itself.
OF_THE_SYSTEM = ("lost+found",)


@dataclass(frozen=True)
class Backup:
    """A backup that is complete by its name, and its manifest."""

    folder: str
    """Path of the folder that it lies in."""
    name: Name
    manifest: Manifest | None
    problem: str = ""
    """Why there is no usable manifest; empty if there is."""

    @property
    def path(self) -> str:
        return os.path.join(self.folder, str(self.name))

    @property
    def manifest_path(self) -> str:
        return os.path.join(self.folder, self.name.manifest)

    @property
    def verified(self) -> bool:
        return self.manifest is not None and self.manifest.verified


@dataclass(frozen=True)
class Foreign:
    """Something in the folder that is no usable backup."""

    path: str
    reason: str


@dataclass
class Listing:
    """The content of one database's folder."""

    database: str
    backups: list[Backup] = field(default_factory=list)
    """Oldest first, by the time in their names."""
    partial: list[str] = field(default_factory=list)
    """Paths of what a run has not finished."""
    foreign: list[Foreign] = field(default_factory=list)
    """Broken backups, and what this collection did not write."""

    def newest_verified(self) -> Backup | None:
        return next((backup for backup in reversed(self.backups) if backup.verified), None)


def list_databases(backup_dir: str) -> list[str]:
    """The databases that have a folder; raises `NotCollected` if the folder cannot be read."""
    names = (
        database_of(name)
        for name in _entries(backup_dir)
        if name not in OF_THE_SYSTEM and os.path.isdir(os.path.join(backup_dir, name))
    )
    return sorted(filter(None, names))


def folder_path(backup_dir: str, database: str) -> str:
    """The folder of one database's backups, or of the globals' if ``database`` is empty."""
    return os.path.join(backup_dir, folder_of(database) if database else GLOBALS_FOLDER)


def list_backups(backup_dir: str, database: str) -> Listing:
    """The backups of one database, or of the globals if ``database`` is empty.

    A missing folder is an empty one. Raises `NotCollected` if it cannot be read.
    """
    folder = folder_path(backup_dir, database)
    listing = Listing(database)
    if not os.path.lexists(folder):
        return listing
    entries = sorted(_entries(folder))
    names = {found.time: found for entry in entries if (found := parse_name(entry))}
    for entry in entries:
        path = os.path.join(folder, entry)
        name = parse_name(entry)
        if entry.startswith(PARTIAL):
            listing.partial.append(path)
        elif name is not None and names[name.time] == name:
            listing.backups.append(read_backup(folder, name, database))
        elif name is not None:
            listing.foreign.append(Foreign(path, "another backup has the same time"))
        elif not manifest_time(entry):
            listing.foreign.append(Foreign(path, "not written by this collection"))
        elif manifest_time(entry) not in names:
            listing.foreign.append(Foreign(path, "the backup of this manifest is missing"))
    listing.foreign += [
        Foreign(backup.path, backup.problem) for backup in listing.backups if backup.problem
    ]
    return listing


def read_backup(folder: str, name: Name, database: str | None = None) -> Backup:
    """One backup and its manifest; ``database`` is the one it must be of, none for any."""
    try:
        manifest = read_manifest(os.path.join(folder, name.manifest))
    except NotCollected as error:
        return Backup(folder, name, None, str(error))
    if manifest.name != str(name):
        return Backup(folder, name, None, f"its manifest is that of {manifest.name}")
    if database is not None and manifest.database != database:
        return Backup(folder, name, None, f"it is a backup of database '{manifest.database}'")
    return Backup(folder, name, manifest)


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        raise NotCollected(
            f"{folder} does not exist",
            "Take the first backup with playbooks/backup.yml if there is none yet; else mount the"
            " disk of the backups, or correct backup_dir.",
        ) from None
    except OSError as error:
        raise NotCollected(
            f"{folder} cannot be read: {error.strerror}",
            "Check backup_dir, and run this as the user who owns the backups.",
        ) from None
