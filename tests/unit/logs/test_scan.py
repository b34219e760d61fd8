"""What lines of logs mean, and which of them lie in a window."""

from __future__ import annotations

import gzip
import json
import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs import scan as app_log
from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.parse import (
    LineReader,
    Record,
    date_pattern,
    messages,
    shape,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.scan import (
    Budget,
    Report,
    Source,
    read,
    rotated,
)

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc).timestamp()
DAY = 86400.0
TIME = "YYYY-MM-DDTHH:mm:ss"


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def one(line: str, date_format: str = "") -> Record:
    (record,) = LineReader(date_format, NOW).records(line)
    return record


def headlines(text: str, date_format: str = "") -> list[str]:
    reader = LineReader(date_format, NOW)
    return [
        message.text
        for message in messages(
            record for line in text.splitlines() for record in reader.records(line)
        )
    ]


# --- lines --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("date_format", "written", "expected"),
    [
        (TIME, "2026-11-23T05:06:07", (2026, 11, 23, 5, 6, 7)),
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
def test_times_are_read_as_pm2_was_told_to_write_them(
    zone: str, date_format: str, written: str, expected: tuple[int, ...]
) -> None:
    record = one(f"{written}: it broke", date_format)
    assert record == Record(datetime(*expected).timestamp(), "it broke")  # type: ignore[misc, arg-type]


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
def test_iso_times_are_understood_without_being_told(zone: str, written: str) -> None:
    record = one(written)
    assert record.time == datetime(2026, 11, 23, 5, 6, 7, tzinfo=timezone.utc).timestamp()
    assert record.text.endswith("it broke")


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
def test_a_format_that_names_no_moment_is_no_help(date_format: str) -> None:
    assert date_pattern(date_format) is None


@pytest.mark.parametrize(
    "line",
    ["it broke", "2026-13-45T99:99:99: it broke", "12 apples", "{broken json", "", "2026-11-23"],
)
def test_a_line_without_a_time_has_none(line: str) -> None:
    assert one(line, TIME).time is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"level": 50, "time": 1795410367000, "pid": 7, "msg": "it broke"},
            Record(1795410367, "it broke", True, whole=True),
        ),
        (
            {"level": 30, "time": 1795410367000, "msg": "listening"},
            Record(1795410367, "listening", False, whole=True),
        ),
        (
            {
                "level": 50,
                "time": 1795410367,
                "err": {"type": "TypeError", "message": "x is 1", "stack": "…"},
            },
            Record(1795410367, "x is 1", True, whole=True),
        ),
        (
            {
                "level": "error",
                "message": "it broke\n  at x",
                "timestamp": "2026-11-23T05:06:07.000Z",
            },
            Record(1795410367, "it broke", True, whole=True),
        ),
        (
            {"level": "INFO", "message": "fine", "timestamp": "1795410367000"},
            Record(1795410367, "fine", False, whole=True),
        ),
        (
            {"severity": "ERROR", "message": "it broke", "@timestamp": "2026-11-23T05:06:07Z"},
            Record(1795410367, "it broke", True, whole=True),
        ),
        ({"message": "no time", "time": True}, Record(None, "no time", None, whole=True)),
        ({"a": 1}, Record(None, "(no message)", None, whole=True)),
    ],
)
def test_json_lines_of_the_usual_loggers(fields: dict[str, Any], expected: Record) -> None:
    assert one(json.dumps(fields)) == expected
    again = one(f"2026-11-23T05:06:08Z: {json.dumps(fields)}", TIME)
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
    reader = LineReader("", NOW)
    found = list(
        messages(record for one_line in text.splitlines() for record in reader.records(one_line))
    )
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
    for record in LineReader(date_format, NOW).records(line):
        assert len(record.text) <= 400


