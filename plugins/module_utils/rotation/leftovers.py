# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies that a logrotate which was killed left behind: half a compressed log beside the whole.

logrotate writes the compressed log, then removes the other. Killed in between, the same lines are
there twice; and its next run would rename the first copy to make another.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Collection
from contextlib import suppress

from ..linux.open_files import is_written
from .naming import Rotated

_CHUNK = 1 << 20
_DATED = re.compile(r"-\d{8}-\d{10}$")
#: What logrotate appends to the name of a file that is in its way.
_BACKUP = re.compile(r"\.gz(?:-\d{10}\.backup)?$")


def leftovers(rotated: Collection[Rotated]) -> list[tuple[str, str]]:
    """Copies, and the files that hold everything that is in them."""
    found = []
    for folder in sorted({os.path.dirname(each.path) for each in rotated}):
        logs = {os.path.basename(each.log) for each in rotated}
        try:
            names = set(os.listdir(folder))
        except OSError:
            continue
        for name in sorted(names):
            whole = _whole(name, names, logs)
            if whole:
                pair = os.path.join(folder, name), os.path.join(folder, whole)
                if _is_contained(*pair):
                    found.append(pair)
    return found


def _whole(name: str, names: Collection[str], logs: Collection[str]) -> str:
    """The file beside it that has the same lines, if this is a compressed copy."""
    end = _BACKUP.search(name)
    stem = name[: end.start()] if end else ""
    dated = _DATED.search(stem)
    if not dated or stem[: dated.start()] not in logs:
        return ""
    return next((whole for whole in (stem, f"{stem}.gz") if whole in names and whole != name), "")


def _is_contained(copy: str, whole: str) -> bool:
    """Whether no one writes the copy any more, and the other has all that can be read of it."""
    with suppress(OSError):
        return not is_written(copy) and _begins_with(whole, copy)
    return False


def _begins_with(whole: str, copy: str) -> bool:
    opener = gzip.open if whole.endswith(".gz") else open
    with opener(whole, "rb") as stream, open(copy, "rb") as packed:
        decoder = zlib.decompressobj(wbits=31)
        while True:
            chunk = packed.read(_CHUNK)
            if not chunk:
                return True
            try:
                text = decoder.decompress(chunk)
                if stream.read(len(text)) != text:
                    return False
            except (zlib.error, EOFError, gzip.BadGzipFile):
                return False
            if decoder.eof and (decoder.unused_data or packed.read(1)):
                return False  # something else follows
