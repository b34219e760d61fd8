"""When a log line was written."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.timestamps import (
    TimestampParser,
    date_format_pattern,
)
from tests.support.logs import DATE_FORMAT, NOW, scan_recent, write_log


def split(line: str, date_format: str = "") -> tuple[float | None, str]:
    return TimestampParser(date_format, NOW).split(line)


@pytest.mark.parametrize(
    ("date_format", "written", "expected"),
    [
        (DATE_FORMAT, "2026-11-23T05:06:07", (2026, 11, 23, 5, 6, 7)),
        ("YYYY-MM-DD HH:mm:ss.SSS", "2026-11-23 05:06:07.250", (2026, 11, 23, 5, 6, 7, 250000)),
        ("DD/MM/YYYY HH:mm:ss", "03/11/2026 05:06:07", (2026, 11, 3, 5, 6, 7)),
        ("MMM D, YYYY h:mm A", "Nov 3, 2026 5:06 PM", (2026, 11, 3, 17, 6)),
        ("MMMM DD YYYY hh:mm:ss a", "November 03 2026 12:06:07 am", (2026, 11, 3, 0, 6, 7)),
        ("[at] YY-M-D H:m:s", "at 26-1-3 5:6:7", (2026, 1, 3, 5, 6, 7)),
        ("MM-DD HH:mm:ss", "11-23 05:06:07", (2026, 11, 23, 5, 6, 7)),
        ("MM-DD HH:mm:ss", "12-31 23:59:59", (2025, 12, 31, 23, 59, 59)),
        ("ddd DD.MM.YYYY HH:mm", "Mon 23.11.2026 05:06", (2026, 11, 23, 5, 6)),
    ],
)
def test_pm2s_log_date_format_is_understood(
    zone: str, date_format: str, written: str, expected: tuple[int, ...]
) -> None:
    found = split(f"{written}: it broke", date_format)
    assert found == (datetime(*expected).timestamp(), "it broke")  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-23T05:06:07Z: it broke",
        "2026-11-23T07:06:07.000+02:00: it broke",
        "2026-11-23 00:06:07,000 -0500 it broke",
        "[2026-11-23T05:06:07.000Z] it broke",
        "ERROR [2026-11-23T05:06:07Z] it broke",
        "[error] 2026-11-23T05:06:07Z: it broke",
        "2026/11/23 05:06:07Z it broke",
    ],
)
def test_iso_times_are_understood_without_a_format(zone: str, written: str) -> None:
    moment, text = split(written)
    assert moment == datetime(2026, 11, 23, 5, 6, 7, tzinfo=timezone.utc).timestamp()
    assert text.endswith("it broke")


@pytest.mark.parametrize(
    "date_format",
    [
        "",
        "HH:mm:ss",
        "YYYY-MM-DD",
        "hh:mm:ss DD/MM/YYYY",
        "YYYY YYYY-MM-DD HH:mm",
        "Q",
        "[only text]",
        "((",
    ],
)
def test_a_format_without_day_and_time_has_no_pattern(date_format: str) -> None:
    assert date_format_pattern(date_format) is None


@pytest.mark.parametrize(
    "line",
    ["it broke", "2026-13-45T99:99:99: it broke", "12 apples", "{broken json", "", "2026-11-23"],
)
def test_a_line_without_a_time_has_none(line: str) -> None:
    assert split(line, DATE_FORMAT) == (None, line)


def test_times_without_a_zone_are_in_the_zone_of_the_host(zone: str, tmp_path: Path) -> None:
    local = (datetime.fromtimestamp(NOW) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
    assert scan_recent(write_log(tmp_path / "e.log", f"{local}: it broke\n"), hours=1.1).count == 1
    assert scan_recent(write_log(tmp_path / "e.log", f"{local}: it broke\n"), hours=0.9).count == 0
