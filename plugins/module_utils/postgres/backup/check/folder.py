# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in the folder of this collection's backups, without reading their content."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress

from ....core.errors import NotCollected
from ....core.files import PARTIAL
from ....core.lock import lock_holder
from ..manifest import Manifest, Proof
from ..naming import GLOBALS_FOLDER, database_of
from ..repository import LOCK, OF_THE_SYSTEM, Backup, Listing, list_backups
from ..space import expected_bytes
from .snapshot import Copy, Folder, Restored, Series, Stray

#: Seconds since it was last written, within which a partial file may belong to a run whose lock is
#: not visible here, such as that of another host.
_FRESH = 600
GLOBALS = "roles and other globals"


def read_folder(path: str, keep_free: int = 0) -> tuple[Folder, dict[str, Listing]]:
    """The folder, and the backups of each database in it; those of the globals have no name.

    ``keep_free`` is what must stay free on its disk. Raises `NotCollected` if the folder cannot be
    read. One that does not exist is empty.
    """
    try:
        names = sorted(os.listdir(path))
        disk = os.statvfs(path)
    except FileNotFoundError:
        return Folder(path, exists=False), {}
    except OSError as error:
        raise NotCollected(
            f"{path} cannot be read: {error.strerror}",
            "Check backup_dir, and run this as the user who owns the backups (backup_user).",
        ) from None
    running = _holder(os.path.join(path, LOCK))
    listings: dict[str, Listing] = {}
    strays: list[Stray] = []
    for name in names:
        if name == LOCK or name in OF_THE_SYSTEM:
            continue
        entry = os.path.join(path, name)
        database = database_of(name)
        if os.path.isdir(entry) and (database or name == GLOBALS_FOLDER):
            listing = listings[database] = list_backups(path, database)
            strays += _strays(listing, running)
        else:
            strays.append(Stray(entry, _what_it_is(name)))
    folder = Folder(
        path,
        free=max(0, disk.f_bavail * disk.f_frsize - keep_free),
        read_only=bool(disk.f_flag & os.ST_RDONLY),
        running=running,
        strays=tuple(strays),
    )
    return folder, listings


def series_of(listing: Listing, running: int = 0, database_bytes: int | None = None) -> Series:
    """The backups of one database, each judged by its manifest and the sizes of its files.

    ``database_bytes`` is its size now; none if not known.
    """
    newest = listing.newest_verified()
    if database_bytes is None and newest is not None and newest.manifest is not None:
        database_bytes = newest.manifest.database_bytes
    return Series(
        listing.database or GLOBALS,
        tuple(_copy(backup) for backup in listing.backups if backup.manifest),
        globals=not listing.database,
        busy=bool(running and listing.partial),
        next_bytes=expected_bytes(database_bytes, listing.backups) if database_bytes else None,
    )


def _copy(backup: Backup) -> Copy:
    manifest = backup.manifest
    assert manifest is not None  # noqa: S101 - checked by the caller
    last = manifest.proofs[-1] if manifest.proofs else None
    problem = _damage(backup, manifest)
    if not problem and last is not None and last.problem:
        problem = f"its verification failed: {last.problem}"
    name = backup.name
    packed = " ".join(["zstd"] * name.zstd + ["age"] * name.encrypted)
    return Copy(
        label=str(name),
        started=manifest.started,
        bytes=manifest.bytes,
        verified=manifest.verified,
        level=manifest.level,
        problem=problem,
        kind=f"{name.form} {packed} {manifest.compression}",
        rows={f"{table.schema}.{table.name}": table.rows for table in manifest.tables},
        restored=_restored(manifest.restored),
        client_version=manifest.client_version,
        system_identifier=manifest.system_identifier,
    )


def _restored(proof: Proof | None) -> Restored | None:
    return Restored(proof.at, proof.level, proof.seconds, proof.where) if proof else None


def _damage(backup: Backup, manifest: Manifest) -> str:
    """Whether a file is missing, or has another size than when it was written."""
    for file in manifest.files:
        path = os.path.join(backup.path, file.path) if file.path else backup.path
        what = file.path or "the file"
        try:
            size = os.stat(path).st_size
        except FileNotFoundError:
            return f"{what} is missing"
        except OSError as error:
            return f"{what} cannot be read: {error.strerror}"
        if size != file.bytes:
            return f"{what} has {size:,} bytes instead of {file.bytes:,}"
    return ""


def _strays(listing: Listing, running: int) -> Iterator[Stray]:
    """What is no usable backup in the folder of one database."""
    unfinished = {path.rpartition("-")[2].partition(".")[0] for path in listing.partial}
    for foreign in listing.foreign:
        is_backup = any(foreign.path == backup.path for backup in listing.backups)
        time_of = os.path.basename(foreign.path).partition(".")[0]
        if is_backup and time_of in unfinished:
            continue  # killed between the two renames: the next run completes it
        yield Stray(foreign.path, foreign.reason, broken=is_backup)
    for path in [] if running else listing.partial:
        if not _fresh(path):
            yield Stray(path, "left behind by a run that was killed; the next backup removes it")
    for backup in listing.backups:
        if backup.manifest is None:
            continue
        problem = _copy(backup).problem
        if problem:
            yield Stray(backup.path, problem, broken=True)
        elif mode := _open_to_others(backup):
            yield Stray(backup.path, f"other users of this host can read it (mode {mode})")


def _fresh(path: str) -> bool:
    with suppress(OSError):
        newest = max(os.stat(each).st_mtime for each in (path, *_inside(path)))
        return time.time() - newest < _FRESH
    return False


def _inside(path: str) -> Iterator[str]:
    if os.path.isdir(path):
        yield from (os.path.join(path, name) for name in os.listdir(path))


def _open_to_others(backup: Backup) -> str:
    """The mode of a backup that others can get at, in a folder that lets them; else empty."""
    with suppress(OSError):
        own, above = os.stat(backup.path).st_mode, os.stat(backup.folder).st_mode
        if own & 0o077 and above & 0o011 and own & (0o044 | 0o011):
            return f"{stat.S_IMODE(own):04o}"
    return ""


def _what_it_is(name: str) -> str:
    if name.startswith(PARTIAL):
        return "left behind by a run that was killed"
    if name.endswith((".sql.gz", ".sql")):
        return "a dump that nothing proves: 'gzip -t' passes on an empty one, too"
    return "not written by this collection"


def _holder(path: str) -> int:
    """The process that holds the lock of the backups; 0 if none does. Takes no lock itself."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return lock_holder(handle)
    finally:
        os.close(handle)
