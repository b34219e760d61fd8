# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of rotated logs and of archives."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

#: What logrotate appends: the day for people, the second so that no two are the same. It sorts.
DATE_FORMAT = "-%Y%m%d-%s"
#: Ends of names that a pattern for logs must not match.
SAMPLE_SUFFIXES = ("-20261128-1795824000", "-20261128-1795824000.gz", ".1", ".2.gz")
#: What a rotated log is called while it is being archived; logrotate does not know such names.
CLAIMED = ".archiving"
#: Rotated by this collection, and by the usual other settings of logrotate.
_DATED = re.compile(r"-\d{8}-\d{10}$")
_ROTATED = re.compile(r"(?P<date>-\d{8}-\d{10})|-\d{8}|\.\d{1,4}")


@dataclass(frozen=True)
class Rotated:
    """A file that was split off a log."""

    log: str
    path: str
    """Without the end that says that it is being archived."""
    size: int
    modified: float
    """When its last line was written."""
    claimed: bool = False
    """Whether an earlier run has begun to archive it."""

    @property
    def place(self) -> str:
        """Where it is now."""
        return self.path + CLAIMED if self.claimed else self.path

    @property
    def compressed(self) -> bool:
        return self.path.endswith(".gz")


def is_named(path: str, pattern: str) -> bool:
    """Whether a pattern names a path as for the shell: ``*`` does not reach into other folders."""
    names, wanted = path.split("/"), pattern.split("/")
    return path == pattern or (len(names) == len(wanted) and all(map(fnmatchcase, names, wanted)))


def rotated_of(log: str, names: Iterable[str]) -> list[Rotated]:
    """Those of the names in its folder that were split off a log, oldest first."""
    folder, base = os.path.split(log)
    found = []
    for name in names:
        plain = name[: -len(CLAIMED)] if name.endswith(CLAIMED) else name
        stem = plain[:-3] if plain.endswith(".gz") else plain
        if not stem.startswith(base) or not _ROTATED.fullmatch(stem[len(base) :]):
            continue
        path = os.path.join(folder, name)
        try:
            status = os.lstat(path)
        except OSError:
            continue
        if not stat.S_ISREG(status.st_mode):
            continue  # a link leads to what is not a log
        original = os.path.join(folder, plain)
        found.append(Rotated(log, original, status.st_size, status.st_mtime, name != plain))
    return sorted(found, key=lambda each: (each.modified, each.path))


def log_of(name: str) -> str:
    """The name of the log that a rotated one of ours was split off; empty for any other file."""
    plain = name[: -len(CLAIMED)] if name.endswith(CLAIMED) else name
    stem = plain[:-3] if plain.endswith(".gz") else plain
    found = _DATED.search(stem)
    return stem[: found.start()] if found else ""


def archive_name(rotated: Rotated) -> str:
    """The name of its archive: always with date and second, always compressed."""
    base = os.path.basename(rotated.log)
    name = os.path.basename(rotated.path)
    stem = name[:-3] if rotated.compressed else name
    found = _ROTATED.fullmatch(stem[len(base) :])
    if found and found["date"]:
        return f"{stem}.gz"
    moment = time.strftime("%Y%m%d", time.gmtime(rotated.modified))
    return f"{stem}-{moment}-{int(rotated.modified):010d}.gz"


def archive_folder(archive_dir: str, log: str) -> str:
    """The folder of a log's archives: its own folder, below that of the archives."""
    return os.path.join(archive_dir, os.path.dirname(log).lstrip("/"))
