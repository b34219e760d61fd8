# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JUnit XML, for the test pages of CI systems: a suite for each host, a test case for each check and action.

Critical checks and failed actions are failures. A warning is a failure too where the run was to be failed for warnings, else
it passes with its text as output. Unknown is skipped, since nothing was tested; it is a failure where the run was to be failed
for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ...module_utils.core.check import CRITICAL, FAILED, OK, SKIPPED, UNKNOWN
from .document import reaches
from .view import Row, effect, limits

#: Characters that XML 1.0 cannot hold, whatever the escaping.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Row) -> str:
    suites = []
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for host in report["hosts"]:
        cases = [
            _check(row, report["fail_on"])
            for row in report["checks"]
            if row["host"] == host["name"]
        ]
        cases += [_action(row) for row in report["actions"] if row["host"] == host["name"]]
        counts = {
            "tests": len(cases),
            "failures": _having(cases, "<failure"),
            "errors": 0,
            "skipped": _having(cases, "<skipped"),
        }
        totals = {key: totals[key] + counts[key] for key in totals}
        suites.append(
            _element(
                "testsuite",
                {
                    "name": host["name"],
                    **counts,
                    "time": _time(None),
                    "timestamp": report["finished"].rstrip("Z"),
                },
                cases,
            )
        )
    del totals["skipped"]  # the schema has it for a suite only
    attributes = {"name": report["title"], **totals, "time": _time(report["seconds"])}
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        + _element("testsuites", attributes, suites)
        + "\n"
    )


def _check(row: Row, fail_on: str) -> str:
    text = "\n".join(
        line
        for line in (
            row["summary"],
            limits(row),
            row["window"],
            f"What to do: {row['remedy']}" if row["remedy"] else "",
        )
        if line
    )
    if row["status"] == CRITICAL or (row["status"] != OK and reaches(row["status"], fail_on)):
        inside = [
            _element("failure", {"type": row["status"], "message": row["summary"]}, [_text(text)])
        ]
    elif row["status"] == UNKNOWN:
        inside = [_element("skipped", {"message": row["summary"]})]
    else:
        inside = [_element("system-out", {}, [_text(f"{row['status']}: {text}")])]
    return _case(row, inside)


def _action(row: Row) -> str:
    text = "; ".join(part for part in (row["status"], row["reason"], effect(row)) if part)
    if row["status"] == FAILED:
        return _case(
            row,
            [
                _element(
                    "failure", {"type": FAILED, "message": row["reason"] or FAILED}, [_text(text)]
                )
            ],
        )
    if row["status"] == SKIPPED:
        return _case(row, [_element("skipped", {"message": row["reason"] or SKIPPED})])
    return _case(row, [_element("system-out", {}, [_text(text)])])


def _case(row: Row, inside: Sequence[str]) -> str:
    name = f"{row['name']} {row['subject']}".rstrip()
    return _element(
        "testcase",
        {
            "classname": f"{row['host']}.{row['name']}",
            "name": name,
            "time": _time(row.get("seconds")),
        },
        inside,
    )


def _time(seconds: float | None) -> str:
    return f"{seconds or 0:.3f}"


def _having(cases: Sequence[str], tag: str) -> int:
    return sum(f"\n{tag}" in case for case in cases)


def _element(tag: str, attributes: dict[str, Any], inside: Sequence[str] = ()) -> str:
    written = "".join(f" {name}={quoteattr(_clean(value))}" for name, value in attributes.items())
    return (
        f"<{tag}{written}>"
        + "".join(f"\n{part}" if part.startswith("<") else part for part in inside)
        + f"</{tag}>"
    )


def _text(value: str) -> str:
    return escape(_clean(value))


def _clean(value: Any) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", str(value))
