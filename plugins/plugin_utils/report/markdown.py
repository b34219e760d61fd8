# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as Markdown for a ticket or a chat: verdict, what needs attention, all checks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...module_utils.core.check import (
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
    Finding,
    NotJudged,
    Row,
    action_figures,
    actions_by_urgency,
    columns,
    component_title,
    components,
    findings,
    format_cell,
    format_counts,
    format_hosts,
    format_thresholds,
    headline,
    long_date,
    measured_value,
    not_judged,
    plan_note,
    printable,
    scope,
    totals,
)

SYMBOLS = {
    CRITICAL: "🔴",
    WARNING: "🟡",
    UNKNOWN: "⚪",
    OK: "🟢",
    FAILED: "🔴",
    DONE: "🟢",
    PLANNED: "🔵",
    SKIPPED: "⚪",
}
#: Rows of evidence in a ticket; the page has all of them.
MAX_ROWS = 5
#: A ticket lists single checks up to this number, and hosts and areas beyond it.
MAX_CHECKS = 100

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!@])")


def render(report: Row) -> str:
    """The report as text in GitHub's Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Row) -> Iterator[str]:
    yield from _head(report)
    found = findings(report)
    if found:
        yield "\n### What needs attention\n"
        for number, finding in enumerate(found, 1):
            yield from _finding(number, finding)
    if report["actions"]:
        yield f"\n### What was {'planned' if plan_note(report) else 'done'}\n"
        yield from _actions(report)
    if len(report["checks"]) > MAX_CHECKS:
        yield "\n### All hosts\n"
        yield from _hosts(report)
    elif report["checks"]:
        yield "\n### All checks"
        yield from _checks(report)
    unjudged = not_judged(report)
    if unjudged:
        yield "\n### Not judged\n"
        yield from map(_not_judged, unjudged)


def _head(report: Row) -> Iterator[str]:
    verdict = report["verdict"]
    word = "OK" if verdict == OK else verdict
    title = f"{_text(report['title'])}: {word} – {_text(headline(report))}"
    yield f"## {SYMBOLS[verdict]} {title}"
    yield ""
    parts = (long_date(report["finished"]), scope(report), totals(report))
    yield " · ".join(_text(part) for part in parts)
    note = plan_note(report)
    if note:
        yield f"\n{note.capitalize()}."
    if report["limit"]:
        yield f"\nLimited to: {_code(report['limit'])}."


def _finding(number: int, finding: Finding) -> Iterator[str]:
    bullet = f"{number}. "
    indent = " " * len(bullet)
    status = f"{SYMBOLS[finding.status]} **{finding.status}**"
    what = _name(finding.name, finding.subject)
    yield f"{bullet}{status} {what} on {_text(format_hosts(finding.hosts))}"
    summaries = finding.summaries
    for summary, hosts in summaries:
        row = next((row for row in finding.rows if row["summary"] == summary), finding.rows[0])
        facts = ", ".join(fact for fact in (format_thresholds(row), row["window"]) if fact)
        where = f"{_text(format_hosts(hosts))}: " if len(summaries) > 1 else ""
        suffix = f" ({_text(facts)})" if facts else ""
        yield f"{indent}- {where}**{_text(summary)}**{suffix}"
    if finding.remedy:
        yield f"{indent}- What to do: {_text(finding.remedy)}"
    if len(finding.rows) == 1 and finding.rows[0]["evidence"]:
        yield from _evidence(finding.rows[0]["evidence"], indent)


def _evidence(rows: Sequence[Row], indent: str) -> Iterator[str]:
    yield ""
    keys = columns(rows)
    cells = ([_text(format_cell(row.get(key, ""), 80)) for key in keys] for row in rows[:MAX_ROWS])
    for line in _table([_text(key) for key in keys], cells):
        yield f"{indent}  {line}"
    if len(rows) > MAX_ROWS:
        yield f"\n{indent}  and {pluralize(len(rows) - MAX_ROWS, 'more row')} in the report"
    yield ""


def _actions(report: Row) -> Iterator[str]:
    rows = (
        [
            _status(row["status"]),
            _text(row["host"]),
            _name(row["name"], row["subject"]),
            _text(row["reason"]),
            _text(action_figures(row)),
        ]
        for row in actions_by_urgency(report)
    )
    yield from _table(("", "Host", "Action", "Reason", "Figures"), rows)


def _checks(report: Row) -> Iterator[str]:
    for key, checks in components(report["checks"]).items():
        yield f"\n#### {_text(component_title(key))}\n"
        rows = (
            [
                _status(row["status"]),
                _text(row["host"]),
                _name(row["name"], row["subject"]),
                _text(measured_value(row)),
                _text(row["summary"]),
            ]
            for row in checks
        )
        yield from _table(("", "Host", "Check", "Value", "Summary"), rows)


def _not_judged(check: NotJudged) -> str:
    what = f"{_name(check.name, check.subject)} on {_text(format_hosts(check.hosts))}"
    return f"- {what}: {_text(check.reason)}"


def _hosts(report: Row) -> Iterator[str]:
    keys = list(components(report["checks"]))
    rows = []
    for host in report["hosts"]:
        by_component = components(row for row in report["checks"] if row["host"] == host["name"])
        cells = [_totals(by_component.get(key, [])) for key in keys]
        rows.append([_text(host["name"]), *cells])
    yield from _table(("Host", *(_text(component_title(key)) for key in keys)), rows)


def _totals(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    counts = Counter(row["status"] for row in rows)
    return f"{SYMBOLS[worst(counts)]} {format_counts(counts)}"


def _status(status: str) -> str:
    return f"{SYMBOLS[status]} {status}"


def _name(name: str, subject: str) -> str:
    return f"{_code(name)} {_code(subject)}" if subject else _code(name)


def _text(value: Any) -> str:
    """Any text in one line, escaped for Markdown, HTML and mentions."""
    return _SPECIAL.sub(r"\\\1", " ".join(printable(str(value)).split()))


def _code(value: str) -> str:
    """A code span that neither a backtick nor a column of a table ends early."""
    text = " ".join(printable(value).split()).replace("`", "'").replace("|", "\u2223")
    return f"`{text}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
