"""What every measurement needs, and how one that fails ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.promises import Promises
from tests.conftest import finish, start_module

ROOT = Path(__file__).resolve().parent.parent


class MeasurementFailed(Exception):
    """Something that was to be measured did not run; the text says what it printed."""


@dataclass(frozen=True)
class Setup:
    """What a measurement works with."""

    promises: Promises
    work: Path
    """An empty folder of the measurement's own."""
    rounds: int
    """Measured rounds of each side of a ratio."""
    peers: Path | None
    """The bin folder of an environment with the other collections; without it they are left out."""


def run_module(
    name: str, args: dict[str, Any], check: bool = False, env: dict[str, str] | None = None
) -> dict[str, Any]:
    """What a module of the collection answers, in a process of its own."""
    module = start_module(name, {**args, "_ansible_check_mode": check}, env)
    output, errors = finish(module, timeout=1800)
    if not output.strip():
        raise MeasurementFailed(errors[-2000:])
    answer: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return answer


def seconds_of(work: Callable[[], Any]) -> float:
    """Wall-clock seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
