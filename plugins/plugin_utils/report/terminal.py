# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The closing table of a run as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
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
)
from .view import (
    Finding,
    Row,
    component_title,
    components,
    effect,
    findings,
    names,
    outcome,
    scope,
    visible,
    work,
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
#: What a terminal that knows ASCII only is shown for the characters that this collection's own texts use.
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

#: Columns that the status takes, and by which all that belongs to it is indented.
INDENT = 12
#: Lines that one finding, and all actions together, may take; the rest is in the report.
MOST_SUMMARIES = 6
MOST_ACTIONS = 20

Paint = Callable[[str, str], str]


def render(
    report: Row,
    *,
    width: int = 100,
    unicode: bool = True,
    paint: Paint = lambda text, colour: text,
    location: str = "",
) -> str:
    """The table, at most so many columns wide.

    ``paint`` colours a text, ``location`` says where the report lies; with ``unicode`` false only ASCII comes out.
    """

    def clean(text: str) -> str:
        text = visible(text)
        return text if unicode else text.translate(ASCII).encode("ascii", "replace").decode()

    lines = [(clean(text), colour) for text, colour in _lines(report, max(width, 40), location)]
    return "\n".join(paint(text, colour) if colour and text else text for text, colour in lines)


def _lines(report: Row, width: int, location: str) -> Iterator[tuple[str, str]]:
    """Lines of text, each with its colour."""
    title = report["title"] + (" (check mode: nothing was changed)" if report["check_mode"] else "")
    if report["limit"]:
        title += f" (only {report['limit']})"
    yield "", ""
    yield f"── {title} ".ljust(width, "─")[:width], ""
    for finding in findings(report):
        yield from _finding(finding, width)
    yield from _work(report, width)
    good = [row for row in report["checks"] if row["status"] == OK]
    if good:
        areas = ", ".join(
            f"{component_title(key)} {len(rows)}" for key, rows in components(good).items()
        )
        yield from _hanging(_status(OK), f"{len(good)} ok: {areas}", width, COLOURS[OK])
    overall = report["verdict"]
    yield "", ""
    yield f"{overall.upper()}: {outcome(report)} ({scope(report)})", COLOURS[overall]
    if location:
        yield f"Report: {location}", ""


def _finding(finding: Finding, width: int) -> Iterator[tuple[str, str]]:
    what = f"{finding.name} {finding.subject}".rstrip()
    yield from _hanging(
        _status(finding.status), f"{what} · {names(finding.hosts)}", width, COLOURS[finding.status]
    )
    told = finding.summaries
    for summary, hosts in told[:MOST_SUMMARIES]:
        yield from _hanging("", summary if len(told) == 1 else f"{names(hosts)}: {summary}", width)
    if len(told) > MOST_SUMMARIES:
        yield from _hanging(
            "", f"and {len(told) - MOST_SUMMARIES} more like it, see the report", width
        )
    if finding.remedy:
        yield from _hanging("", f"→ {finding.remedy}", width, "cyan", deeper=2)


def _work(report: Row, width: int) -> Iterator[tuple[str, str]]:
    actions = work(report)
    for action in actions[:MOST_ACTIONS]:
        what = f"{action['name']} {action['subject']}".rstrip()
        figures = effect(action)
        words = (
            f"{what} · {action['host']}"
            + (f": {action['reason']}" if action["reason"] else "")
            + (f" ({figures})" if figures else "")
        )
        yield from _hanging(_status(action["status"]), words, width, COLOURS[action["status"]])
    if len(actions) > MOST_ACTIONS:
        yield from _hanging("", f"and {len(actions) - MOST_ACTIONS} more, see the report", width)


def _status(status: str) -> str:
    return f"{SYMBOLS[status]} {status}"


def _hanging(
    label: str, text: str, width: int, colour: str = "", deeper: int = 0
) -> Iterator[tuple[str, str]]:
    """A text beside a label, wrapped below itself; nothing of a long name or path is broken or lost."""
    wrapped: Any = textwrap.wrap(
        " ".join(text.split()),
        width,
        initial_indent=label.ljust(INDENT),
        subsequent_indent=" " * (INDENT + deeper),
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in wrapped:
        yield line, colour
