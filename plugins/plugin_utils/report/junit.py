# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JUnit XML, for the test pages of CI systems.

A test suite per host, a test case per check and action. Critical checks and failed actions are
failures. A warning is a failure if ``fail_on`` includes warnings, else it passes with its text as
output. Unknown is skipped, since nothing was tested; it is a failure if ``fail_on`` includes it.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

from ...module_utils.core.check import CRITICAL, FAILED, OK, SKIPPED, UNKNOWN
from .document import reaches
from .view import Row, action_figures, format_thresholds

#: Characters that XML 1.0 cannot hold, escaped or not.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Row) -> str:
    """The XML document as text."""
    root = ET.Element("testsuites")
    for host in report["hosts"]:
        _suite(root, host["name"], report)
    _set(
        root,
        name=report["title"],
        tests=len(root.findall("*/testcase")),
        failures=len(root.findall("*/testcase/failure")),
        errors=0,
        time=_seconds(report["seconds"]),
    )
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(root: ET.Element, host: str, report: Row) -> None:
    suite = ET.SubElement(root, "testsuite")
    for row in report["checks"]:
        if row["host"] == host:
            _check(suite, row, report["fail_on"])
    for row in report["actions"]:
        if row["host"] == host:
            _action(suite, row)
    _set(
        suite,
        name=host,
        tests=len(suite),
        failures=len(suite.findall("*/failure")),
        errors=0,
        skipped=len(suite.findall("*/skipped")),
        time=_seconds(None),
        timestamp=report["finished"].rstrip("Z"),
    )


def _check(suite: ET.Element, row: Row, fail_on: str) -> None:
    case = _case(suite, row)
    status, summary = row["status"], row["summary"]
    remedy = f"What to do: {row['remedy']}" if row["remedy"] else ""
    lines = [summary, format_thresholds(row), row["window"], remedy]
    text = "\n".join(line for line in lines if line)
    if status == CRITICAL or (status != OK and reaches(status, fail_on)):
        _add(case, "failure", text, type=status, message=summary)
    elif status == UNKNOWN:
        _add(case, "skipped", message=summary)
    else:
        _add(case, "system-out", f"{status}: {text}")


def _action(suite: ET.Element, row: Row) -> None:
    case = _case(suite, row)
    status, reason = row["status"], row["reason"]
    text = "; ".join(part for part in (status, reason, action_figures(row)) if part)
    if status == FAILED:
        _add(case, "failure", text, type=FAILED, message=reason or FAILED)
    elif status == SKIPPED:
        _add(case, "skipped", message=reason or SKIPPED)
    else:
        _add(case, "system-out", text)


def _case(suite: ET.Element, row: Row) -> ET.Element:
    case = ET.SubElement(suite, "testcase")
    name = f"{row['name']} {row['subject']}".rstrip()
    class_name = f"{row['host']}.{row['name']}"
    _set(case, classname=class_name, name=name, time=_seconds(row.get("seconds")))
    return case


def _add(case: ET.Element, tag: str, text: str = "", **attributes: Any) -> None:
    element = ET.SubElement(case, tag)
    _set(element, **attributes)
    if text:
        element.text = _valid(text)


def _set(element: ET.Element, **attributes: Any) -> None:
    for name, value in attributes.items():
        element.set(name, _valid(value))


def _seconds(seconds: float | None) -> str:
    return f"{seconds or 0:.3f}"


def _valid(value: Any) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", str(value))
