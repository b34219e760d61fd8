# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every format of a report shares: the findings in their order, and figures as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ...module_utils.core.catalog import CATALOG
from ...module_utils.core.check import (
    BELOW,
    CRITICAL,
    DONE,
    FAILED,
    OK,
    PLANNED,
    SKIPPED,
    STATUSES,
    UNKNOWN,
    WARNING,
)
from ...module_utils.core.definition import COMPONENTS
from ...module_utils.core.text import shorten
from ...module_utils.core.units import format_value, pluralize

#: Statuses in the order in which people need to read them.
BY_URGENCY = (CRITICAL, WARNING, UNKNOWN)
ACTIONS_BY_URGENCY = (FAILED, DONE, PLANNED, SKIPPED)
WORST_FIRST = tuple(reversed(STATUSES))

#: The check for a step of a playbook that failed.
STEP = "runbook.step"

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

Row = Mapping[str, Any]

#: Characters that control a terminal, or change the direction of the text around them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with a space in place of each control character."""
    return _CONTROL.sub(" ", text)


@dataclass(frozen=True)
class Finding:
    """One thing that is not ok, on one host or on several."""

    status: str
    subject: str
    remedy: str
    rows: tuple[Row, ...]
    """Its checks, one per host; of a step's, one per step and host."""

    @property
    def name(self) -> str:
        """Its check, or several that one reason hides: ``redis.memory, redis.clients``."""
        return ", ".join(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row["name"] for row in self.rows))

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row["host"] for row in self.rows))

    @property
    def summaries(self) -> list[tuple[str, list[str]]]:
        """Each summary with the hosts that have it."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            hosts = found.setdefault(row["summary"], [])
            if row["host"] not in hosts:
                hosts.append(row["host"])
        return list(found.items())


def findings(report: Row) -> list[Finding]:
    """Everything that is not ok, the most urgent first; the same on several hosts is one finding.

    So are steps that fail for one reason, such as a mistake in a variable that they all read, and
    checks of one component that are unknown for one reason, such as a command that is refused.
    Within a status, what cannot be reached comes before what fails because of it.
    """
    grouped: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in report["checks"]:
        if row["status"] != OK:
            what = row["summary"] if row["name"] == STEP else row["subject"]
            grouped.setdefault((row["status"], row["name"], what, row["remedy"]), []).append(row)
    found = [
        Finding(status, _subjects(rows), remedy, tuple(rows))
        for (status, _name, _what, remedy), rows in grouped.items()
    ]
    return sorted(_by_reason(found), key=_urgency)


def _by_reason(found: Iterable[Finding]) -> Iterable[Finding]:
    """The findings, those that are unknown for one reason as one."""
    merged: dict[Any, Finding] = {}
    for finding in found:
        key: Any = (finding.name, finding.subject, finding.status, finding.remedy)
        if finding.status == UNKNOWN:
            reasons = tuple((text, *hosts) for text, hosts in finding.summaries)
            key = (component(finding.name), finding.subject, finding.remedy, reasons)
        first = merged.get(key)
        merged[key] = replace(first, rows=first.rows + finding.rows) if first else finding
    return merged.values()


def _subjects(rows: Sequence[Row]) -> str:
    return ", ".join(dict.fromkeys(row["subject"] for row in rows if row["subject"]))


def _urgency(finding: Finding) -> tuple[int, bool]:
    return BY_URGENCY.index(finding.status), not finding.name.endswith(".reachable")


@dataclass(frozen=True)
class NotJudged:
    """A check that is ok because there is nothing to judge by yet, on one host or on several."""

    name: str
    subject: str
    reason: str
    hosts: tuple[str, ...]


def not_judged(report: Row) -> list[NotJudged]:
    """Every check without a verdict, in the order of the checks; the same on several hosts once."""
    grouped: dict[tuple[str, str, str], dict[str, None]] = {}
    for row in report["checks"]:
        if row["not_judged"]:
            key = (row["name"], row["subject"], row["not_judged"])
            grouped.setdefault(key, {})[row["host"]] = None
    return [NotJudged(*key, hosts=tuple(hosts)) for key, hosts in grouped.items()]


def actions_by_urgency(report: Row) -> list[Row]:
    """The actions, failed ones first and skipped ones last."""
    return sorted(report["actions"], key=lambda action: ACTIONS_BY_URGENCY.index(action["status"]))


def component(name: str) -> str:
    """The part of a check's name before its first dot."""
    return name.split(".", 1)[0]


def component_title(key: str) -> str:
    return COMPONENTS.get(key) or key.replace("_", " ").capitalize()


