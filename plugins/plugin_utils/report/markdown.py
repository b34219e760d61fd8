# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as Markdown, to be put into a ticket or a chat: the verdict, what needs a hand, then a table of everything."""

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
from .view import (
    Finding,
    Row,
    brief,
    columns,
    component_title,
    components,
    effect,
    figure,
    findings,
    headline,
    limits,
    names,
    outcome,
    pluralize,
    scope,
    tally,
    visible,
    when,
    work,
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
#: Rows of evidence that a ticket needs to see; the page has all of them.
MOST_ROWS = 5
#: Of more checks than these, a ticket gets the hosts and areas alone.
MOST_CHECKS = 100

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!@])")


def render(report: Row) -> str:
    return "\n".join(_lines(report)) + "\n"


def _text(value: Any) -> str:
    """Any text in one line, with nothing in it that Markdown, HTML or a mention would act on."""
    return _SPECIAL.sub(r"\\\1", " ".join(visible(str(value)).split()))


def _code(value: str) -> str:
    """A name or subject in a code span, which no backtick and no table can end early."""
    return "`" + " ".join(visible(value).split()).replace("`", "'").replace("|", "\u2223") + "`"


def _lines(report: Row) -> Iterator[str]:
    verdict = report["verdict"]
    yield f"## {SYMBOLS[verdict]} {_text(report['title'])}: {'OK' if verdict == OK else verdict} – {_text(headline(report))}"
    yield ""
    yield f"{_text(when(report['finished']))} · {_text(scope(report))} · {_text(outcome(report))}"
    if report["check_mode"]:
        yield "\nCheck mode: nothing was changed."
    if report["limit"]:
        yield f"\nOnly these hosts were asked for: {_code(report['limit'])}."
    found = findings(report)
    if found:
        yield "\n### What needs a hand\n"
        for number, finding in enumerate(found, 1):
            yield from _finding(number, finding)
    if report["actions"]:
        yield f"\n### What was {'planned' if report['check_mode'] else 'done'}\n"
        yield from _table(
            ("", "Host", "Action", "Why", "Figures"),
            (
                [
                    _status(row["status"]),
                    _text(row["host"]),
                    _what(row),
                    _text(row["reason"]),
                    _text(effect(row)),
                ]
                for row in work(report)
            ),
        )
    if len(report["checks"]) > MOST_CHECKS:
        yield "\n### All hosts\n"
        yield from _hosts(report)
        return
    if report["checks"]:
        yield "\n### Everything that was looked at"
    for key, rows in components(report["checks"]).items():
        yield f"\n#### {_text(component_title(key))}\n"
        yield from _table(
            ("", "Host", "Check", "Value", "What was seen"),
            (
                [
                    _status(row["status"]),
                    _text(row["host"]),
                    _what(row),
                    _text(figure(row)),
                    _text(row["summary"]),
                ]
                for row in rows
            ),
        )


def _hosts(report: Row) -> Iterator[str]:
    keys = list(components(report["checks"]))
    rows = []
    for host in report["hosts"]:
        mine = components(row for row in report["checks"] if row["host"] == host["name"])
        cells = [
            f"{SYMBOLS[worst(row['status'] for row in mine[key])]} {tally(Counter(row['status'] for row in mine[key]))}"
            if key in mine
            else ""
            for key in keys
        ]
        rows.append([_text(host["name"]), *cells])
    yield from _table(("Host", *(_text(component_title(key)) for key in keys)), rows)


def _status(status: str) -> str:
    return f"{SYMBOLS[status]} {status}"


def _what(row: Row) -> str:
    return _code(row["name"]) + (f" {_code(row['subject'])}" if row["subject"] else "")


def _finding(number: int, finding: Finding) -> Iterator[str]:
    first = f"{number}. "
    indent = " " * len(first)
    told = finding.summaries
    yield f"{first}{SYMBOLS[finding.status]} **{finding.status}** {_what({'name': finding.name, 'subject': finding.subject})} on {_text(names(finding.hosts))}"
    for summary, hosts in told:
        row = next((row for row in finding.rows if row["summary"] == summary), finding.rows[0])
        facts = ", ".join(fact for fact in (limits(row), row["window"]) if fact)
        where = f"{_text(names(hosts))}: " if len(told) > 1 else ""
        yield f"{indent}- {where}**{_text(summary)}**" + (f" ({_text(facts)})" if facts else "")
    if finding.remedy:
        yield f"{indent}- What to do: {_text(finding.remedy)}"
    rows = finding.rows[0]["evidence"] if len(finding.rows) == 1 else []
    if rows:
        yield ""
        keys = columns(rows)
        cells = ([_text(brief(row.get(key, ""), 80)) for key in keys] for row in rows[:MOST_ROWS])
        yield from (f"{indent}  {line}" for line in _table([_text(key) for key in keys], cells))
        if len(rows) > MOST_ROWS:
            yield f"\n{indent}  and {pluralize(len(rows) - MOST_ROWS, 'more row')} in the report"
        yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
