# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every probe module shares: its options, its time limit, and how misuse and missing libraries are told."""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, Callable, NoReturn

from ansible.module_utils.basic import AnsibleModule

from .check import Check, as_dicts
from .thresholds import Limits, Misuse

#: Options of every probe, documented in the fragment ``gpt_agent.runbook.probe``.
PROBE_OPTIONS: dict[str, Any] = {
    "thresholds": {"type": "dict", "default": {}},
    "timeout": {"type": "float", "default": 10.0},
}
#: Option of the probes that judge counters over time, documented in the fragment ``gpt_agent.runbook.state``.
STATE_OPTION: dict[str, Any] = {"state_dir": {"type": "path"}}

#: Seconds after which a probe stuck in a call that no signal interrupts (name resolution, a dead network mount) is ended.
GRACE = 1.0


class TimeLimit(BaseException):
    """The probe's time is used up. Not an Exception, so that no library's ``except Exception`` swallows the alarm."""


class Deadline:
    """The moment by which a probe has to be done, to be handed to whatever can wait."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self, at_most: float | None = None) -> float:
        """Seconds left, never more than ``at_most``; raises `TimeLimit` where none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeLimit
        return left if at_most is None else min(left, at_most)


def require(module: AnsibleModule, import_error: str | None, library: str, debian: str) -> None:
    """Fail with one clear sentence where a Python library could not be imported.

    ``import_error`` is the text of the ImportError, or none; ``library`` the name on PyPI; ``debian`` the distribution's package.
    """
    if import_error:
        module.fail_json(
            msg=f"The Python library {library!r} is missing on {platform.node()} for {sys.executable} ({import_error}). "
            f"Install the package {debian!r} (Debian, Ubuntu) or run '{sys.executable} -m pip install {library}' there."
        )


def run_probe(
    module: AnsibleModule,
    probe: Callable[[Limits, Deadline], Iterable[Check]],
    silent: Callable[[Limits], Check],
) -> NoReturn:
    """Run a probe within the module's time limit and exit the module with its checks.

    ``probe`` gets the limits to judge by and the deadline, and returns or yields checks. ``silent`` makes the check that says
    that the thing looked at gave no answer in time; it is added to what was yielded until then. Misuse ends the module with
    its one sentence; a sick service never does.
    """
    seconds = module.params["timeout"]
    if not 0 < seconds <= 3600:
        module.fail_json(
            msg=f"timeout: {seconds:g} is not a number of seconds above 0 and up to 3600"
        )
    checks: list[Check] = []
    try:
        limits = Limits(module.params["thresholds"])
        guard = _hard_limit(seconds + GRACE, lambda: [*checks, silent(limits)])
        signal.signal(signal.SIGALRM, _raise_time_limit)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            checks.extend(probe(limits, Deadline(seconds)))
        except TimeLimit:
            checks.append(silent(limits))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            guard.cancel()
    except Misuse as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, checks=as_dicts(checks))
    raise AssertionError("exit_json does not return")


def _raise_time_limit(signum: int, frame: object) -> NoReturn:
    raise TimeLimit


def _hard_limit(seconds: float, checks: Callable[[], list[Check]]) -> threading.Timer:
    """End the process with an honest answer where even the alarm is not heard."""

    def give_up() -> None:
        os.write(1, (json.dumps({"changed": False, "checks": as_dicts(checks())}) + "\n").encode())
        os._exit(0)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    return timer