# --- messages -----------------------------------------------------------------------------------------------------


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
    cluster = "2026-11-23T05:06:07: Error: it broke\n    at run (/srv/app.js:1:2)\nsome text\n}\n2026-11-23T05:06:09: next message"
    assert headlines(fork, TIME) == headlines(cluster, TIME) == ["Error: it broke", "next message"]


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
        headlines("\n".join(prefix + line for line in lines * 2), TIME) == ["Error: it broke"] * 2
    )
    rejected = [
        "You have triggered an unhandledRejection, you may have forgotten to catch a Promise rejection:",
        "TypeError: no",
        "    at x",
    ]
    assert headlines("\n".join(prefix + line for line in rejected), TIME) == ["TypeError: no"]
    assert headlines(prefix + "/srv/app.js:3", TIME) == ["/srv/app.js:3"], "the end of the log"


def test_an_uncaught_exception_in_cluster_mode_carries_no_time_and_still_counts() -> None:
    text = "2026-11-23T05:06:07: listening\nError: it broke\n    at run (/srv/app.js:3:7)\nnot a message\nTypeError: again\n    at run"
    assert headlines(text, TIME) == ["listening", "Error: it broke", "TypeError: again"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("connect ECONNREFUSED 127.0.0.1:5432", "connect ECONNREFUSED <ip>:<n>"),
        ("user 42 of 1,300 failed after 12.5ms", "user <n> of <n> failed after <n>ms"),
        ("GET /users/123/orders/9f86d081884c7d65 500", "GET /users/<n>/orders/<id> <n>"),
        ("request 6f1e0b0e-9df9-4c3c-8a35-0d7ad7ee1a11 failed", "request <id> failed"),
        ("at 2026-11-23T05:06:07.123Z it broke", "at <time> it broke"),
        ("mail to jo.doe@example.com bounced", "mail to <email> bounced"),
        ("Unexpected token '<', \"<html>\" is not valid", "Unexpected token '…', '…' is not valid"),
        ("can't open it, won't retry", "can't open it, won't retry"),
        (
            "ERR_HTTP2_STREAM_CANCEL in TransactionalRepository",
            "ERR_HTTP<n>_STREAM_CANCEL in TransactionalRepository",
        ),
        ("key sk-proj-Ab12Cd34Ef56 is invalid", "key <id> is invalid"),
        ("token eyJhbGciOiJIUzI1NiJ9 refused", "token <id> refused"),
        ("cannot reach postgresql://app:hunter2@db/x", "cannot reach postgresql://***@db/x"),
        ("PASSWORD=hunter2 was wrong", "PASSWORD=*** was wrong"),
        ("0xDEADBEEF deadbeef1", "<id> <id>"),
        ("(node:4711) Warning: slow", "(node:<n>) Warning: slow"),
    ],
)
def test_messages_that_differ_only_in_values_have_one_shape(text: str, expected: str) -> None:
    assert shape(text) == expected


@given(st.text(max_size=400))
def test_a_shape_is_short_one_line_and_holds_no_long_number(text: str) -> None:
    found = shape(text)
    assert len(found) <= 160
    assert "\n" not in found
    assert not any(char in "0123456789" for char in found)


# --- windows ------------------------------------------------------------------------------------------------------


def write(path: Path, text: str, written: float = NOW - 60) -> Source:
    path.write_text(text)
    os.utime(path, (written, written))
    return Source(str(path), TIME)


def look(*sources: Source, hours: float = 24, size: int = 16 << 20, seconds: float = 30) -> Report:
    return read(sources, NOW - hours * 3600, NOW, Budget(size, seconds))


def lines(*ages: float, text: str = "it broke") -> str:
    return "".join(f"{stamp(NOW - age)}: {text}\n" for age in ages)


def problems(report: Report) -> list[tuple[str, str]]:
    return [(os.path.basename(problem.path), problem.kind) for problem in report.problems]


def test_only_the_window_counts(tmp_path: Path) -> None:
    source = write(
        tmp_path / "e.log",
        lines(30 * 3600, 25 * 3600, 23 * 3600, text="old 1") + lines(3600, 60, text="new 2"),
    )
    report = look(source)
    assert [
        (kind.text, kind.count, stamp(kind.first), stamp(kind.last)) for kind in report.shapes
    ] == [
        ("new <n>", 2, "2026-11-23T05:00:00Z", "2026-11-23T05:59:00Z"),
        ("old <n>", 1, "2026-11-22T07:00:00Z", "2026-11-22T07:00:00Z"),
    ]
    assert (report.count, report.complete, report.problems, report.possible) == (3, True, [], 0)
    assert look(source, hours=0.5).count == 1


