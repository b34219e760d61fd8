# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence that a playbook ends in: what its steps found and did on every host, and the verdict over it all.

Everything here is pure. The document it builds is plain data, described by schema.json; what is made of it for people
and programs is the business of the other report_*.py files.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import Any

from ...module_utils.core.catalog import CATALOG
from ...module_utils.core.check import (
    ACTION_STATUSES,
    CRITICAL,
    FAILED,
    STATUSES,
    Action,
    Check,
    as_dicts,
    worst,
)
from ...module_utils.core.text import redact, shorten
from ...module_utils.core.thresholds import Thresholds

SCHEMA_VERSION = "1.0"

NEVER = "never"
#: What a run may be failed for, strictest last: its verdict reaching this status.
FAIL_ON = (NEVER, *reversed(STATUSES[1:]))

#: Registered results whose names begin so are steps of the runbook; the report's own are not.
STEP_PREFIX = "__"
OWN_PREFIX = "__report_"

#: Longest message of a failed step that is still read; the whole of it stands in the output of the run.
MESSAGE_LENGTH = 500

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
#: What ansible-core puts before every reason, and what nobody needs to read again.
_PREFIX = re.compile(r"^(?:(?:Task|Action|Module) failed: )+")
#: What Ansible says of a host that was cut off while a connection to it was open.
_NO_PROMPT = re.compile(r"Timeout \((\d+)s\) waiting for privilege escalation prompt.*", re.DOTALL)
_CHECK_FIELDS = frozenset(field.name for field in fields(Check))
_ACTION_FIELDS = frozenset(field.name for field in fields(Action))

Row = dict[str, Any]


class Invalid(ValueError):
    """A step returned something that is no check and no action; the text says what is wrong with it."""


@dataclass(frozen=True)
class Run:
    """What is known of a run besides its results."""

    playbook: str
    title: str
    finished: datetime
    started: datetime | None = None
    """None where nobody looked at the clock."""
    check_mode: bool = False
    limit: str = ""
    """The hosts that the run was limited to, as the operator gave them; empty for all."""
    fail_on: str = CRITICAL


def build(
    run: Run, host_variables: Mapping[str, Mapping[str, Any]], dropped: Collection[str] = ()
) -> Row:
    """The report of a run as plain data.

    ``host_variables`` are the variables of every host of the play, results registered by its steps among them; ``dropped``
    are the hosts that Ansible took out of the run.
    """
    checks: list[Row] = []
    actions: list[Row] = []
    hosts: list[Row] = []
    seen: set[int] = set()
    for name, variables in host_variables.items():
        found = _of_host(variables, seen, name in dropped)
        mine = [
            {"host": name, **row}
            for row in as_dicts(item for item in found if isinstance(item, Check))
        ]
        done = [
            {"host": name, **row}
            for row in as_dicts(item for item in found if isinstance(item, Action))
        ]
        hosts.append(
            {"name": name, "verdict": verdict(mine, done), "counts": _count(mine, STATUSES)}
        )
        checks += mine
        actions += done
    overall = verdict(checks, actions)
    return {
        "schema_version": SCHEMA_VERSION,
        "playbook": run.playbook,
        "title": run.title,
        "started": None if run.started is None else timestamp(run.started),
        "finished": timestamp(run.finished),
        "seconds": None
        if run.started is None
        else round((run.finished - run.started).total_seconds(), 1),
        "check_mode": run.check_mode,
        "limit": run.limit,
        "verdict": overall,
        "fail_on": run.fail_on,
        "failing": reaches(overall, run.fail_on),
        "counts": _count(checks, STATUSES),
        "action_counts": _count(actions, ACTION_STATUSES),
        "hosts": hosts,
        "checks": checks,
        "actions": actions,
    }


def verdict(checks: Iterable[Row], actions: Iterable[Row]) -> str:
    """The worst status of all checks; an action that failed is critical."""
    return worst(
        [check["status"] for check in checks]
        + [CRITICAL for action in actions if action["status"] == FAILED]
    )


def reaches(status: str, fail_on: str) -> bool:
    """Whether a verdict is as bad as what the run is to be failed for."""
    return fail_on != NEVER and STATUSES.index(status) >= STATUSES.index(fail_on)


