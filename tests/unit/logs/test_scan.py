"""Which messages of a log lie in the window."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs import scan as scan_module
from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.rotation import (
    MARK,
    rotated_files,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.scan import LogFile
from tests.support.logs import (
    DATE_FORMAT,
    DAY,
    NOW,
    log_lines,
    problems,
    scan_recent,
    stamp,
    write_log,
)


def test_only_the_window_counts(tmp_path: Path) -> None:
    log = write_log(
        tmp_path / "e.log",
        log_lines(30 * 3600, 25 * 3600, 23 * 3600, text="old 1")
        + log_lines(3600, 60, text="new 2"),
    )
    summary = scan_recent(log)
    assert [
        (group.fingerprint, group.count, stamp(group.first), stamp(group.last))
        for group in summary.groups
    ] == [
        ("new <n>", 2, "2026-11-23T05:00:00Z", "2026-11-23T05:59:00Z"),
        ("old <n>", 1, "2026-11-22T07:00:00Z", "2026-11-22T07:00:00Z"),
    ]
    assert (summary.count, summary.complete, summary.problems, summary.possible) == (3, True, [], 0)
    assert scan_recent(log, hours=0.5).count == 1


def test_a_log_that_is_empty_or_older_than_the_window_proves_that_there_were_no_errors(
    tmp_path: Path,
) -> None:
    empty = write_log(tmp_path / "empty.log", "")
    old = write_log(tmp_path / "old.log", "no time\n", NOW - 2 * DAY)
    summary = scan_recent(empty, old)
    assert (summary.count, summary.problems, summary.complete) == (0, [], True)


def test_a_log_without_times_proves_nothing_and_shows_what_it_holds(tmp_path: Path) -> None:
    summary = scan_recent(write_log(tmp_path / "e.log", "first 1\nfirst 2\n   at x\nsecond\n"))
    assert problems(summary) == [("e.log", "untimed")]
    assert summary.problems[0].count == 3
    assert summary.undated == {"first <n>": 2, "second": 1}
    assert summary.count == 0


def test_a_long_log_without_times_is_not_read_whole(tmp_path: Path) -> None:
    summary = scan_recent(write_log(tmp_path / "e.log", "no time here\n" * 100_000))
    assert summary.problems[0].at_least
    assert 10_000 < summary.problems[0].count < 100_000


def test_messages_without_a_time_are_dated_by_their_neighbours(tmp_path: Path) -> None:
    crash = "Error: crash\n    at x\n"
    text = (
        crash
        + log_lines(30 * 3600)
        + crash
        + log_lines(28 * 3600)
        + crash
        + log_lines(2 * 3600)
        + crash
        + crash
        + log_lines(3600)
        + crash
    )
    summary = scan_recent(write_log(tmp_path / "e.log", text))
    assert {group.fingerprint: group.count for group in summary.groups} == {
        "it broke": 2,
        "Error: crash": 3,
    }
    assert summary.possible == 1, "the one between 28 and 2 hours ago"
    assert summary.undated == {"Error: crash": 1}


def test_information_in_an_error_log_is_no_error(tmp_path: Path) -> None:
    text = "".join(
        json.dumps({"level": level, "time": (NOW - 60) * 1000, "msg": f"m{level}"}) + "\n"
        for level in (20, 30, 40, 50, 30)
    )
    summary = scan_recent(write_log(tmp_path / "e.log", text))
    assert sorted(group.fingerprint for group in summary.groups) == ["m<n>"]
    assert (summary.count, summary.informational) == (2, 3)


def test_a_log_mixed_with_ordinary_output_counts_only_what_is_marked_as_an_error(
    tmp_path: Path,
) -> None:
    log = write_log(tmp_path / "all.log", log_lines(60))
    summary = scan_recent(LogFile(log.path, DATE_FORMAT, mixed=True))
    assert (summary.count, problems(summary)) == (0, [("all.log", "mixed")])
    text = "".join(
        json.dumps({"level": level, "time": (NOW - 60) * 1000, "msg": "x"}) + "\n"
        for level in (30, 50)
    )
    log = write_log(tmp_path / "json.log", text)
    summary = scan_recent(LogFile(log.path, mixed=True))
    assert (summary.count, summary.problems) == (1, [])


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
def test_files_rotated_within_the_window_are_read_too(tmp_path: Path, name: str) -> None:
    log = write_log(tmp_path / "e.log", log_lines(600))
    write_log(tmp_path / name, log_lines(30 * 3600, 20 * 3600, 3600), NOW - 3600)
    write_log(tmp_path / "e.log.9", log_lines(1), NOW - 2 * DAY)
    assert scan_recent(log).count == 3


def test_the_mark_of_a_log_that_was_shortened_is_no_message(tmp_path: Path) -> None:
    mark = f"{MARK}e.log-20261123-1795410000{' ' * 900}\n"
    write_log(tmp_path / "e.log-20261123-1795410000", log_lines(30 * 3600, 3600), NOW - 3600)
    assert scan_recent(write_log(tmp_path / "e.log", mark)).count == 1
    summary = scan_recent(write_log(tmp_path / "e.log", mark + log_lines(600)))
    assert (summary.count, summary.problems) == (2, [])
    untimed = scan_recent(write_log(tmp_path / "f.log", f"{mark}no time\n"))
    assert untimed.undated == {"no time": 1}


def test_gzip_logs_are_read_and_other_compressions_are_reported(tmp_path: Path) -> None:
    log = write_log(tmp_path / "e.log", log_lines(600))
    compressed = tmp_path / "e.log.1.gz"
    compressed.write_bytes(gzip.compress(log_lines(30 * 3600, 20 * 3600).encode()))
    os.utime(compressed, (NOW - 3600, NOW - 3600))
    assert scan_recent(log).count == 2
    compressed.write_bytes(compressed.read_bytes()[:-12])
    os.utime(compressed, (NOW - 3600, NOW - 3600))
    assert problems(scan_recent(log)) == [("e.log.1.gz", "unreadable")]
    compressed.rename(tmp_path / "e.log.1.zst")
    assert problems(scan_recent(log)) == [("e.log.1.zst", "unreadable")]


def test_logs_of_other_apps_are_no_rotated_files(tmp_path: Path) -> None:
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
    assert rotated_files(str(tmp_path / "e.log")) == [str(tmp_path / "e.log.1.gz")]
    assert rotated_files(str(tmp_path / "none" / "e.log")) == []


def test_logs_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "folder.log").mkdir()
    summary = scan_recent(
        *(LogFile(str(tmp_path / name)) for name in ("none.log", "pipe.log", "folder.log")),
        LogFile("/dev/null"),
    )
    assert problems(summary) == [
        ("none.log", "missing"),
        ("pipe.log", "unreadable"),
        ("folder.log", "unreadable"),
        ("null", "disabled"),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_log_without_permission_to_read(tmp_path: Path) -> None:
    log = write_log(tmp_path / "e.log", log_lines(60))
    os.chmod(log.path, 0)
    assert problems(scan_recent(log)) == [("e.log", "forbidden")]


def test_instances_that_share_a_log_are_counted_once(tmp_path: Path) -> None:
    log = write_log(tmp_path / "e.log", log_lines(60))
    assert scan_recent(log, LogFile(log.path, DATE_FORMAT)).count == 1


def test_a_log_beyond_the_budget_gives_a_lower_bound_from_its_latest_lines(tmp_path: Path) -> None:
    log = write_log(tmp_path / "e.log", log_lines(*range(80_000, 0, -1)))
    summary = scan_recent(log, size=1 << 20)
    assert not summary.complete
    assert 20_000 < summary.count < 40_000
    assert summary.oldest is not None
    assert summary.oldest > NOW - 80_000
    assert max(group.last for group in summary.groups) == NOW - 1, "the latest were read"
    assert not scan_recent(log, seconds=-1).complete


def test_one_endless_line_does_no_harm(tmp_path: Path) -> None:
    endless = "x" * 3_000_000
    assert problems(scan_recent(write_log(tmp_path / "e.log", log_lines(60) + endless))) == [
        ("e.log", "untimed")
    ], "never a false ok"
    assert (
        scan_recent(
            write_log(tmp_path / "e.log", log_lines(60) + endless + "\n" + log_lines(30))
        ).count
        == 2
    )


def test_the_number_of_groups_is_limited(tmp_path: Path) -> None:
    words = (
        f"{a}{b}{c}" for a in "abcdefghijklm" for b in "abcdefghijklm" for c in "abcdefghijklm"
    )
    summary = scan_recent(
        write_log(tmp_path / "e.log", "".join(f"{stamp(NOW - 60)}: {word}\n" for word in words))
    )
    assert summary.count == 13**3
    assert len(summary.groups) == 1001


@settings(max_examples=60, deadline=None)
@given(
    ages=st.lists(st.floats(0, 3 * DAY), max_size=60),
    padding=st.lists(st.integers(0, 300), min_size=1, max_size=5),
    hours=st.floats(0.1, 60),
)
def test_the_start_of_the_window_is_found_wherever_it_is(
    tmp_path_factory: pytest.TempPathFactory, ages: list[float], padding: list[int], hours: float
) -> None:
    ages = sorted((float(int(age)) for age in ages), reverse=True)
    text = "".join(
        f"{stamp(NOW - age)}: it broke\n" + "    at x\n" * padding[n % len(padding)]
        for n, age in enumerate(ages)
    )
    log = write_log(tmp_path_factory.mktemp("log") / "e.log", text, NOW)
    expected = sum(age <= hours * 3600 for age in ages)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_module, "_BLOCK", 512)
        patch.setattr(scan_module, "_CHUNK", 700)
        assert scan_recent(log, hours=hours).count == expected
