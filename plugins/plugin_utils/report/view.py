# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every picture of a report shows alike: the findings in their order, and the words and figures beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...module_utils.core.catalog import CATALOG
from ...module_utils.core.check import (
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

#: The order in which people need to know.
BY_URGENCY = (CRITICAL, WARNING, UNKNOWN)
ACTIONS_BY_URGENCY = (FAILED, DONE, PLANNED, SKIPPED)

Row = Mapping[str, Any]

#: Characters that steer a terminal, or turn the direction of the text around them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """A text from elsewhere with a space for each character that does more than being read."""
    return _CONTROL.sub(" ", text)


@dataclass(frozen=True)
class Finding:
    """One thing that is not ok, on one host or on many."""

    status: str
    name: str
    subject: str
    remedy: str
    rows: tuple[Row, ...]
    """Its checks, one for each host."""

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row["host"] for row in self.rows))

    @property
    def summaries(self) -> list[tuple[str, list[str]]]:
        """What was seen, each with the hosts where it was seen so."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            found.setdefault(row["summary"], []).append(row["host"])
        return list(found.items())


def findings(report: Row) -> list[Finding]:
    """Everything that is not ok, the most urgent first, and among those what cannot be reached before what suffers from it.

    The same thing on several hosts is one finding.
    """
    grouped: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in report["checks"]:
        if row["status"] != OK:
            grouped.setdefault(
                (row["status"], row["name"], row["subject"], row["remedy"]), []
            ).append(row)
    found = [Finding(*key, rows=tuple(rows)) for key, rows in grouped.items()]
    return sorted(
        found,
        key=lambda finding: (
            BY_URGENCY.index(finding.status),
            not finding.name.endswith(".reachable"),
        ),
    )


def work(report: Row) -> list[Row]:
    """The actions, those first that a person has to know of."""
    return sorted(report["actions"], key=lambda action: ACTIONS_BY_URGENCY.index(action["status"]))


def component(name: str) -> str:
    return name.split(".", 1)[0]


def component_title(key: str) -> str:
    return COMPONENTS.get(key) or key.replace("_", " ").capitalize()


def components(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The checks by the component that they look at, in the order in which the components were looked at."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(component(row["name"]), []).append(row)
    return found


def tally(counts: Mapping[str, int], order: Sequence[str] = tuple(reversed(STATUSES))) -> str:
    """``2 critical, 1 warning, 38 ok``: what there is none of is left out."""
    return ", ".join(f"{counts[status]:,} {status}" for status in order if counts[status])


def headline(report: Row) -> str:
    """The verdict as a person would call it across the room."""
    status = report["verdict"]
    number = sum(finding.status == status for finding in findings(report)) + (
        report["action_counts"][FAILED] if status == CRITICAL else 0
    )
    need = "needs" if number == 1 else "need"
    if status == OK and report["actions"]:
        counts = report["action_counts"]
        planned, made = counts[PLANNED], counts[DONE]
        return (
            f"{pluralize(planned, 'change')} planned"
            if planned
            else f"{pluralize(made, 'change')} made"
            if made
            else "There was nothing to do"
        )
    return {
        OK: "All is well",
        UNKNOWN: f"{pluralize(number, 'thing')} could not be looked at",
        WARNING: f"{pluralize(number, 'thing')} {need} attention",
        CRITICAL: f"{pluralize(number, 'thing')} {need} a hand now",
    }[status]


def sentence(report: Row) -> str:
    """The verdict in one line: ``critical: 2 of 41 checks are critical, 1 warning``."""
    verdict, counts, done = report["verdict"], report["counts"], report["action_counts"]
    parts = []
    if verdict == OK or not counts[verdict]:
        parts += [pluralize(len(report["checks"]), "check")] if report["checks"] else []
    else:
        parts.append(
            f"{counts[verdict]} of {pluralize(len(report['checks']), 'check')} {'is' if counts[verdict] == 1 else 'are'} {verdict}"
        )
    parts += [
        f"{counts[status]} {status}"
        for status in BY_URGENCY
        if counts[status] and status != verdict
    ]
    parts += [
        f"{pluralize(done[status], 'action')} {status}"
        for status in ACTIONS_BY_URGENCY
        if done[status]
    ]
    return f"{verdict}: {', '.join(parts) or 'nothing to look at'}"


def outcome(report: Row) -> str:
    """Checks and actions in figures: ``2 critical, 38 ok; actions: 3 done, 1 skipped``."""
    parts = [tally(report["counts"])]
    if report["actions"]:
        parts.append(f"actions: {tally(report['action_counts'], ACTIONS_BY_URGENCY)}")
    return "; ".join(part for part in parts if part) or "nothing to look at"


def scope(report: Row) -> str:
    """``41 checks on 3 hosts in 14 s``."""
    hosts = report["hosts"]
    where = hosts[0]["name"] if len(hosts) == 1 else pluralize(len(hosts), "host")
    what = (
        f"{pluralize(len(report['checks']), 'check')} on "
        if report["checks"] or not report["actions"]
        else "on "
    )
    return (
        what
        + where
        + ("" if report["seconds"] is None else f" in {format_value(report['seconds'], 'seconds')}")
    )


def names(hosts: Sequence[str], most: int = 3) -> str:
    """``app1, app2 and 18 more hosts``."""
    if len(hosts) <= most + 1:
        return ", ".join(hosts)
    return f"{', '.join(hosts[:most])} and {len(hosts) - most} more hosts"


def below(row: Row) -> bool:
    """Whether it is low values of this check that are bad."""
    if (
        row["warning"] is not None
        and row["critical"] is not None
        and row["warning"] != row["critical"]
    ):
        return bool(row["critical"] < row["warning"])
    definition = CATALOG.get(row["name"])
    return definition is not None and definition.threshold.below


def limits(row: Row) -> str:
    """``warning above 80 %, critical above 90 %``; empty where the check is a plain yes or no."""
    side = "below" if below(row) else "above"
    levels = [(level, row[level]) for level in (WARNING, CRITICAL) if row[level] is not None]
    return ", ".join(
        f"{level} {side} {format_value(limit, row['unit'])}" for level, limit in levels
    )


def figure(row: Row) -> str:
    return "" if row["value"] is None else format_value(row["value"], row["unit"])


def meaning(name: str) -> str:
    """What a check looks at; empty for one that is not in this collection's catalog."""
    return CATALOG[name].meaning if name in CATALOG else ""


def effect(action: Row) -> str:
    """The figures of an action in one line: ``1.2 GiB → 800 MiB, 400 MiB in 12 s``, ``about 3 min``."""
    parts = []
    if action["before"] is not None or action["after"] is not None:
        sides = [
            brief(side, 40) for side in (action["before"], action["after"]) if side is not None
        ]
        parts.append(" → ".join(sides))
    if action["bytes"] is not None:
        parts.append(format_value(action["bytes"], "bytes"))
    if action["seconds"] is not None:
        parts.append(f"in {format_value(action['seconds'], 'seconds')}")
    elif action["estimate"] is not None:
        parts.append(f"about {format_value(action['estimate'], 'seconds')}")
    return ", ".join(parts)


def brief(value: Any, length: int = 200) -> str:
    """Any value of an evidence row or an action, in one line."""
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
    """The columns of a table that holds all these rows."""
    return list(dict.fromkeys(key for row in rows for key in row))


def when(stamp: str) -> str:
    """``Monday 23 November 2026, 06:00 UTC``, in English whatever the locale of the machine."""
    moment = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")
    day = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[
        moment.weekday()
    ]
    months = (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    )
    return f"{day} {moment.day} {months[moment.month - 1]} {moment.year}, {moment:%H:%M} UTC"
