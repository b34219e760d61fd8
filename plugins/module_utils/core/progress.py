# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where long work is: a module keeps its newest progress in a file, and the action plugin that started it shows it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Callable

#: Option of the modules whose work can be long; their action plugins set it.
Report = Callable[[Mapping[str, Any]], None]


def progress(done: int, total: int, work: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How many things of how many are done, and what is being worked on (see `at_work`)."""
    return {"done": done, "total": total, "work": list(work)}


def at_work(
    what: str, seconds: float, phase: str = "", share: float | None = None
) -> dict[str, Any]:
    """One thing that is being worked on: for how long, in which phase, and the share of it that is done (0 to 1) where that is known."""
    return {"what": what, "seconds": seconds, "phase": phase, "share": share}


@contextmanager
def progress_reporter(path: str | None) -> Iterator[Report]:
    """Something that keeps the newest progress in a file until the work ends; without a path it does nothing."""

    def write(newest: Mapping[str, Any]) -> None:
        if not path:
            return
        with suppress(OSError):  # work goes on where nobody can watch it
            partial = f"{path}.partial"
            with open(partial, "w") as stream:
                json.dump(newest, stream)
            os.replace(partial, path)

    try:
        yield write
    finally:
        if path:
            with suppress(OSError):
                os.unlink(path)
