# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where reports are kept: the newest ones of each playbook, and copies of the last as ``latest``.

Every file is complete at any time.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime

from ...module_utils.core.files import PARTIAL, write_atomically

#: Reports hold operational data: readable for their owner and the group of the folder.
FILE_MODE = 0o640
FOLDER_MODE = 0o750
#: node_exporter runs as another user and must be able to read its file.
TEXTFILE_MODE = 0o644

LATEST = "latest"
#: Seconds after which an incomplete file was left by a run that was killed.
ABANDONED = 3600.0
#: Seconds to wait for another run that is writing its report into the same folder.
LOCK_WAIT = 5.0

_REPORT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(?:-\d+)?)\.(?:json|html|md|xml|prom)")


def write_report(
    folder: str, finished: datetime, documents: Mapping[str, str], keep: int
) -> dict[str, str]:
    """Write documents, by suffix, and return their paths; keep the newest ``keep`` reports, 0 all.

    Raises OSError. Then nothing of this report is left, and ``latest`` is still the one before it.
    """
    os.makedirs(os.path.dirname(folder) or ".", FOLDER_MODE, exist_ok=True)
    os.makedirs(folder, FOLDER_MODE, exist_ok=True)
    with _lock(folder):
        stem = _free_stem(folder, finished)
        paths = {suffix: os.path.join(folder, f"{stem}.{suffix}") for suffix in documents}
        try:
            for suffix, text in documents.items():
                write_file(paths[suffix], text, FILE_MODE)
        except BaseException:
            for path in paths.values():
                with suppress(OSError):
                    os.unlink(path)
            raise
        for suffix, text in documents.items():
            write_file(os.path.join(folder, f"{LATEST}.{suffix}"), text, FILE_MODE)
        _prune(folder, keep)
    return paths


def write_file(path: str, text: str, mode: int) -> None:
    """Replace a file in one step; characters that are not valid Unicode become ``?``."""
    write_atomically(path, text.encode("utf-8", "replace").decode(), mode)


def _free_stem(folder: str, finished: datetime) -> str:
    """The time in UTC as a file name, numbered if there is a report of the same second."""
    stem = finished.strftime("%Y-%m-%dT%H-%M-%SZ")
    numbers = [
        _age(match.group(1))[1]
        for match in map(_REPORT.fullmatch, os.listdir(folder))
        if match and match.group(1).startswith(stem)
    ]
    return f"{stem}-{max(numbers) + 1}" if numbers else stem


def _prune(folder: str, keep: int) -> None:
    """Remove the oldest reports beyond ``keep`` and the remains of killed runs, nothing else."""
    by_stem: dict[str, list[str]] = {}
    for name in os.listdir(folder):
        match = _REPORT.fullmatch(name)
        if match:
            by_stem.setdefault(match.group(1), []).append(name)
        elif name.startswith(PARTIAL):
            _remove_abandoned(os.path.join(folder, name))
    old = sorted(by_stem, key=_age)[:-keep] if keep else []
    for name in (name for stem in old for name in by_stem[stem]):
        with suppress(OSError):
            os.unlink(os.path.join(folder, name))


def _remove_abandoned(path: str) -> None:
    with suppress(OSError):
        if time.time() - os.stat(path).st_mtime > ABANDONED:
            os.unlink(path)


def _age(stem: str) -> tuple[str, int]:
    """The time of a report, and its number within that second."""
    moment, _end, number = stem.partition("Z")
    return moment, int(number.lstrip("-") or 1)


@contextmanager
def _lock(folder: str) -> Iterator[None]:
    """Keep two runs from mixing their files under ``latest``, if the file system has locks."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        end = time.monotonic() + LOCK_WAIT
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
