# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a plain checkout a release, without a moment in which its path leads nowhere."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

from ..core.errors import NotCollected
from .layout import Layout
from .record import Release

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def adopt(layout: Layout, release: Release) -> Release:
    """Move the checkout to its place among the releases, and leave a link in its place.

    Processes that run in it notice nothing: its path stays valid. Raises `NotCollected` if the
    checkout cannot be moved, which leaves everything as it was.
    """
    checkout = layout.store.link
    place = os.path.join(os.path.realpath(layout.store.releases_folder), release.id)
    try:
        _remove_link(place)
        # It leads to itself until it has changed places with the checkout: then to that.
        os.symlink(place, place)
        _exchange(checkout, place)
    except OSError as error:
        _remove_link(place)
        raise NotCollected(
            f"the checkout {checkout} cannot be moved to {place}: {error.strerror}",
            f"This user needs write access to {os.path.dirname(checkout)}, and both folders must "
            "be on one file system.",
        ) from None
    return release


def _exchange(first: str, second: str) -> None:
    """Let two paths change places at once; raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):  # a C library before 2018
        raise OSError(0, "the C library of this host has no renameat2")
    names = (os.fsencode(first), os.fsencode(second))
    if libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _remove_link(path: str) -> None:
    with suppress(FileNotFoundError):
        if os.path.islink(path):
            os.unlink(path)