def test_a_log_that_is_empty_or_older_than_the_window_proves_that_there_were_no_errors(
    tmp_path: Path,
) -> None:
    empty = write(tmp_path / "empty.log", "")
    old = write(tmp_path / "old.log", "no time\n", NOW - 2 * DAY)
    report = look(empty, old)
    assert (report.count, report.problems, report.complete) == (0, [], True)


def test_a_log_without_times_proves_nothing_and_shows_what_it_holds(tmp_path: Path) -> None:
    report = look(write(tmp_path / "e.log", "first 1\nfirst 2\n   at x\nsecond\n"))
    assert problems(report) == [("e.log", "untimed")]
    assert report.problems[0].count == 3
    assert report.undated == {"first <n>": 2, "second": 1}
    assert report.count == 0


def test_a_long_log_without_times_is_not_read_whole(tmp_path: Path) -> None:
    report = look(write(tmp_path / "e.log", "no time here\n" * 100_000))
    assert report.problems[0].more
    assert 10_000 < report.problems[0].count < 100_000


def test_messages_without_a_time_are_dated_by_their_neighbours(tmp_path: Path) -> None:
    crash = "Error: crash\n    at x\n"
    text = (
        crash
        + lines(30 * 3600)
        + crash
        + lines(28 * 3600)
        + crash
        + lines(2 * 3600)
        + crash
        + crash
        + lines(3600)
        + crash
    )
    report = look(write(tmp_path / "e.log", text))
    assert {kind.text: kind.count for kind in report.shapes} == {"it broke": 2, "Error: crash": 3}
    assert report.possible == 1, "the one between 28 and 2 hours ago"
    assert report.undated == {"Error: crash": 1}


def test_information_in_an_error_log_is_no_error(tmp_path: Path) -> None:
    text = "".join(
        json.dumps({"level": level, "time": (NOW - 60) * 1000, "msg": f"m{level}"}) + "\n"
        for level in (20, 30, 40, 50, 30)
    )
    report = look(write(tmp_path / "e.log", text))
    assert sorted(kind.text for kind in report.shapes) == ["m<n>"]
    assert (report.count, report.quiet) == (2, 3)


def test_a_log_shared_with_ordinary_output_counts_only_what_calls_itself_an_error(
    tmp_path: Path,
) -> None:
    source = write(tmp_path / "all.log", lines(60))
    report = look(Source(source.path, TIME, shared=True))
    assert (report.count, problems(report)) == (0, [("all.log", "shared")])
    text = "".join(
        json.dumps({"level": level, "time": (NOW - 60) * 1000, "msg": "x"}) + "\n"
        for level in (30, 50)
    )
    source = write(tmp_path / "json.log", text)
    report = look(Source(source.path, shared=True))
    assert (report.count, report.problems) == (1, [])


@pytest.mark.parametrize(
    "name",
    [
        "e.log.1",
        "e.log-20261123",
        "e.log-20261123-1795410000",
        "e__2026-11-23_00-00-00.log",
        "e-20261123.log",
    ],
)
def test_what_was_rotated_away_within_the_window_is_read_too(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "e.log", lines(600))
    write(tmp_path / name, lines(30 * 3600, 20 * 3600, 3600), NOW - 3600)
    write(tmp_path / "e.log.9", lines(1), NOW - 2 * DAY)
    assert look(source).count == 3


def test_packed_logs_are_read_and_others_are_told(tmp_path: Path) -> None:
    source = write(tmp_path / "e.log", lines(600))
    packed = tmp_path / "e.log.1.gz"
    packed.write_bytes(gzip.compress(lines(30 * 3600, 20 * 3600).encode()))
    os.utime(packed, (NOW - 3600, NOW - 3600))
    assert look(source).count == 2
    packed.write_bytes(packed.read_bytes()[:-12])
    os.utime(packed, (NOW - 3600, NOW - 3600))
    assert problems(look(source)) == [("e.log.1.gz", "unreadable")]
    packed.rename(tmp_path / "e.log.1.zst")
    assert problems(look(source)) == [("e.log.1.zst", "unreadable")]


