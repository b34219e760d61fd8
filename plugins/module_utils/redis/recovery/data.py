# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The room on disk that a Redis needs, by its configuration file and what it has written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

from ...core.files import tree
from ...core.recovery import FULL
from ..config.defaults import DEFAULTS
from ..config.values import normal

#: Bytes without which not even the snapshot of an empty server, and its log, are safe.
_LEAST = 1024**2


def keeps_data(settings: Mapping[str, str]) -> bool:
    """Whether it writes data to its folder. One that does not starts however full that is."""
    save = settings.get("save", DEFAULTS["save"])
    return settings.get("appendonly", DEFAULTS["appendonly"]) == "yes" or bool(normal("save", save))


def room_needed(folder: str, settings: Mapping[str, str]) -> int:
    """Bytes below which its disk counts as full.

    A snapshot, and a rewrite of the append-only file, is written beside the last one before that is
    removed, so it takes as much again. For large data it is no more than what counts as full for
    every service: the next one may be smaller than the last.
    """
    names = (
        settings.get("dbfilename", "dump.rdb"),
        settings.get("appendfilename", "appendonly.aof"),
        settings.get("appenddirname", "appendonlydir"),
    )
    sizes = [_size(path) for name in names for path in tree(os.path.join(folder, name))]
    return min(FULL, max(_LEAST, sum(sizes)))


def _size(path: str) -> int:
    with suppress(OSError):
        return os.path.getsize(path)
    return 0
