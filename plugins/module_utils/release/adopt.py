# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a plain checkout a release, without a moment in which its path leads nowhere."""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress

from ..core.errors import NotCollected
from ..core.files import write_atomically
from .layout import Layout
from .record import Release
from .store import FOLDER

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
#: File among the records while a checkout is moved in two steps; holds the place it moves to.
_MARK = "adopting"


def adopt(layout: Layout, release: Release) -> Release:
    """Move the checkout to its place among the releases, and leave a link in its place.

    Processes that run in it notice nothing: its path stays valid. Raises `NotCollected` if the
    checkout cannot be moved, which leaves everything as it was.
    """
    checkout = layout.store.link
    place = os.path.join(os.path.realpath(layout.store.releases_folder), release.id)
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        _remove_link(place)
        # It leads to itself until it has changed places with the checkout: then to that.
        os.symlink(place, place)
        try:
            _exchange(checkout, place)
        except _NotSupported:
            _move(layout, place)
    except OSError as error:
        _remove_link(place)
        raise NotCollected(
            f"the checkout {checkout} cannot be moved to {place}: {error.strerror}",
            f"This user needs write access to {os.path.dirname(checkout)}, and both folders must "
            "be on one file system.",
        ) from None
    return release


def repair(root: str, checkout: str) -> bool:
    """Make the link if a run was killed after moving the checkout; raises OSError."""
    mark = os.path.join(root, FOLDER, _MARK)
    try:
        with open(mark, encoding="utf-8") as stream:
            place = stream.read().strip()
    except OSError:
        return False
    moved = os.path.isdir(place) and not os.path.islink(place) and not os.path.lexists(checkout)
    if moved:
        os.symlink(place, checkout)
    os.unlink(mark)
    return moved


def _move(layout: Layout, place: str) -> None:
    """Without an exchange: two steps, and a mark for `repair` should this be killed in between."""
    checkout = layout.store.link
    mark = os.path.join(layout.store.records, _MARK)
    write_atomically(mark, f"{place}\n")
    try:
        _remove_link(place)
        os.rename(checkout, place)
        os.symlink(place, checkout)
    finally:
        os.unlink(mark)


class _NotSupported(Exception):
    """Neither the C library nor the file system exchanges two paths."""


def _exchange(first: str, second: str) -> None:
    """Let two paths change places at once; raises OSError, or `_NotSupported`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):  # a C library before 2018
        raise _NotSupported
    names = (os.fsencode(first), os.fsencode(second))
    if libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
        code = ctypes.get_errno()
        if code in (errno.ENOSYS, errno.EINVAL):
            raise _NotSupported
        raise OSError(code, os.strerror(code))


def _remove_link(path: str) -> None:
    with suppress(FileNotFoundError):
        if os.path.islink(path):
            os.unlink(path)