def test_logs_of_other_apps_are_never_taken_for_rotated_ones(tmp_path: Path) -> None:
    for name in (
        "my-e.log",
        "e-2.log",
        "e-worker.log",
        "e.log.bak",
        "e.logs",
        "e-out.log",
        "e.log.1.gz",
        "xe.log.1",
        "e.log.lock",
    ):
        (tmp_path / name).touch()
    assert rotated(str(tmp_path / "e.log")) == [str(tmp_path / "e.log.1.gz")]
    assert rotated(str(tmp_path / "none" / "e.log")) == []


def test_logs_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "folder.log").mkdir()
    report = look(
        *(Source(str(tmp_path / name)) for name in ("none.log", "pipe.log", "folder.log")),
        Source("/dev/null"),
    )
    assert problems(report) == [
        ("none.log", "missing"),
        ("pipe.log", "unreadable"),
        ("folder.log", "unreadable"),
        ("null", "disabled"),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_log_that_is_not_ours_to_read(tmp_path: Path) -> None:
    source = write(tmp_path / "e.log", lines(60))
    os.chmod(source.path, 0)
    assert problems(look(source)) == [("e.log", "forbidden")]


def test_instances_that_share_a_log_are_counted_once(tmp_path: Path) -> None:
    source = write(tmp_path / "e.log", lines(60))
    assert look(source, Source(source.path, TIME)).count == 1


def test_more_than_may_be_read_is_a_lower_bound_of_the_latest(tmp_path: Path) -> None:
    source = write(tmp_path / "e.log", lines(*range(80_000, 0, -1)))
    report = look(source, size=1 << 20)
    assert not report.complete
    assert 20_000 < report.count < 40_000
    assert report.oldest is not None
    assert report.oldest > NOW - 80_000
    assert max(kind.last for kind in report.shapes) == NOW - 1, "the latest were read"
    assert not look(source, seconds=-1).complete


def test_one_endless_line_does_no_harm(tmp_path: Path) -> None:
    endless = "x" * 3_000_000
    assert problems(look(write(tmp_path / "e.log", lines(60) + endless))) == [
        ("e.log", "untimed")
    ], "never a false ok"
    assert look(write(tmp_path / "e.log", lines(60) + endless + "\n" + lines(30))).count == 2


def test_kinds_of_messages_are_bounded(tmp_path: Path) -> None:
    words = (
        f"{a}{b}{c}" for a in "abcdefghijklm" for b in "abcdefghijklm" for c in "abcdefghijklm"
    )
    report = look(
        write(tmp_path / "e.log", "".join(f"{stamp(NOW - 60)}: {word}\n" for word in words))
    )
    assert report.count == 13**3
    assert len(report.shapes) == 1001


@settings(max_examples=60, deadline=None)
@given(
    ages=st.lists(st.floats(0, 3 * DAY), max_size=60),
    padding=st.lists(st.integers(0, 300), min_size=1, max_size=5),
    hours=st.floats(0.1, 60),
)
def test_the_window_is_found_wherever_it_begins(
    tmp_path_factory: pytest.TempPathFactory, ages: list[float], padding: list[int], hours: float
) -> None:
    ages = sorted((float(int(age)) for age in ages), reverse=True)
    text = "".join(
        f"{stamp(NOW - age)}: it broke\n" + "    at x\n" * padding[n % len(padding)]
        for n, age in enumerate(ages)
    )
    source = write(tmp_path_factory.mktemp("log") / "e.log", text, NOW)
    expected = sum(age <= hours * 3600 for age in ages)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app_log, "_BLOCK", 512)
        patch.setattr(app_log, "_CHUNK", 700)
        assert look(source, hours=hours).count == expected


def test_times_without_a_zone_are_the_machines_own(zone: str, tmp_path: Path) -> None:
    local = (datetime.fromtimestamp(NOW) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
    assert look(write(tmp_path / "e.log", f"{local}: it broke\n"), hours=1.1).count == 1
    assert look(write(tmp_path / "e.log", f"{local}: it broke\n"), hours=0.9).count == 0
