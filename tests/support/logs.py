"""Logs of the unit tests' own, around one fixed moment."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.scan import (
    Budget,
    LogFile,
    scan,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.summary import LogSummary

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc).timestamp()
DAY = 86400.0
DATE_FORMAT = "YYYY-MM-DDTHH:mm:ss"


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_log(path: Path, text: str, written: float = NOW - 60) -> LogFile:
    """A log that was last written a minute before `NOW`, or when you say."""
    path.write_text(text)
    os.utime(path, (written, written))
    return LogFile(str(path), DATE_FORMAT)


def scan_recent(
    *logs: LogFile, hours: float = 24, size: int = 16 << 20, seconds: float = 30
) -> LogSummary:
    """The messages of the hours before `NOW`."""
    return scan(logs, NOW - hours * 3600, NOW, Budget(size, seconds))


def log_lines(*ages: float, text: str = "it broke") -> str:
    """Lines with a time, written so many seconds before `NOW`."""
    return "".join(f"{stamp(NOW - age)}: {text}\n" for age in ages)


def problems(summary: LogSummary) -> list[tuple[str, str]]:
    """Name of the file and kind of each problem."""
    return [(os.path.basename(problem.path), problem.kind) for problem in summary.problems]
