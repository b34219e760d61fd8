"""Where reports are kept, and what happens when they cannot be."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.files import (
    ABANDONED,
    write_file,
    write_report,
)
from tests.conftest import ROOT

MORNING = datetime(2026, 11, 23, 6, 0, 0, tzinfo=timezone.utc)
DOCUMENTS = {"html": "<p>", "md": "# x", "json": "{}"}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_report_is_written_by_time_and_as_latest(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "daily"
    paths = write_report(str(folder), MORNING, DOCUMENTS, keep=9)
    assert names(folder) == [
        "2026-11-23T06-00-00Z.html",
        "2026-11-23T06-00-00Z.json",
        "2026-11-23T06-00-00Z.md",
        "latest.html",
        "latest.json",
        "latest.md",
    ]
    assert paths == {suffix: str(folder / f"2026-11-23T06-00-00Z.{suffix}") for suffix in DOCUMENTS}
    assert (
        (folder / "latest.html").read_text()
        == (folder / "2026-11-23T06-00-00Z.html").read_text()
        == "<p>"
    )


def test_only_owner_and_group_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_report(str(tmp_path / "reports" / "daily"), MORNING, DOCUMENTS, keep=9)
    finally:
        os.umask(before)
    assert {mode(path) for path in (tmp_path / "reports" / "daily").iterdir()} == {0o640}
    assert mode(tmp_path / "reports") == mode(tmp_path / "reports" / "daily") == 0o750


def test_reports_of_one_second_are_numbered(tmp_path: Path) -> None:
    stems = [
        Path(write_report(str(tmp_path / "x"), MORNING, DOCUMENTS, keep=0)["json"]).stem
        for _ in range(3)
    ]
    assert stems == ["2026-11-23T06-00-00Z", "2026-11-23T06-00-00Z-2", "2026-11-23T06-00-00Z-3"]


def test_the_newest_reports_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    folder = tmp_path / "daily"
    folder.mkdir()
    mine = (
        "2020-01-01T00-00-00Z.pdf",
        "notes.json",
        "2020-01-01.json",
        "x2020-01-01T00-00-00Z.json",
        "latest.txt",
    )
    for name in mine:
        (folder / name).touch()
    for minute in range(12):
        write_report(
            str(folder),
            MORNING + timedelta(minutes=minute),
            {**DOCUMENTS, "xml": "<x/>", "prom": ""},
            keep=2,
        )
    kept = {name.split(".")[0] for name in names(folder) if name.startswith("2026")}
    assert kept == {"2026-11-23T06-10-00Z", "2026-11-23T06-11-00Z"}
    assert set(mine) <= set(names(folder))


def test_of_reports_of_one_second_the_last_is_the_newest(tmp_path: Path) -> None:
    for _ in range(12):
        write_report(str(tmp_path / "x"), MORNING, {"json": "{}"}, keep=3)
    assert {name for name in names(tmp_path / "x") if "latest" not in name} == {
        f"2026-11-23T06-00-00Z-{n}.json" for n in (10, 11, 12)
    }


def test_what_a_killed_run_left_is_cleaned_up(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    for name in (".partial-old", ".partial-new"):
        (folder / name).touch()
    os.utime(folder / ".partial-old", (time.time() - ABANDONED - 60,) * 2)
    write_report(str(folder), MORNING, DOCUMENTS, keep=1)
    assert [name for name in names(folder) if name.startswith(".")] == [".partial-new"]


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 4 KiB, so that writing a larger one fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_report_that_does_not_fit_leaves_the_one_before_it(
    tmp_path: Path, small_files: None
) -> None:
    folder = tmp_path / "x"
    write_report(str(folder), MORNING, DOCUMENTS, keep=9)
    before = {name: (folder / name).read_text() for name in names(folder)}
    with pytest.raises(OSError, match="File too large"):
        write_report(
            str(folder),
            MORNING + timedelta(hours=1),
            {"html": "<p>new", "json": "x" * 100_000},
            keep=9,
        )
    assert {name: (folder / name).read_text() for name in names(folder)} == before


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "reports").touch()
    with pytest.raises(OSError, match="reports"):
        write_report(str(tmp_path / "reports" / "daily"), MORNING, DOCUMENTS, keep=9)


def test_a_text_that_is_no_valid_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    write_file(str(tmp_path / "x.md"), "disk \udcff full", 0o600)
    assert (tmp_path / "x.md").read_text() == "disk ? full"
    assert mode(tmp_path / "x.md") == 0o600


def test_runs_at_once_each_leave_a_whole_report_and_one_of_them_is_latest(tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(ROOT / "collections")!r})
from datetime import datetime, timezone
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.files import write_report
folder = {str(tmp_path / "x")!r}
for turn in range(20):
    who = sys.argv[1] + "-" + str(turn)
    moment = datetime(2026, 11, 23, 6, tzinfo=timezone.utc)
    write_report(folder, moment, dict.fromkeys(("html", "md", "json"), who), keep=0)
"""
    running = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "ab"]
    assert [process.wait(60) for process in running] == [0, 0]
    by_stem: dict[str, set[str]] = {}
    for path in (tmp_path / "x").iterdir():
        by_stem.setdefault(path.stem, set()).add(path.read_text())
    assert all(len(who) == 1 for who in by_stem.values()), "files of two runs under one name"
    latest = by_stem.pop("latest")
    assert len(by_stem) == 40
    assert latest <= {"a-19", "b-19"}
