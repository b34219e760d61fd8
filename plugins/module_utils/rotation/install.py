# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs our configuration: accepted by logrotate before it is there, and together with all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from ..core.errors import Refused
from ..core.files import sync_folder
from .logrotate import Logrotate

#: End of a name that logrotate skips: it may read the folder at any moment.
_UNSEEN = "~"


@contextmanager
def temporary(text: str) -> Iterator[str]:
    """The configuration in a private file, for logrotate to judge it."""
    with tempfile.NamedTemporaryFile("w", prefix="log-rotation-", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o644 if os.geteuid() == 0 else 0o600)
        stream.write(text)
        stream.flush()
        yield stream.name


def require_accepted(logrotate: Logrotate, text: str) -> None:
    """Raises `Refused` if logrotate objects to the configuration."""
    with temporary(text) as path:
        errors = [error.replace(path, "the new file") for error in logrotate.errors(path)]
    if errors:
        raise Refused(f"logrotate does not accept the configuration: {'; '.join(errors[:3])}")


def install(logrotate: Logrotate, path: str, text: str, main_config: str) -> None:
    """Put the configuration into its place; raises `Refused`, and leaves what was there before.

    It has been accepted by itself. If the main configuration includes it, logrotate then judges
    all of them together, and an objection that was not there before takes it back.
    """
    before = _read(path)
    known = set(_complaints(logrotate, main_config))
    _replace(path, text)
    added = [each for each in _complaints(logrotate, main_config) if each not in known]
    if not added:
        return
    if before is None:
        os.unlink(path)
    else:
        _replace(path, before)
    raise Refused(
        f"logrotate does not accept {path} together with the other files: {'; '.join(added[:3])}"
    )


def _complaints(logrotate: Logrotate, main_config: str) -> list[str]:
    return logrotate.errors(main_config) if os.path.exists(main_config) else []


def _replace(path: str, text: str) -> None:
    draft = path + _UNSEEN
    write_in_place(draft, text)
    os.replace(draft, path)
    sync_folder(os.path.dirname(path))


def write_in_place(path: str, text: str) -> None:
    """Write a file that no one reads yet, and flush it."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        os.fchmod(handle, 0o644)
        stream.write(text)
        stream.flush()
        os.fsync(handle)


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
