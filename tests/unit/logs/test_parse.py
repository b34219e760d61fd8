"""What the lines of a log mean, and which of them form one message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.parse import (
    LineParser,
    Record,
    group_messages,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.timestamps import (
    TimestampParser,
)
from tests.support.logs import DATE_FORMAT, NOW


def parse_one(line: str, date_format: str = "") -> Record:
    (record,) = LineParser(TimestampParser(date_format, NOW)).parse(line)
    return record


def headlines(text: str, date_format: str = "") -> list[str]:
    records = LineParser(TimestampParser(date_format, NOW)).parse_all(text.splitlines())
    return [message.text for message in group_messages(records)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"level": 50, "time": 1795410367000, "pid": 7, "msg": "it broke"},
            Record(1795410367, "it broke", True, standalone=True),
        ),
        (
            {"level": 30, "time": 1795410367000, "msg": "listening"},
            Record(1795410367, "listening", False, standalone=True),
        ),
        (
            {
                "level": 50,
                "time": 1795410367,
                "err": {"type": "TypeError", "message": "x is 1", "stack": "…"},
            },
            Record(1795410367, "x is 1", True, standalone=True),
        ),
        (
            {
                "level": "error",
                "message": "it broke\n  at x",
                "timestamp": "2026-11-23T05:06:07.000Z",
            },
            Record(1795410367, "it broke", True, standalone=True),
        ),
        (
            {"level": "INFO", "message": "fine", "timestamp": "1795410367000"},
            Record(1795410367, "fine", False, standalone=True),
        ),
        (
            {"severity": "ERROR", "message": "it broke", "@timestamp": "2026-11-23T05:06:07Z"},
            Record(1795410367, "it broke", True, standalone=True),
        ),
        ({"message": "no time", "time": True}, Record(None, "no time", None, standalone=True)),
        ({"a": 1}, Record(None, "(no message)", None, standalone=True)),
    ],
)
def test_json_lines_of_the_usual_loggers(fields: dict[str, Any], expected: Record) -> None:
    assert parse_one(json.dumps(fields)) == expected
    again = parse_one(f"2026-11-23T05:06:08Z: {json.dumps(fields)}", DATE_FORMAT)
    assert (again.time, again.text) == (1795410368, expected.text), (
        "the time that PM2 puts before a line comes first"
    )


def test_json_that_pm2_writes_may_hold_several_lines_and_json_again() -> None:
    def line(message: str, kind: str = "err") -> str:
        return json.dumps(
            {
                "message": message,
                "timestamp": "2026-11-23T05:06:07.000Z",
                "type": kind,
                "process_id": 0,
                "app_name": "gpt-agent",
            }
        )

    text = "\n".join(
        [
            line("Error: it broke\n    at run (/srv/app.js:1:2)\nand then this\n"),
            line(json.dumps({"level": 50, "time": 1, "msg": "as JSON"}) + "\n"),
            line(json.dumps({"level": 20, "msg": "in detail"})),
            line("hello", "out"),
        ]
    )
    found = list(group_messages(LineParser(TimestampParser("", NOW)).parse_all(text.splitlines())))
    assert [(record.text, record.error) for record in found] == [
        ("Error: it broke", True),
        ("and then this", True),
        ("as JSON", True),
        ("in detail", False),
        ("hello", False),
    ]
    assert {record.time for record in found} == {1795410367}


@given(st.text(max_size=300), st.text(max_size=30))
def test_no_line_and_no_format_breaks_the_reader(line: str, date_format: str) -> None:
    for record in LineParser(TimestampParser(date_format, NOW)).parse(line):
        assert len(record.text) <= 400


def test_a_stack_trace_belongs_to_the_message_before() -> None:
    fork = "\n".join(
        f"2026-11-23T05:06:07: {line}"
        for line in [
            "Error: it broke",
            "    at run (/srv/app.js:1:2)",
            "    at main (/srv/app.js:9:1) {",
            "  code: 'X'",
            "}",
            "",
            "next message",
        ]
    )
    cluster = "\n".join(
        [
            "2026-11-23T05:06:07: Error: it broke",
            "    at run (/srv/app.js:1:2)",
            "some text",
            "}",
            "2026-11-23T05:06:09: next message",
        ]
    )
    assert (
        headlines(fork, DATE_FORMAT)
        == headlines(cluster, DATE_FORMAT)
        == ["Error: it broke", "next message"]
    )


@pytest.mark.parametrize("prefix", ["", "2026-11-23T05:06:07: "])
def test_a_crash_is_one_message_whatever_node_prints_before_it(prefix: str) -> None:
    lines = [
        "/srv/app.js:3",
        "throw new Error('it broke')",
        "^",
        "",
        "Error: it broke",
        "    at run (/srv/app.js:3:7)",
        "",
        "Node.js v20.20.2",
    ]
    assert (
        headlines("\n".join(prefix + line for line in lines * 2), DATE_FORMAT)
        == ["Error: it broke"] * 2
    )
    rejected = [
        "You have triggered an unhandledRejection, you may have forgotten to catch a Promise "
        "rejection:",
        "TypeError: no",
        "    at x",
    ]
    assert headlines("\n".join(prefix + line for line in rejected), DATE_FORMAT) == [
        "TypeError: no"
    ]
    assert headlines(prefix + "/srv/app.js:3", DATE_FORMAT) == ["/srv/app.js:3"], (
        "the end of the log"
    )


def test_an_uncaught_exception_in_cluster_mode_carries_no_time_and_still_counts() -> None:
    lines = [
        "2026-11-23T05:06:07: listening",
        "Error: it broke",
        "    at run (/srv/app.js:3:7)",
        "not a message",
        "TypeError: again",
        "    at run",
    ]
    assert headlines("\n".join(lines), DATE_FORMAT) == [
        "listening",
        "Error: it broke",
        "TypeError: again",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Debugger listening on ws://127.0.0.1:9229/8ab68703-957d-462a-97fe-2c3ee1bc2c62",
        "For help, see: https://nodejs.org/learn/getting-started/debugging",
        "Debugger attached.",
        "Debugger ending on ws://127.0.0.1:9229/8ab68703-957d-462a-97fe-2c3ee1bc2c62",
    ],
)
def test_what_node_says_of_its_inspector_is_no_error(line: str) -> None:
    assert parse_one(line).error is False
    assert parse_one(line.replace("Debugger", "The debugger").replace("For", "for")).error is None
