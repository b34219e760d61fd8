# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where reports are kept: complete files only, of each playbook the newest ones, and ``latest`` beside them."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime

#: Reports hold operational data, so they are for their owner and the group of the folder.
FILE_MODE = 0o640
FOLDER_MODE = 0o750
#: node_exporter runs as another user and has to read its file.
TEXTFILE_MODE = 0o644

LATEST = "latest"
PARTIAL = ".partial-"
#: Seconds after which an incomplete file is the remains of a run that was killed.
ABANDONED = 3600.0
#: Seconds to wait for another run that is writing its report into the same folder.
PATIENCE = 5.0

_OWN = re.compile(r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(?:-\d+)?)\.(?:json|html|md|xml|prom)")


def write_report(
    folder: str, finished: datetime, documents: Mapping[str, str], keep: int
) -> dict[str, str]:
    """Write documents, by suffix, and return their paths. At most ``keep`` reports stay in the folder, 0 keeps them all.

    Raises OSError where something cannot be written; what was written of this report until then is removed, and ``latest``
    is still the report before it.
    """
    os.makedirs(os.path.dirname(folder) or ".", FOLDER_MODE, exist_ok=True)
    os.makedirs(folder, FOLDER_MODE, exist_ok=True)
    with _alone(folder):
        stem = _free_stem(folder, finished)
        paths = {suffix: os.path.join(folder, f"{stem}.{suffix}") for suffix in documents}
        try:
            for suffix, text in documents.items():
                replace_file(paths[suffix], text, FILE_MODE)
        except BaseException:
            for path in paths.values():
                with suppress(OSError):
                    os.unlink(path)
            raise
        for suffix, text in documents.items():
            replace_file(os.path.join(folder, f"{LATEST}.{suffix}"), text, FILE_MODE)
        _prune(folder, keep)
    return paths


def replace_file(path: str, text: str, mode: int) -> None:
    """Put a file in place whole, or leave what was there."""
    handle, partial = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=PARTIAL)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(partial, mode)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _free_stem(folder: str, finished: datetime) -> str:
    """The time in UTC as a file name on any system; numbered where a report of the same second is already there."""
    stem = finished.strftime("%Y-%m-%dT%H-%M-%SZ")
    numbers = [
        _age(match.group(1))[1]
        for match in map(_OWN.fullmatch, os.listdir(folder))
        if match and match.group(1).startswith(stem)
    ]
    return f"{stem}-{max(numbers) + 1}" if numbers else stem


def _prune(folder: str, keep: int) -> None:
    """Remove the oldest reports beyond ``keep``, and what a killed run left; nothing that is not a report is touched."""
    by_stem: dict[str, list[str]] = {}
    for name in os.listdir(folder):
        match = _OWN.fullmatch(name)
        if match:
            by_stem.setdefault(match.group(1), []).append(name)
        elif name.startswith(PARTIAL):
            with suppress(OSError):
                if time.time() - os.stat(os.path.join(folder, name)).st_mtime > ABANDONED:
                    os.unlink(os.path.join(folder, name))
    old = sorted(by_stem, key=_age)[:-keep] if keep else []
    for name in (name for stem in old for name in by_stem[stem]):
        with suppress(OSError):
            os.unlink(os.path.join(folder, name))


def _age(stem: str) -> tuple[str, int]:
    """The moment of a report, and its number within that second."""
    moment, _end, number = stem.partition("Z")
    return moment, int(number.lstrip("-") or 1)


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Keep two runs from mixing their files under ``latest``; where the file system has no locks, without that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:
                break
        yield
    finally:
        os.close(descriptor)
