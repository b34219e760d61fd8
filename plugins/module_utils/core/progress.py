# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of long work: the module writes it to a file, and the action plugin shows it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Callable

from .files import write_atomically

#: Called with the newest progress (see `progress`), as often as there is any.
ProgressCallback = Callable[[Mapping[str, Any]], None]


def progress(done: int, total: int, running: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How many items of how many are done, and those that are running (see `running_item`)."""
    return {"done": done, "total": total, "work": list(running)}


def running_item(
    what: str, seconds: float, phase: str = "", share: float | None = None
) -> dict[str, Any]:
    """An item that is running: for how many seconds, in which phase, and how much of it is done.

    ``share`` is from 0 to 1; none if it is not known.
    """
    return {"what": what, "seconds": seconds, "phase": phase, "share": share}


@contextmanager
def progress_reporter(path: str | None) -> Iterator[ProgressCallback]:
    """A callback that keeps the newest progress in a file until the work ends.

    Without a path it does nothing.
    """

    def write(newest: Mapping[str, Any]) -> None:
        if not path:
            return
        with suppress(OSError):  # the work goes on even if no one can watch it
            write_atomically(path, json.dumps(newest), durable=False)

    try:
        yield write
    finally:
        if path:
            with suppress(OSError):
                os.unlink(path)
