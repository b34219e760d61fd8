# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HTML page shows, as plain values, so that its templates only loop and test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils.core.check import (
    BELOW,
    CRITICAL,
    DONE,
    FAILED,
    OK,
    PLANNED,
    SKIPPED,
    UNKNOWN,
    WARNING,
    worst,
)
from ...module_utils.core.units import pluralize
from .view import (
    ACTIONS_BY_URGENCY,
    WORST_FIRST,
    Finding,
    Row,
    action_figures,
    actions_by_urgency,
    columns,
    component,
    component_title,
    components,
    findings,
    format_cell,
    format_counts,
    format_status,
    format_thresholds,
    headline,
    long_date,
    meaning,
    measured_value,
    not_judged,
    plan_note,
    scope,
    totals,
)

#: Outlines of the icons, so that no status is shown by its colour alone.
ICONS = {
    OK: "M3 8.5 6.5 12 13 4.5",
    WARNING: "M8 3v6.5M8 12.6v.4",
    CRITICAL: "M4 4l8 8M12 4l-8 8",
    UNKNOWN: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2C8.3 8.7 8 9 8 10M8 12.8v.2",
    PLANNED: "M8 3.5V8l3 2",
    SKIPPED: "M4 8h8",
    DONE: "M3 8.5 6.5 12 13 4.5",
    FAILED: "M4 4l8 8M12 4l-8 8",
}
#: Colours of the icon in the browser's tab, which no style sheet reaches.
TAB_COLOURS = {OK: "#2f9e6b", WARNING: "#d99a1c", CRITICAL: "#d9483d", UNKNOWN: "#8577dd"}
#: A finding on more hosts names the first ones; its tooltip and the tables below it have all.
MAX_HOSTS = 8
#: Characters of a text in a table of evidence.
CELL_LENGTH = 400


@dataclass(frozen=True)
class Count:
    status: str
    number: int

    @property
    def text(self) -> str:
        return f"{self.number:,}"


@dataclass(frozen=True)
class Meter:
    """A bar for a value with a mark at each threshold, in percent of its width."""

    filled: str
    """Empty for a value of zero."""
    marks: list[tuple[str, str]]
    """The level, ``warning`` or ``critical``, and the place of each mark."""
    label: str


@dataclass(frozen=True)
class Table:
    host: str
    """Whose rows they are; empty if that is clear."""
    columns: list[str]
    rows: list[list[tuple[str, bool]]]
    """The text of each cell, and whether it is a number."""


def page_model(report: Row) -> dict[str, Any]:
    """Everything that page.html.j2 needs."""
    several = len(report["hosts"]) > 1
    counts = {**report["counts"], **report["action_counts"]}
    return {
        "icons": ICONS,
        "tab_colour": TAB_COLOURS[report["verdict"]],
        "title": report["title"],
        "verdict": report["verdict"],
        "verdict_text": format_status(report["verdict"]),
        "headline": headline(report),
        "date": long_date(report["finished"]),
        "scope": scope(report),
        "totals": totals(report),
        "counts": _counts(counts, (*WORST_FIRST, *ACTIONS_BY_URGENCY)),
        "notes": _notes(report),
        "several": several,
        "findings": [_finding(finding, several) for finding in findings(report)],
        "actions_title": "What was planned" if plan_note(report) else "What was done",
        "actions": [_action(action) for action in actions_by_urgency(report)],
        "grid": _grid(report) if several else None,
        "not_judged": not_judged(report),
        "areas": [_area(key, rows, report) for key, rows in components(report["checks"]).items()],
        "schema_version": report["schema_version"],
    }


def _notes(report: Row) -> list[str]:
    notes = []
    note = plan_note(report)
    if note:
        notes.append(f"{note.capitalize()}.")
    if report["limit"]:
        notes.append(f"Limited to: {report['limit']}.")
    return notes


def _counts(counts: Mapping[str, int], order: Sequence[str] = WORST_FIRST) -> list[Count]:
    return [Count(status, counts[status]) for status in order if counts.get(status)]


def _finding(finding: Finding, several: bool) -> dict[str, Any]:
    hosts = finding.hosts if several else ()
    shown = hosts if len(hosts) <= MAX_HOSTS else hosts[: MAX_HOSTS - 1]
    summaries = finding.summaries
    differ = len(summaries) > 1
    first = finding.rows[0]
    evidence = [row for row in finding.rows if row["evidence"]]
    named = len(finding.rows) > 1
    return {
        "status": finding.status,
        "name": finding.name,
        "subject": finding.subject,
        "hosts": shown,
        "all_hosts": ", ".join(hosts),
        "more_hosts": len(hosts) - len(shown),
        "summaries": [(text, where if differ else []) for text, where in summaries],
        "meter": None if differ else meter(first),
        "value": "" if differ else measured_value(first),
        "figures": [] if differ else _figures(first),
        "remedy": finding.remedy,
        "evidence_title": pluralize(sum(len(row["evidence"]) for row in evidence), "row"),
        "evidence": [_table(row, row["host"] if named else "") for row in evidence],
    }


