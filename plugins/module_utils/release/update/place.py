# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy of the app that an update works on, and its files."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Callable

from ...core.errors import NotCollected, UsageError
from ...core.files import PARTIAL, free_bytes, is_inside, write_atomically
from ...core.units import format_value
from ..build import REVISION
from ..commands import end_processes_in, inherited
from ..git import Git, described
from .options import BRANCH, Options
from .packages import LOCKS, MANIFEST, Files, lock_of

#: Name of the copy in the place of the offers.
_COPY = "work"
#: Name of the lock there.
LOCK = ".lock"
_EXAMPLES = (".example", ".sample", ".template", ".dist")
_GIB = 1 << 30
_FULL_HASH = 40
_UNUSED = (
    "the repository was not used: the app's folder does not say which commit it is, and was copied "
    "instead (app_update_version names one)"
)


@dataclass(frozen=True)
class Copy:
    """A copy of the app, which nothing else uses."""

    path: str
    commit: str = ""
    """What it is a copy of; empty for a folder."""
    git: Git | None = None
    state: str = ""
    """Identifies the files of a folder."""
    note: str = ""
    """What the operator may not expect of it."""

    def files(self) -> Files:
        """The files that an update may change; raises `NotCollected`."""
        found = {}
        for name in (MANIFEST, *LOCKS):
            path = os.path.join(self.path, name)
            with suppress(FileNotFoundError), open(path, encoding="utf-8", newline="") as stream:
                found[name] = stream.read()
        return found

    def put(self, files: Files) -> None:
        """Write them; raises OSError."""
        for name, content in files.items():
            with open(os.path.join(self.path, name), "w", encoding="utf-8", newline="") as stream:
                stream.write(content)


def require_app(options: Options) -> None:
    """Raise `NotCollected` if there is no app to copy, before anything is made for it."""
    live = _live(options)
    if os.path.isdir(options.repository) and not any(
        os.path.lexists(os.path.join(options.repository, name)) for name in (".git", "HEAD")
    ):
        raise UsageError(f"repository: {options.repository} is no git repository")
    if _is_folder(options, _commit(options, live)):
        lock_of(Copy(live).files())


def make_copy(options: Options, place: str) -> Copy:
    """A copy of the live app; raises `NotCollected` and OSError.

    With a repository it is the commit that is live, as git has it; otherwise what is in the folder.
    """
    live = _live(options)
    path = os.path.join(place, _COPY)
    remove_copy(place)
    commit = _commit(options, live)
    if _is_folder(options, commit):
        _require_space(place, options.free_disk, _size(live))
        _copy(live, path)
        return Copy(path, state=_state(path), note=_UNUSED if options.repository else "")
    _require_space(place, options.free_disk)
    git = Git(os.path.join(place, "repository.git"), options.repository, inherited({}))
    _fetch(git)
    found = git.resolve(commit) if commit else ""
    if not found:
        raise NotCollected(
            f"the repository {git.shown} does not have {commit}"
            if commit
            else f"{options.path} does not say which commit it is",
            "Name the version to update (app_update_version); pushed tags and branches count.",
        )
    os.makedirs(path)
    git.lay_out(found, path)
    return Copy(path, found, git)


def _live(options: Options) -> str:
    live = os.path.realpath(options.path)
    if not os.path.isfile(os.path.join(live, MANIFEST)):
        raise NotCollected(
            f"{options.path} has no package.json",
            "Set the path to the folder of the live app, and run this as a user who can read it.",
        )
    return live


def _commit(options: Options, live: str) -> str:
    return options.version or (_live_commit(live) if options.repository else "")


def _is_folder(options: Options, commit: str) -> bool:
    """Whether the app's folder is copied, not the repository."""
    return not commit and options.offer != BRANCH


def _fetch(git: Git) -> None:
    """Fetch; a copy of the repository that a killed run has left half-made is made anew."""
    try:
        git.fetch()
    except NotCollected:
        if not os.path.isdir(git.folder):
            raise
        shutil.rmtree(git.folder)
        git.fetch()


def remove_copy(place: str) -> bool:
    """Remove a copy, whatever still writes to it, and files that are not complete.

    Returns whether there was a copy; raises OSError.
    """
    for name in os.listdir(place):
        if name.startswith(PARTIAL):
            os.unlink(os.path.join(place, name))
    path = os.path.realpath(os.path.join(place, _COPY))
    if not os.path.isdir(path):
        return False
    end_processes_in(path)
    shutil.rmtree(path)
    return True