def components(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The checks by component, in the order in which the components were checked."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(component(row["name"]), []).append(row)
    return found


def format_status(status: str) -> str:
    """The status as the first word of a sentence."""
    return "OK" if status == OK else status.capitalize()


def format_counts(counts: Mapping[str, int], order: Sequence[str] = WORST_FIRST) -> str:
    """``2 critical, 1 warning, 38 ok``, without those that are 0."""
    return ", ".join(f"{counts[status]:,} {status}" for status in order if counts[status])


def headline(report: Row) -> str:
    """The verdict in a few words."""
    status = report["verdict"]
    if status == OK:
        return _headline_ok(report)
    number = sum(len(finding.names) for finding in findings(report) if finding.status == status)
    if status == CRITICAL:
        number += report["action_counts"][FAILED]
    things = pluralize(number, "thing")
    needs = "needs" if number == 1 else "need"
    if status == UNKNOWN:
        return f"{things} could not be checked"
    return f"{things} {needs} attention" + (" now" if status == CRITICAL else "")


def _headline_ok(report: Row) -> str:
    if not report["actions"]:
        return "All checks passed"
    counts = report["action_counts"]
    if counts[PLANNED]:
        return f"{pluralize(counts[PLANNED], 'change')} planned"
    if counts[DONE]:
        return f"{pluralize(counts[DONE], 'change')} made"
    return "Nothing to do"


def verdict_line(report: Row) -> str:
    """The verdict in one line: ``critical: 2 of 41 checks are critical, 1 warning``."""
    verdict, counts, actions = report["verdict"], report["counts"], report["action_counts"]
    checks = pluralize(len(report["checks"]), "check")
    parts = []
    if verdict != OK and counts[verdict]:
        verb = "is" if counts[verdict] == 1 else "are"
        parts.append(f"{counts[verdict]} of {checks} {verb} {verdict}")
    elif report["checks"]:
        parts.append(checks)
    parts += [f"{counts[each]} {each}" for each in BY_URGENCY if counts[each] and each != verdict]
    parts += [
        f"{pluralize(actions[each], 'action')} {each}"
        for each in ACTIONS_BY_URGENCY
        if actions[each]
    ]
    return f"{verdict}: {', '.join(parts) or 'nothing was checked'}"


def totals(report: Row) -> str:
    """Checks and actions by status: ``2 critical, 38 ok; actions: 3 done, 1 skipped``."""
    parts = [format_counts(report["counts"])]
    if report["actions"]:
        parts.append(f"actions: {format_counts(report['action_counts'], ACTIONS_BY_URGENCY)}")
    return "; ".join(part for part in parts if part) or "nothing was checked"


def scope(report: Row) -> str:
    """``41 checks on 3 hosts in 14 s``."""
    hosts = report["hosts"]
    where = hosts[0]["name"] if len(hosts) == 1 else pluralize(len(hosts), "host")
    text = f"on {where}"
    if report["checks"] or not report["actions"]:
        text = f"{pluralize(len(report['checks']), 'check')} {text}"
    if report["seconds"] is not None:
        text += f" in {format_value(report['seconds'], 'seconds')}"
    return text


def format_hosts(hosts: Sequence[str], most: int = 3) -> str:
    """``app1, app2, app3 and 17 more hosts``."""
    if len(hosts) <= most + 1:
        return ", ".join(hosts)
    return f"{', '.join(hosts[:most])} and {len(hosts) - most} more hosts"


def format_thresholds(row: Row) -> str:
    """``warning above 80 %, critical above 90 %``; empty for a check without thresholds."""
    side = "below" if row["direction"] == BELOW else "above"
    levels = [(level, row[level]) for level in (WARNING, CRITICAL) if row[level] is not None]
    return ", ".join(
        f"{level} {side} {format_value(threshold, row['unit'])}" for level, threshold in levels
    )


def measured_value(row: Row) -> str:
    """The value of a check with its unit; empty if there is none."""
    return "" if row["value"] is None else format_value(row["value"], row["unit"])


def meaning(name: str) -> str:
    """The meaning of a check; empty if it is not in this collection's catalog."""
    return CATALOG[name].meaning if name in CATALOG else ""


def plan_note(report: Row) -> str:
    """Why nothing was changed, if only plans were made; empty otherwise."""
    if report["check_mode"]:
        return "check mode: nothing was changed"
    statuses = {action["status"] for action in report["actions"]}
    if PLANNED in statuses and statuses <= {PLANNED, SKIPPED}:
        return "plan only: nothing was changed"
    return ""


def action_figures(action: Row) -> str:
    """``1.2 GiB → 800 MiB, 400 MiB, in 12 s`` or, for an estimate, ``about 3 min``."""
    parts = []
    states = [state for state in (action["before"], action["after"]) if state is not None]
    if states:
        parts.append(" → ".join(map(_format_state, states)))
    if action["bytes"] is not None:
        parts.append(format_value(action["bytes"], "bytes"))
    if action["seconds"] is not None:
        parts.append(f"in {format_value(action['seconds'], 'seconds')}")
    elif action["estimate"] is not None:
        parts.append(f"about {format_value(action['estimate'], 'seconds')}")
    return ", ".join(parts)


def _format_state(state: Any) -> str:
    """Long enough for a path, which is there to be opened: ``level 6, seconds 0.34``."""
    if not isinstance(state, dict):
        return format_cell(state)
    known = {key: value for key, value in state.items() if value not in (None, "", [], {})}
    return ", ".join(f"{key} {format_cell(value, 40)}" for key, value in known.items()) or "–"


def format_cell(value: Any, length: int = 200) -> str:
    """A value of an evidence row or an action, in one line of at most so many characters."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, (dict, list)):
        return shorten(json.dumps(value, ensure_ascii=False), length)
    return shorten(str(value), length)


def columns(rows: Iterable[Row]) -> list[str]:
    """The columns that a table of all these rows needs."""
    return list(dict.fromkeys(key for row in rows for key in row))


def long_date(timestamp: str) -> str:
    """``Monday 23 November 2026, 06:00 UTC``, in English whatever the locale."""
    moment = datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ")
    day, month = DAYS[moment.weekday()], MONTHS[moment.month - 1]
    return f"{day} {moment.day} {month} {moment.year}, {moment:%H:%M} UTC"
