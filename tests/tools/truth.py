"""A pytest plugin that prints situations and verdicts as a table at the end of a run."""

from __future__ import annotations

from itertools import groupby
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows = [
        value
        for report in terminalreporter.stats.get("passed", ())
        for name, value in report.user_properties
        if name == "truth" and report.when == "call"
    ]
    for service, situations in groupby(sorted(rows, key=lambda row: row[:2]), lambda row: row[0]):
        terminalreporter.section(service)
        for _, words, verdicts in situations:
            terminalreporter.write_line(words)
            for check, verdict in verdicts.items():
                terminalreporter.write_line(f"    {verdict:<10} {check}")
