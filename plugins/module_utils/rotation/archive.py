# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of logs: copied, flushed, verified; then, and only then, the source is removed.

A rotated log is renamed first, so that logrotate leaves it alone. Beside each archive is a file
that ``sha256sum --check`` reads, and that says that the archive is ours.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, Callable

from ..core.errors import NotCollected, Refused, RunbookError
from ..core.files import PARTIAL, free_bytes, sync_folder, write_atomically
from ..core.units import format_value
from ..linux.open_files import is_written, writers_of
from .naming import CLAIMED, Rotated, archive_folder, archive_name

_CHUNK = 1 << 20
_PROOF = ".sha256"
#: Seconds after which an incomplete file is one that was left.
_STALE = 86400.0
_OURS = "# gpt_agent.runbook log archive "

#: Called with the bytes of a source that are done; may raise to stop.
Watch = Callable[[int], None]


class InUse(Refused):
    """Someone still writes to a rotated log."""


class Damaged(RunbookError):
    """A compressed log that cannot be read."""


@dataclass(frozen=True)
class Archive:
    """An archive of ours."""

    path: str
    sha256: str
    """Of the archive itself."""
    content: str
    """SHA-256 of the lines in it."""
    archived: float
    """When it was made."""
    size: int


def claim(rotated: Rotated) -> Rotated:
    """Rename a rotated log, so that logrotate leaves it alone; none may be running meanwhile.

    Raises `InUse` or OSError.
    """
    if not rotated.claimed:
        _require_released(rotated.path)
        if os.path.lexists(rotated.path + CLAIMED):  # of the same second, by a run that was killed
            raise InUse(f"another of this name is archived first: {rotated.path + CLAIMED}")
        os.rename(rotated.path, rotated.path + CLAIMED)
    return replace(rotated, claimed=True)


def archive(rotated: Rotated, archive_dir: str, keep_free: int, watch: Watch) -> Archive:
    """Move a rotated log that is claimed to the archive; returns the verified archive.

    Raises `RunbookError` or OSError; the source then has its name again.
    """
    claimed = rotated.place
    try:
        found = _archive_claimed(claimed, rotated, archive_dir, keep_free, watch)
    except BaseException:
        _release(claimed, rotated.path)
        raise
    os.unlink(claimed)
    sync_folder(os.path.dirname(claimed))
    return found


def _release(claimed: str, path: str) -> None:
    with suppress(OSError):
        if not os.path.lexists(path):
            os.rename(claimed, path)


def _require_released(path: str) -> None:
    written = is_written(path)
    if written is False:
        return
    if written is None:
        raise InUse(f"whether someone still writes to {path} is not known: run this as root")
    status = os.stat(path)
    found = writers_of(frozenset({(status.st_dev, status.st_ino)}))
    who = ", ".join(each.described for each in found) or "a process that this user cannot see"
    raise InUse(f"{who} still writes to {path}")


def _archive_claimed(
    claimed: str, rotated: Rotated, archive_dir: str, keep_free: int, watch: Watch
) -> Archive:
    _require_released(claimed)
    folder = archive_folder(archive_dir, rotated.log)
    before = os.stat(claimed)
    _require_space(archive_dir, before.st_size, keep_free)
    _make_folders(folder, archive_dir)
    target, finished = _target(os.path.join(folder, archive_name(rotated)), claimed, rotated)
    if finished:
        sync_folder(folder)
        return finished
    # Another host may archive to the same folder at this moment.
    partial = os.path.join(folder, f"{PARTIAL}{os.uname().nodename}-{os.path.basename(target)}")
    try:
        content = _copy(claimed, partial, rotated.compressed, before, watch)
        found = _verified(partial, target, content)
        after = os.stat(claimed)
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise Refused(f"{claimed} has changed while it was copied")
        _require_released(claimed)
        _publish(partial, found, rotated)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise
    sync_folder(folder)
    return found


def _publish(partial: str, found: Archive, rotated: Rotated) -> None:
    """Give an archive its name, and its proof; raises `Refused` if another host took the name."""
    try:
        os.link(partial, found.path)
    except FileExistsError:
        raise Refused(
            f"another host has just made {found.path}: give each host an archive folder of its own"
        ) from None
    except OSError:  # a file system without links
        os.rename(partial, found.path)
    else:
        os.unlink(partial)
    try:
        _write_proof(found, rotated)
    except BaseException:
        os.unlink(found.path)
        raise


def _require_space(archive_dir: str, size: int, keep_free: int) -> None:
    free = free_bytes(archive_dir)
    if free - size < keep_free:
        raise Refused(
            f"{archive_dir} has {format_value(free, 'bytes')} free: {format_value(size, 'bytes')} "
            f"more would leave less than {format_value(keep_free, 'bytes')} (keep_free)"
        )


def require_folder(archive_dir: str) -> None:
    """Raises `NotCollected` if there is no folder for archives."""
    if not os.path.isdir(archive_dir):
        raise NotCollected(
            f"there is no folder {archive_dir}",
            "Mount the backups, or create it; it is not created here, as it may be a mount that "
            "is missing.",
        )


