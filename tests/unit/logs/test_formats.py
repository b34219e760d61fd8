"""Lines of common loggers: their time and their level."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.levels import ERROR, INFO
from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.parse import LineParser
from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.timestamps import (
    TimestampParser,
)
from tests.support.logs import NOW

FIVE = datetime(2026, 11, 22, 5, tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("line", "time", "level"),
    [
        ("[Nest] 12  - 11/22/2026, 5:00:00 AM   ERROR [Ctx] text", FIVE, ERROR),
        ("[Nest] 12  - 11/22/2026, 5:00:00\u202fAM     LOG [Ctx] text", FIVE, INFO),
        ("[Nest] 12  - 22/11/2026, 05:00:00   ERROR [Ctx] text", FIVE, ERROR),
        ("[Nest] 12  - 22.11.2026, 05:00:00   ERROR [Ctx] text", FIVE, ERROR),
        ("\x1b[91m[2026-11-22T05:00:00.000] [ERROR] default - \x1b[39mtext", FIVE, ERROR),
        ("2026-11-22 05:00:00 [info]: text", FIVE, INFO),
        ('error: text {"timestamp":"2026-11-22T05:00:00.000Z"}', FIVE, ERROR),
        ("time=2026-11-22T05:00:00Z level=info msg=x", FIVE, INFO),
        ('::1 - - [22/Nov/2026:05:00:00 +0000] "GET / HTTP/1.1" 502 1 "-" "-"', FIVE, ERROR),
        ('::1 - - [22/Nov/2026:06:00:00 +0100] "GET / HTTP/1.1" 200 1 "-" "-"', FIVE, INFO),
        ("\x1b[0mGET /x \x1b[31m503\x1b[0m 3.2 ms - 12\x1b[0m", None, ERROR),
    ],
)
def test_time_and_level(line: str, time: float | None, level: int) -> None:
    (record,) = LineParser(TimestampParser("", NOW, own_zone=timezone.utc)).parse(line)
    assert (record.time, record.error) == (time, level == ERROR)


def test_pm2_and_the_app_may_be_in_two_zones() -> None:
    zones = (ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin"))
    parser = LineParser(TimestampParser("YYYY-MM-DDTHH:mm:ss", NOW, *zones))
    lines = ["2026-11-22T14:00:00: text", "2026-11-22 06:00:00 error: text"]
    # The app's own line is in PM2's format, apart from the colon.
    assert [record.time for line in lines for record in parser.parse(line)] == [FIVE, FIVE]