def require_own(place: str, path: str) -> None:
    """Raise `UsageError` for a folder of something else: what is in it is overwritten and removed.

    The folder of an earlier run has its lock.
    """
    if is_inside(os.path.realpath(place), os.path.realpath(path)):
        raise UsageError("dest: must be outside the app's folder, which is left as it is")
    with suppress(FileNotFoundError):
        found = {*os.listdir(place)} - {"lost+found"}
        if found and LOCK not in found:
            raise UsageError(f"dest: {place} has other files; name a folder for this alone")


def prepare(place: str) -> None:
    """Make the folder, which only its owner can read: a copy may hold tokens.

    Raises `NotCollected` and OSError.
    """
    try:
        os.makedirs(place, mode=0o700, exist_ok=True)
    except PermissionError:
        raise NotCollected(
            f"the user who runs this may not make {place}",
            "Name another folder (app_update_dest), or give this user the right.",
        ) from None
    if os.stat(place).st_uid == os.geteuid():  # it can be older than this
        os.chmod(place, 0o700)


def keep(place: str, name: str, content: str) -> str:
    """Write a file of an offer, as a whole or not at all; its path. Raises OSError."""
    path = os.path.join(place, name)
    write_atomically(path, content)
    return path


def _live_commit(live: str) -> str:
    with suppress(OSError), open(os.path.join(live, REVISION), encoding="utf-8") as stream:
        commit = stream.read().strip()
        if len(commit) == _FULL_HASH:
            return commit
    # Without a checkout of its own, git would name the commit of one around it.
    is_checkout = os.path.lexists(os.path.join(live, ".git"))
    return described(live, inherited({}))[1] if is_checkout else ""


def _require_space(place: str, gib: float, needed: int = 0) -> None:
    free = free_bytes(place)
    if free - needed < gib * _GIB:
        reserve = format_value(gib * _GIB, "bytes")
        copy = f", and the copy takes {format_value(needed, 'bytes')}" if needed else ""
        raise NotCollected(
            f"only {format_value(free, 'bytes')} are free in {place}{copy}",
            f"Free space there, or name another folder (app_update_dest). {reserve} must stay "
            "free beside the copy (app_update_free_disk).",
        )


def _left_out(root: str) -> Callable[[str, list[str]], Iterable[str]]:
    """For copytree: what npm makes anew, what holds secrets of the live app, and what is no file.

    With the live app's variables its tests could reach the live database.
    """

    def choose(folder: str, names: list[str]) -> Iterable[str]:
        return {name for name in names if _is_left_out(root, os.path.join(folder, name))}

    return choose


def _is_left_out(root: str, path: str) -> bool:
    name = os.path.basename(path)
    if name in ("node_modules", ".git"):
        return True
    if name == ".env" or (name.startswith(".env.") and not name.endswith(_EXAMPLES)):
        return True
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:  # the live app has just removed it
        return True
    if stat.S_ISLNK(mode):
        return not is_inside(os.path.realpath(path), root)
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _copy(live: str, path: str) -> None:
    left_out = _left_out(live)
    try:
        shutil.copytree(live, path, symlinks=True, ignore=left_out, copy_function=_copy_if_there)
    except shutil.Error as error:  # one for each file
        raise NotCollected(
            f"{live} cannot be copied: {error.args[0][0][2]}",
            f"Run this as a user who can read the app, with enough space in {path}.",
        ) from None


def _copy_if_there(source: str, target: str) -> str:
    """For copytree: the live app removes files of its own, such as uploads, at any moment."""
    with suppress(FileNotFoundError):
        shutil.copy2(source, target, follow_symlinks=False)
    return target


def _state(root: str) -> str:
    """Another one once a file of the folder is another one, by its name, size and time."""
    found = []
    for folder, _folders, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            seen = os.lstat(path)
            found.append(f"{os.path.relpath(path, root)} {seen.st_size} {seen.st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(found)).encode(errors="replace")).hexdigest()


def _size(root: str) -> int:
    """Bytes that a copy of a folder takes."""
    total = 0
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not _is_left_out(root, f"{folder}/{name}")]
        for name in names:
            path = os.path.join(folder, name)
            with suppress(FileNotFoundError):
                total += 0 if _is_left_out(root, path) else os.lstat(path).st_size
    return total