def _make_folders(folder: str, archive_dir: str) -> None:
    """The folders below that of the archives, which itself must be there."""
    require_folder(archive_dir)
    missing = []
    while folder != archive_dir and not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for each in reversed(missing):
        os.mkdir(each, 0o700)
        sync_folder(os.path.dirname(each))


def _copy(source: str, partial: str, compressed: bool, status: os.stat_result, watch: Watch) -> str:
    """Copy, compressed, to the disk; returns the SHA-256 of the lines."""
    content, done = hashlib.sha256(), 0
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream, _private(partial) as output:
        if compressed:
            for chunk in _chunks(stream):
                output.write(chunk)
                done += len(chunk)
                watch(done)
        else:
            with gzip.GzipFile("", "wb", 6, output, mtime=int(status.st_mtime)) as packed:
                for chunk in _chunks(stream):
                    content.update(chunk)
                    packed.write(chunk)
                    done += len(chunk)
                    watch(done)
        output.flush()
        os.utime(output.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(output.fileno())
        os.posix_fadvise(output.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # read it from the disk
    return _digest_of_content(source) if compressed else content.hexdigest()


def _private(path: str) -> IO[bytes]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    os.fchmod(handle, 0o600)
    return os.fdopen(handle, "wb")


def _verified(partial: str, target: str, content: str) -> Archive:
    """The archive, read again from the disk: whole as gzip has it, and with the same lines."""
    found = _digest_of_content(partial)
    if found != content:
        raise NotCollected(f"{partial} does not hold what was written to it: check the disk")
    return Archive(target, _digest(partial), content, time.time(), os.stat(partial).st_size)


def _target(path: str, claimed: str, rotated: Rotated) -> tuple[str, Archive | None]:
    """A name that is free; or the archive that a run which was killed had completed.

    Two logs have the same name if one was rotated again in the second in which it was claimed.
    """
    content, number, target = "", 1, path
    while os.path.lexists(target):
        content = content or (
            _digest_of_content(claimed) if rotated.compressed else _digest(claimed)
        )
        with suppress(Damaged):
            if _digest_of_content(target) == content:
                size = os.stat(target).st_size
                found = Archive(target, _digest(target), content, time.time(), size)
                _write_proof(found, rotated)
                return target, found
        number += 1
        target = f"{path[:-3]}.{number}.gz"
    return target, None


def _write_proof(found: Archive, rotated: Rotated) -> None:
    about = {"log": rotated.log, "archived": int(found.archived), "content_sha256": found.content}
    text = f"{_OURS}{json.dumps(about)}\n{found.sha256}  {os.path.basename(found.path)}\n"
    write_atomically(found.path + _PROOF, text)


def archives_in(archive_dir: str) -> Iterator[Archive]:
    """The archives of ours, whichever host and log they are of."""
    for folder, _folders, names in os.walk(archive_dir):
        for name in names:
            if name.endswith(_PROOF):
                found = _read_proof(os.path.join(folder, name))
                if found:
                    yield found


def _read_proof(path: str) -> Archive | None:
    try:
        with open(path, encoding="utf-8") as stream:
            first, second = stream.read(4096).splitlines()[:2]
        about = json.loads(first[len(_OURS) :]) if first.startswith(_OURS) else {}
        digest, name = second.split("  ", 1)
        if name != os.path.basename(path)[: -len(_PROOF)]:
            return None
        target = path[: -len(_PROOF)]
        size = os.lstat(target).st_size
        return Archive(target, digest, about["content_sha256"], float(about["archived"]), size)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove_expired(found: Archive) -> None:
    """Remove an archive; raises `Refused` if the file is no longer the one that we made."""
    if _digest(found.path) != found.sha256:
        raise Refused(f"{found.path} is not what was archived: someone has changed it")
    os.unlink(found.path)
    os.unlink(found.path + _PROOF)
    sync_folder(os.path.dirname(found.path))


def sweep(archive_dir: str) -> list[str]:
    """Remove what runs that were killed a day ago or earlier left half-way; their names.

    Other hosts may archive to the same folder at this moment.
    """
    removed = []
    for folder, _folders, names in os.walk(archive_dir):
        for name in names:
            path = os.path.join(folder, name)
            with suppress(OSError):
                if _is_left(path) and time.time() - os.lstat(path).st_ctime > _STALE:
                    os.unlink(path)
                    removed.append(path)
    return removed


def _is_left(path: str) -> bool:
    if os.path.basename(path).startswith(PARTIAL):
        return True
    if not path.endswith(_PROOF) or os.path.lexists(path[: -len(_PROOF)]):
        return False
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read(len(_OURS)) == _OURS


def _digest(path: str) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in _chunks(stream):
            found.update(chunk)
    return found.hexdigest()


def _digest_of_content(path: str) -> str:
    """SHA-256 of what a gzip file holds; the whole of it is decoded, as 'gzip -t' does."""
    found = hashlib.sha256()
    try:
        with gzip.open(path, "rb") as stream:
            for chunk in _chunks(stream):
                found.update(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Damaged(f"{path} is not a whole gzip file: {error}") from None
    return found.hexdigest()


def _chunks(stream: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    while True:
        chunk = stream.read(_CHUNK)
        if not chunk:
            return
        yield chunk
