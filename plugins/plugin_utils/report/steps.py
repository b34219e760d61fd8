# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results that the steps of a playbook registered on one host, as checks and actions.

Whatever could not be checked becomes a critical check: an unreachable host, a step that failed, a
host without results. A later step replaces the checks of an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Union

from ...module_utils.core.catalog import CATALOG
from ...module_utils.core.check import CRITICAL, UNKNOWN, WARNING, Action, Check
from ...module_utils.core.thresholds import Thresholds
from .options import name_variable, name_variables
from .parse import Invalid, parse_action, parse_check
from .reasons import login_remedy, reason, remedy

#: A registered result whose name starts so is a step of the runbook, except the report's own.
STEP_PREFIX = "__"
OWN_PREFIX = "__report_"

Item = Union[Check, Action]
Variables = Mapping[str, Any]
Result = Mapping[str, Any]


@dataclass(frozen=True)
class RegisteredStep:
    """What one task registered on a host."""

    name: str
    """``postgres_health``: the variable without its underscores."""
    results: tuple[Result, ...]
    """Several if the task was a loop."""

    @property
    def finished_at(self) -> float | None:
        """When its module finished, in seconds since 1970; none if the results do not say."""
        times = [_time(result.get("finished_at")) for result in self.results]
        return max((time for time in times if time is not None), default=None)

    @property
    def failed(self) -> bool:
        return any(result.get("failed") for result in self.results)


@dataclass(frozen=True)
class StepResult:
    """One result of a step, as checks and actions."""

    step: str
    target: str
    """The server or daemon that was asked; empty if the checks' subjects say it."""
    items: tuple[Item, ...]
    failure: Check | None
    """The check for a step that failed; not needed if one of its checks is critical itself."""

    @property
    def checks(self) -> list[Check]:
        return [item for item in self.items if isinstance(item, Check)]


def host_results(variables: Variables, reported: set[int], dropped: bool) -> list[Item]:
    """The current checks and all actions of a host, from its variables.

    ``reported`` holds the identities of the results that were already taken from another host: a
    task with run_once registers one and the same result for all of them. ``dropped`` is whether
    Ansible removed the host from the run.
    """
    steps = _in_order(_steps(variables))
    step_results: list[StepResult] = []
    unreachable: list[Result] = []
    for step in steps:
        for result in step.results:
            if id(result) in reported:
                continue
            reported.add(id(result))
            if result.get("unreachable"):
                unreachable.append(result)
            else:
                step_results.append(_step_result(step.name, result, variables))
    items = _current(step_results)
    if unreachable:  # every step fails for the same reason, so one check is enough
        items.insert(0, _unreachable(unreachable[0]))
    if dropped and not unreachable and not any(step.failed for step in steps):
        items.append(
            _failed_step("", "a step failed without a result; see its error in the playbook output")
        )
    elif not any(step.results for step in steps):
        items.append(_failed_step("", "nothing was checked on this host"))
    return items


def _steps(variables: Variables) -> list[RegisteredStep]:
    steps = []
    for variable, registered in variables.items():
        if variable.startswith(STEP_PREFIX) and not variable.startswith(OWN_PREFIX):
            steps.append(RegisteredStep(variable.strip("_"), tuple(_results(registered))))
    return steps


def _results(registered: Any) -> Iterator[Result]:
    """The results in a registered variable: none if it is not a step, several if it was a loop."""
    if not isinstance(registered, Mapping):
        return
    failed = registered.get("failed") is True or registered.get("unreachable") is True
    items = registered.get("results")
    if isinstance(items, list):
        results = list(chain.from_iterable(_results(item) for item in items))
        yield from results
        if any(result.get("failed") or result.get("unreachable") for result in results):
            failed = False  # that of the loop only repeats it
    if failed or "checks" in registered or "actions" in registered:
        yield registered


def _in_order(steps: Sequence[RegisteredStep]) -> list[RegisteredStep]:
    """The steps in the order in which they finished.

    Ansible keeps variables in the order in which they were first registered, so a step that ran
    again stands where it ran first; the time in its result decides. A step without a time follows
    the one that was registered before it.
    """
    timed = []
    last = 0.0
    for step in steps:
        if step.finished_at is not None:
            last = step.finished_at
        timed.append((last, step))
    return [step for _time, step in sorted(timed, key=lambda pair: pair[0])]


def _time(value: Any) -> float | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and value > 0 else None


def _current(step_results: Sequence[StepResult]) -> list[Item]:
    """Everything except checks that a later step replaced."""
    replaced: set[int] = set()
    latest: dict[tuple[str, str, str], list[tuple[str, Check]]] = {}
    for step_result in step_results:
        for check in step_result.checks:
            earlier = latest.setdefault((step_result.target, check.name, check.subject), [])
            replaced.update(
                id(other)
                for step, other in earlier
                if step != step_result.step and _replaces(check, other)
            )
            earlier.append((step_result.step, check))
    items: list[Item] = []
    for step_result in step_results:
        kept = [item for item in step_result.items if id(item) not in replaced]
        if step_result.failure and not any(_is_critical(item) for item in kept):
            items.append(step_result.failure)
        items += kept
    return items


def _replaces(later: Check, earlier: Check) -> bool:
    """Whether the earlier of two results of a check is out of date.

    A check that could not be repeated, and is unknown, does not hide the problem found before.
    """
    return later.status != UNKNOWN or earlier.status not in (WARNING, CRITICAL)


def _is_critical(item: Item) -> bool:
    return isinstance(item, Check) and item.status == CRITICAL


def _step_result(step: str, result: Result, variables: Variables) -> StepResult:
    failure = None
    if result.get("failed"):
        failure = _failed_step(step, name_variable(step, reason(result), variables))
    target = str(result.get("target") or "")
    items = tuple(_named(step, item, variables) for item in _items(step, result))
    return StepResult(step, target, items, failure)


def _named(step: str, item: Item, variables: Variables) -> Item:
    """The same with the operator's variables in place of the options of its module."""
    if isinstance(item, Action):
        return replace(item, reason=name_variables(step, item.reason, variables))
    return replace(
        item,
        summary=name_variables(step, item.summary, variables),
        remedy=name_variables(step, item.remedy, variables),
        not_judged=name_variables(step, item.not_judged, variables),
    )


def _items(step: str, result: Result) -> Iterator[Item]:
    for key, parse in (("checks", parse_check), ("actions", parse_action)):
        rows = result.get(key, [])
        if not isinstance(rows, (list, tuple)):
            yield _failed_step(step, f"returned '{key}' that is not a list")
            continue
        for row in rows:
            yield _item(step, key.rstrip("s"), parse, row)


def _item(step: str, kind: str, parse: Callable[[Any], Item], row: Any) -> Item:
    try:
        return parse(row)
    except Invalid as problem:
        return _failed_step(step, f"returned an invalid {kind}: {problem}")


def _failed_step(step: str, summary: str) -> Check:
    return Thresholds(CATALOG).verdict(
        "runbook.step", CRITICAL, summary, subject=step, remedy=remedy(summary)
    )


def _unreachable(result: Result) -> Check:
    summary = reason(result)
    return Thresholds(CATALOG).verdict(
        "host.reachable", CRITICAL, summary, remedy=login_remedy(summary)
    )