def _figures(row: Row) -> list[str]:
    figures = [format_thresholds(row)]
    if row["window"]:
        figures.append(f"covers {row['window']}")
    return [figure for figure in figures if figure]


def _action(action: Row) -> dict[str, Any]:
    kept = {key: action[key] for key in ("status", "name", "subject", "reason", "host")}
    return {**kept, "figures": action_figures(action)}


def _grid(report: Row) -> dict[str, Any]:
    """Hosts against components, each cell with the worst status and how many checks have it."""
    keys = list(components(report["checks"]))
    rows = []
    for number, host in enumerate(report["hosts"]):
        by_component = components(row for row in report["checks"] if row["host"] == host["name"])
        cells = [_cell(by_component.get(key, []), number) for key in keys]
        rows.append((host["name"], cells))
    return {"columns": [component_title(key) for key in keys], "rows": rows}


def _cell(rows: Sequence[Row], host: int) -> dict[str, str] | None:
    if not rows:
        return None
    status = worst(row["status"] for row in rows)
    number = sum(row["status"] == status for row in rows)
    return {
        "status": status,
        "text": f"{len(rows)}" if status == OK else f"{number} of {len(rows)}",
        "anchor": _anchor(component(rows[0]["name"]), host),
    }


def _anchor(key: str, host: int) -> str:
    return f"{key}-{host}"


def _area(key: str, rows: Sequence[Row], report: Row) -> dict[str, Any]:
    groups = []
    for number, host in enumerate(report["hosts"]):
        of_host = [row for row in rows if row["host"] == host["name"]]
        if of_host:
            groups.append(_group(host["name"], _anchor(key, number), of_host))
    counts = Counter(row["status"] for row in rows)
    return {"title": component_title(key), "counts": _counts(counts), "groups": groups}


def _group(host: str, anchor: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The checks of one host in an area; folded if all of them are ok."""
    status = worst(row["status"] for row in rows)
    return {
        "host": host,
        "anchor": anchor,
        "status": status,
        "open": status != OK,
        "totals": format_counts(Counter(row["status"] for row in rows)),
        "checks": [_check(row) for row in rows],
    }


def _check(row: Row) -> dict[str, Any]:
    facts = [
        ("Meaning", meaning(row["name"])),
        ("Thresholds", format_thresholds(row)),
        ("Covers", row["window"]),
        ("What to do", row["remedy"]),
    ]
    return {
        "status": row["status"],
        "name": row["name"],
        "short_name": row["name"].split(".", 1)[1].replace("_", " ").replace(".", " "),
        "subject": row["subject"],
        "summary": row["summary"],
        "value": measured_value(row),
        "meter": meter(row),
        "facts": [(term, text) for term, text in facts if text],
        "evidence": _table(row) if row["evidence"] else None,
    }


def meter(row: Row) -> Meter | None:
    """The bar of a check; none for a check without a value or without thresholds."""
    marks = [(level, row[level]) for level in (WARNING, CRITICAL) if row[level] is not None]
    value = row["value"]
    if value is None or not marks:
        return None
    full = _full_scale(row, [threshold for level, threshold in marks])

    def place(amount: float) -> str:
        return f"{min(max(amount / full * 100, 0), 100):.2f}%"

    return Meter(
        filled=place(value) if value > 0 else "",
        marks=[(level, place(threshold)) for level, threshold in marks],
        label=f"{measured_value(row)}, {format_thresholds(row)}",
    )


def _full_scale(row: Row, thresholds: Sequence[float]) -> float:
    """The value at which the bar is full, a little beyond the value and its thresholds."""
    value = row["value"]
    full = 100.0
    if row["unit"] != "percent":
        # room beyond a threshold that the value should exceed but does not
        too_low = row["direction"] == BELOW and value <= thresholds[0]
        full = max(value, *thresholds) * (2.0 if too_low else 1.1)
    return float(max(full, value, 1e-9))


def _table(row: Row, host: str = "") -> Table:
    keys = columns(row["evidence"])
    return Table(
        host=host,
        columns=[key.replace("_", " ") for key in keys],
        rows=[[_table_cell(evidence.get(key, "")) for key in keys] for evidence in row["evidence"]],
    )


def _table_cell(value: Any) -> tuple[str, bool]:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return format_cell(value, CELL_LENGTH), number
