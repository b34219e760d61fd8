# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The closing table of a run as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

from ...module_utils.core.check import (
    CRITICAL,
    DONE,
    FAILED,
    OK,
    PLANNED,
    SKIPPED,
    UNKNOWN,
    WARNING,
)
from .view import (
    Finding,
    Row,
    action_figures,
    actions_by_urgency,
    component_title,
    components,
    findings,
    format_hosts,
    not_judged,
    plan_note,
    printable,
    scope,
    totals,
)

SYMBOLS = {
    CRITICAL: "✖",
    WARNING: "▲",
    UNKNOWN: "?",
    OK: "✔",
    FAILED: "✖",
    DONE: "✔",
    PLANNED: "•",
    SKIPPED: "–",
}
COLOURS = {
    CRITICAL: "red",
    WARNING: "yellow",
    UNKNOWN: "purple",
    OK: "green",
    FAILED: "red",
    DONE: "green",
    PLANNED: "cyan",
    SKIPPED: "dark gray",
}
#: Replacements on a terminal without Unicode, for the characters of this collection's own texts.
ASCII = str.maketrans(
    {
        "✖": "x",
        "▲": "!",
        "✔": "+",
        "•": "*",
        "–": "-",
        "→": "->",
        "─": "-",
        "…": "...",
        "µ": "u",
        "×": "x",
        "·": "|",
        "—": "-",
    }
)

#: Columns for the status; everything below it is indented by as many.
INDENT = 12
#: Most summaries of one finding, actions, and checks without a verdict; the report has the rest.
MAX_SUMMARIES = 6
MAX_ACTIONS = 20
MAX_NOT_JUDGED = 10

Paint = Callable[[str, str], str]
#: A line of text and its colour, empty for the default colour.
Line = tuple[str, str]


def render(
    report: Row,
    *,
    width: int = 100,
    unicode: bool = True,
    paint: Paint = lambda text, colour: text,
    location: str = "",
) -> str:
    """The table, at most ``width`` columns wide.

    ``paint`` colours a text, ``location`` is the path of the report to name. Without ``unicode``
    the table is plain ASCII.
    """

    def clean(text: str) -> str:
        text = printable(text)
        return text if unicode else text.translate(ASCII).encode("ascii", "replace").decode()

    lines = [(clean(text), colour) for text, colour in _lines(report, max(width, 40), location)]
    return "\n".join(paint(text, colour) if colour and text else text for text, colour in lines)


def _lines(report: Row, width: int, location: str) -> Iterator[Line]:
    yield "", ""
    yield f"── {_title(report)} ".ljust(width, "─")[:width], ""
    for finding in findings(report):
        yield from _finding(finding, width)
    yield from _actions(report, width)
    passed = [row for row in report["checks"] if row["status"] == OK]
    if passed:
        by_area = components(passed).items()
        areas = ", ".join(f"{component_title(key)} {len(rows)}" for key, rows in by_area)
        yield from _wrap(_status(OK), f"{len(passed)} ok: {areas}", width, COLOURS[OK])
    yield from _not_judged(report, width)
    verdict = report["verdict"]
    yield "", ""
    yield f"{verdict.upper()}: {totals(report)} ({scope(report)})", COLOURS[verdict]
    if location:
        yield f"Report: {location}", ""


def _title(report: Row) -> str:
    title: str = report["title"]
    note = plan_note(report)
    if note:
        title += f" ({note})"
    if report["limit"]:
        title += f" (limited to {report['limit']})"
    return title


def _finding(finding: Finding, width: int) -> Iterator[Line]:
    what = f"{finding.name} {finding.subject}".rstrip()
    heading = f"{what} · {format_hosts(finding.hosts)}"
    yield from _wrap(_status(finding.status), heading, width, COLOURS[finding.status])
    summaries = finding.summaries
    for summary, hosts in summaries[:MAX_SUMMARIES]:
        where = f"{format_hosts(hosts)}: " if len(summaries) > 1 else ""
        yield from _wrap("", where + summary + _since(finding, summary), width)
    if len(summaries) > MAX_SUMMARIES:
        yield from _wrap("", f"and {len(summaries) - MAX_SUMMARIES} more, see the report", width)
    if finding.remedy:
        yield from _wrap("", f"→ {finding.remedy}", width, "cyan", hanging=2)


def _since(finding: Finding, summary: str) -> str:
    """From when on something was counted, if the summary does not say it itself."""
    window: str = next(row["window"] for row in finding.rows if row["summary"] == summary)
    return f" ({window})" if window.startswith("since ") and " since " not in summary else ""


def _not_judged(report: Row, width: int) -> Iterator[Line]:
    checks = not_judged(report)
    for number, check in enumerate(checks[:MAX_NOT_JUDGED]):
        label = "not judged" if number == 0 else ""
        what = f"{check.name} {check.subject}".rstrip() + f" · {format_hosts(check.hosts)}"
        yield from _wrap(label, f"{what}: {check.reason}", width, hanging=2)
    if len(checks) > MAX_NOT_JUDGED:
        yield from _wrap("", f"and {len(checks) - MAX_NOT_JUDGED} more, see the report", width)


def _actions(report: Row, width: int) -> Iterator[Line]:
    actions = actions_by_urgency(report)
    for action in actions[:MAX_ACTIONS]:
        text = f"{action['name']} {action['subject']}".rstrip() + f" · {action['host']}"
        if action["reason"]:
            text += f": {action['reason']}"
        figures = action_figures(action)
        if figures:
            text += f" ({figures})"
        yield from _wrap(_status(action["status"]), text, width, COLOURS[action["status"]])
    if len(actions) > MAX_ACTIONS:
        yield from _wrap("", f"and {len(actions) - MAX_ACTIONS} more, see the report", width)
    if plan_note(report) and not report["check_mode"]:
        text = "→ The first lines of the playbook say how to carry it out."
        yield from _wrap("", text, width, "cyan")


def _status(status: str) -> str:
    return f"{SYMBOLS[status]} {status}"


def _wrap(label: str, text: str, width: int, colour: str = "", hanging: int = 0) -> Iterator[Line]:
    """A text beside its label, wrapped and indented; long names and paths stay whole."""
    lines = textwrap.wrap(
        " ".join(text.split()),
        width,
        initial_indent=label.ljust(INDENT),
        subsequent_indent=" " * (INDENT + hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines:
        yield line, colour
