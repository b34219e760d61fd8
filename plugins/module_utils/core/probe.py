# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every probe module shares: its time limit, usage errors and missing libraries."""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, NoReturn, TypeVar

from ansible.module_utils.basic import AnsibleModule

from .check import Check, probe_result
from .deadline import Deadline, DeadlineExceeded
from .definition import Definition
from .errors import UsageError
from .options import checked_seconds
from .thresholds import Thresholds

#: Seconds after the time limit at which the process is ended if the probe is stuck in a call that
#: no signal interrupts, such as name resolution or a dead network mount.
GRACE = 1.0

Options = TypeVar("Options")


def require(module: AnsibleModule, import_error: str | None, library: str, debian: str) -> None:
    """Fail the module if a Python library could not be imported.

    ``import_error`` is the text of the ImportError, or none; ``library`` is the name on PyPI,
    ``debian`` that of the distribution's package.
    """
    if import_error:
        module.fail_json(
            msg=f"The Python library {library!r} is missing on {platform.node()} "
            f"for {sys.executable} ({import_error}). "
            f"Install the package {debian!r} (Debian, Ubuntu) there, "
            f"or run '{sys.executable} -m pip install {library}'."
        )


def read_options(
    module: AnsibleModule, options_from: Callable[[Mapping[str, Any]], Options]
) -> Options:
    """What ``options_from`` makes of the parameters; fails the module on a usage error."""
    try:
        return options_from(module.params)
    except UsageError as error:
        module.fail_json(msg=str(error))
    raise AssertionError("fail_json does not return")


def run_probe(
    module: AnsibleModule,
    definitions: Mapping[str, Definition],
    probe: Callable[[Thresholds, Deadline], Iterable[Check]],
    no_answer: Callable[[Thresholds], Check],
    known: Iterable[str] = (),
    results: Callable[[Sequence[Check]], Mapping[str, Any]] = lambda checks: {},
) -> NoReturn:
    """Run a probe within the module's time limit and exit the module with its checks.

    ``definitions`` are the checks that it can make, ``known`` the names of those that another
    module of the same technology makes. ``probe`` gets the thresholds and the deadline, and returns
    or yields checks. ``no_answer`` makes the check for a service that gave no answer in time; it is
    added to those yielded until then. ``results`` makes further keys of the result from the
    checks. A usage error fails the module; an unhealthy service never does.
    """
    checks: list[Check] = []
    try:
        seconds = checked_seconds("timeout", module.params["timeout"])
        thresholds = Thresholds(definitions, module.params["thresholds"], known)
        guard = _hard_limit(
            seconds + GRACE, lambda: _result([*checks, no_answer(thresholds)], results)
        )
        signal.signal(signal.SIGALRM, _raise_deadline_exceeded)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            checks.extend(probe(thresholds, Deadline(seconds)))
        except DeadlineExceeded:
            checks.append(no_answer(thresholds))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            guard.cancel()
    except UsageError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**_result(checks, results))
    raise AssertionError("exit_json does not return")


def _result(
    checks: Sequence[Check], results: Callable[[Sequence[Check]], Mapping[str, Any]]
) -> dict[str, Any]:
    return {**probe_result(checks), **results(checks)}


def _raise_deadline_exceeded(signum: int, frame: object) -> NoReturn:
    raise DeadlineExceeded


def _hard_limit(seconds: float, result: Callable[[], dict[str, Any]]) -> threading.Timer:
    """Exit with the result so far, even if SIGALRM could not interrupt the probe."""

    def give_up() -> None:
        os.write(1, (json.dumps(result()) + "\n").encode())
        os._exit(0)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    return timer