def timestamp(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def title_of(playbook: str) -> str:
    """``daily_checklist`` as people write it."""
    words = re.sub(r"[_\W]+", " ", playbook).strip()
    return words[:1].upper() + words[1:]


def _count(rows: Iterable[Row], statuses: Iterable[str]) -> dict[str, int]:
    found = Counter(row["status"] for row in rows)
    return {status: found[status] for status in statuses}


def _of_host(variables: Mapping[str, Any], seen: set[int], dropped: bool) -> list[Check | Action]:
    """What the steps on one host came to. ``seen`` holds the results that an earlier host of the play has already told."""
    found: list[Check | Action] = []
    looked = unreachable = failed = False
    for name, registered in variables.items():
        for result in _results(name, registered):
            looked = True
            failed = failed or bool(result.get("failed"))
            if (
                id(result) in seen
            ):  # a task with run_once registers one result, the same object, for every host
                continue
            seen.add(id(result))
            if not result.get("unreachable"):
                found.extend(_of_step(name.strip("_"), result))
            elif (
                not unreachable
            ):  # an unreachable host fails every step for one and the same reason
                unreachable = True
                found.insert(
                    0, Thresholds(CATALOG).verdict("host.reachable", CRITICAL, _message(result))
                )
    if dropped and not (failed or unreachable):
        found.append(
            _broken(
                "",
                "a step failed on this host and left no result; the output of the run has its message",
            )
        )
    elif not looked:
        found.append(_broken("", "nothing was looked at on this host"))
    return found


def _results(name: str, registered: Any) -> Iterator[Mapping[str, Any]]:
    """The results of a step in a host variable: none where it is no step, several where the step was a loop."""
    if (
        not name.startswith(STEP_PREFIX)
        or name.startswith(OWN_PREFIX)
        or not isinstance(registered, Mapping)
    ):
        return
    items = registered.get("results")
    broken = registered.get("failed") is True or registered.get("unreachable") is True
    if isinstance(items, list):
        for item in items:
            for result in _results(name, item):
                broken = broken and not (
                    result.get("failed") or result.get("unreachable")
                )  # the item tells the reason
                yield result
    if broken or "checks" in registered or "actions" in registered:
        yield registered


def _of_step(step: str, result: Mapping[str, Any]) -> Iterator[Check | Action]:
    if result.get("failed") and not _tells(result.get("checks")):
        yield _broken(step, _message(result))
    for key, parse in (("checks", parse_check), ("actions", parse_action)):
        items = result.get(key, [])
        if not isinstance(items, (list, tuple)):
            yield _broken(step, f"returned {key} that are no list")
            continue
        for item in items:
            yield _parsed(step, key, parse, item)


def _tells(checks: Any) -> bool:
    """Whether one of a failed step's own checks says already that something is wrong."""
    return isinstance(checks, (list, tuple)) and any(
        isinstance(each, Mapping) and each.get("status") == CRITICAL for each in checks
    )


def _parsed(
    step: str, key: str, parse: Callable[[Any], Check | Action], item: Any
) -> Check | Action:
    try:
        return parse(item)
    except Invalid as problem:
        return _broken(step, f"returned something among its {key} that is none: {problem}")


def _broken(step: str, summary: str) -> Check:
    return Thresholds(CATALOG).verdict("runbook.step", CRITICAL, summary, subject=step)


def _message(result: Mapping[str, Any]) -> str:
    """Ansible's reason in one line, without the secrets it may quote."""
    message = (
        _plain(result.get("msg")) or _plain(result.get("stderr")) or "failed without a message"
    )
    text = message if isinstance(message, str) else repr(message)
    if result.get("unreachable"):
        text = next((line for line in text.splitlines() if line.strip()), text)
        text = _NO_PROMPT.sub(
            r"no answer within \1 s, not even sudo's prompt: the host is cut off or hangs", text
        )
    return shorten(redact(_PREFIX.sub("", text)), MESSAGE_LENGTH)


def parse_check(item: Any) -> Check:
    """A check from a module's answer; raises `Invalid` where it is none."""
    values = _mapping(item, _CHECK_FIELDS, "check")
    evidence = values.get("evidence", [])
    if not isinstance(evidence, list) or not all(isinstance(row, dict) for row in evidence):
        raise Invalid(f"the evidence of {values['name']} is no list of mappings")
    values["evidence"] = tuple(evidence)
    _texts(values, ("summary", "subject", "unit", "direction", "remedy", "window"))
    _numbers(values, ("value", "warning", "critical"))
    if not values.get("summary"):
        raise Invalid(f"{values['name']} has no summary")
    try:
        return Check(**values)
    except ValueError as problem:
        raise Invalid(str(problem)) from None


def parse_action(item: Any) -> Action:
    """An action from a module's answer; raises `Invalid` where it is none."""
    values = _mapping(item, _ACTION_FIELDS, "action")
    _texts(values, ("reason", "subject"))
    _numbers(values, ("seconds", "bytes", "estimate"))
    try:
        return Action(**values)
    except ValueError as problem:
        raise Invalid(str(problem)) from None


def _mapping(item: Any, known: frozenset[str], word: str) -> dict[str, Any]:
    values = _plain(item)
    if not isinstance(values, dict):
        raise Invalid(f"{shorten(repr(values), 80)} is no mapping")
    name = values.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Invalid(f"{shorten(repr(name), 80)} is no name of a {word}")
    unknown = sorted(set(values) - known)
    if unknown:
        raise Invalid(f"{name} has a field {shorten(unknown[0], 40)!r}, which a {word} has not")
    if not isinstance(values.get("status"), str):
        raise Invalid(f"{name} has no status")
    return values


def _texts(values: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        if not isinstance(values.get(name, ""), str):
            raise Invalid(f"the {name} of {values['name']} is no text")


def _numbers(values: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        value = values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise Invalid(f"the {name} of {values['name']} is no finite number")


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: native types only, text that is valid Unicode, no NaN and no infinity."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(value)
    return (
        str.__str__(value if isinstance(value, str) else str(value))
        .encode("utf-8", "replace")
        .decode()
    )


def readable(document: Any) -> Row:
    """A report that was read back from a file; raises `Invalid` where it is none, or of a version unknown here."""
    found = str(document.get("schema_version", "none")) if isinstance(document, dict) else "none"
    if found.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise Invalid(f"a report of schema version {found}; this collection reads {SCHEMA_VERSION}")
    return dict(document)
