"""The archive: a log is removed only after its copy was proven, whatever happens meanwhile."""

from __future__ import annotations

import fcntl
import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import Refused
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.archive import (
    archive,
    claim,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.naming import rotated_of
from demo.processes import wait_until
from tests.conftest import start_module
from tests.support.mounts import mounted, mounts_of_its_own, needs_mount
from tests.support.rotation import (
    Place,
    actions,
    content,
    rotated_file,
    status_of,
    summary_of,
)

OLD, NEW = "app.log-20261001-1790812800", "app.log-20261120-1795132800.gz"


@pytest.fixture
def place(place: Place) -> Place:
    """With a log that was rotated twice: 40 days ago, and today."""
    (place.logs / "app.log").write_bytes(b"live\n")
    rotated_file(place.logs, OLD, b"old\n" * 1000, days=40)
    rotated_file(place.logs, NEW, b"new\n" * 1000)
    return place


def test_what_is_due_is_moved_and_the_rest_stays(place: Place) -> None:
    plan = place.run(check=True)
    assert (actions(plan, "archive"), place.archived()) == ([("planned", OLD)], [])
    done = place.run()
    assert actions(done, "archive") == [("done", OLD)], done
    assert (place.rotated(), place.archived()) == ([NEW], [f"{OLD}.gz"])
    (archive,) = place.archive.rglob("*.gz")
    assert content(archive) == b"old\n" * 1000
    assert archive.parent == place.archive / str(place.logs).lstrip("/")
    assert (archive.stat().st_mode & 0o777, archive.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    proof = ["sha256sum", "--check", "--strict", f"{archive.name}.sha256"]
    subprocess.run(proof, cwd=archive.parent, check=True, stdout=subprocess.DEVNULL)
    again = place.run()
    assert (again["changed"], again["actions"]) == (False, [])


def test_names_that_other_settings_gave_and_names_that_are_hard(place: Place) -> None:
    odd = "a b [1] $x.log"
    for name in (odd, f"{odd}.2.gz", f"{odd}-20261003", "app.log.bak", "app.log-notes.txt"):
        rotated_file(place.logs, name, name.encode() * 9, days=40)
    done = place.run()
    assert len(actions(done, "archive")) == 3, done
    assert {path.name for path in place.logs.iterdir()} == {
        *("app.log", NEW, odd, "app.log.bak", "app.log-notes.txt")
    }
    assert sum(odd in name for name in place.archived()) == 2


def test_a_log_that_is_still_written_to_stays_and_a_reader_is_in_no_ones_way(place: Place) -> None:
    with (place.logs / OLD).open("a"), (place.logs / NEW).open():
        held = place.run(wait=0.1, keep=0)
    assert status_of(held, "released") == "critical"
    assert f"process {os.getpid()} " in summary_of(held, "released")
    assert actions(held, "archive") == [("skipped", OLD), ("done", NEW)]
    assert place.rotated() == [OLD]
    assert actions(place.run(keep=0), "archive") == [("done", OLD)]


def test_only_what_is_ours_and_unchanged_is_removed(place: Place) -> None:
    place.run(keep=0)
    for path in place.archive.rglob("*.sha256"):
        path.write_text(re.sub(r'"archived": \d+', '"archived": 1', path.read_text()))
    theirs = next(place.archive.rglob("*.gz")).with_name("app.log-20200101-1577836800.gz")
    theirs.write_bytes(b"theirs")
    os.utime(theirs, (0, 0))
    changed = next(place.archive.rglob(NEW))
    changed.write_bytes(b"changed")
    done = place.run(archive_keep=90)
    assert sorted(actions(done, "remove")) == [("done", f"{OLD}.gz"), ("failed", NEW)]
    assert place.archived() == sorted([theirs.name, NEW])


def test_a_full_disk_gets_rid_of_what_is_too_old(place: Place) -> None:
    place.run()
    (proof,) = place.archive.rglob("*.sha256")
    proof.write_text(re.sub(r'"archived": \d+', '"archived": 1', proof.read_text()))
    failed = place.run(keep=0, keep_free="9999T")
    assert actions(failed, "remove") == [("done", f"{OLD}.gz")]
    assert actions(failed, "archive") == [("failed", NEW)]


def test_an_archive_of_the_same_name_is_never_overwritten(place: Place) -> None:
    folder = place.archive / str(place.logs).lstrip("/")
    folder.mkdir(parents=True)
    there = rotated_file(folder, f"{OLD}.gz", b"other")
    assert actions(place.run(), "archive") == [("done", OLD)]
    assert place.archived() == [f"{OLD}.2.gz", f"{OLD}.gz"]
    assert content(there) == b"other"


def test_a_log_of_the_same_second_as_one_that_a_killed_run_has_claimed(place: Place) -> None:
    first = rotated_file(place.logs, "app.log-20261128-1795824000", b"line 1 %s\n" % (b"x" * 60))
    first.rename(f"{first}.archiving")
    rotated_file(place.logs, first.name, b"line 2 %s\n" % (b"x" * 60))
    (place.logs / "app.log").write_text("")
    done = place.run(keep=0)
    mine = [status for status, name in actions(done, "archive") if name == first.name]
    assert mine == ["skipped", "done"]
    assert place.lines() == {1: 1, 2: 1}
    again = place.run(keep=0)
    assert actions(again, "archive") == [("done", first.name)]
    assert (place.lines(), place.rotated()) == ({1: 1, 2: 1}, [])


def test_hosts_that_share_an_archive_do_not_overwrite_each_other(tmp_path: Path) -> None:
    """The other one takes the name after this one has looked for it."""
    log, kept = tmp_path / "log", tmp_path / "archive"
    for folder in (log, kept):
        folder.mkdir()
    old = rotated_file(log, OLD, b"ours")
    (claimed,) = [claim(each) for each in rotated_of(str(log / "app.log"), [OLD])]
    there = kept / str(log).lstrip("/") / f"{OLD}.gz"

    def other_host(_done: int) -> None:
        rotated_file(there.parent, there.name, b"other")

    with pytest.raises(Refused, match="another host has just made"):
        archive(claimed, str(kept), 0, other_host)
    assert (content(there), old.read_bytes()) == (b"other", b"ours")
    assert [path for path in kept.rglob("*") if path.is_file()] == [there]


@pytest.mark.parametrize("trouble", ["missing", "damaged", "no space"])
def test_trouble_leaves_the_log_where_it_is(place: Place, trouble: str) -> None:
    more: dict[str, Any] = {}
    name = OLD
    if trouble == "missing":
        place.archive.rmdir()
        name = "archive"
    if trouble == "damaged":
        name = f"{OLD}.gz"
        (place.logs / OLD).rename(place.logs / name)  # text
    if trouble == "no space":
        more = {"keep_free": "9999T"}
    before = place.rotated()
    if trouble == "missing":
        assert "there is no folder" in place.run(check=True)["msg"], "the plan says so, too"
    failed = place.run(**more)
    assert failed["failed"], failed
    assert actions(failed, "archive") == [("failed", name)]
    assert status_of(failed, "archive") == "critical"
    assert (place.rotated(), failed["complete"]) == (before, False)


@needs_mount
def test_a_disk_that_fills_up_while_it_is_archived(place: Place) -> None:
    """There is an inode for each folder and for the copy, and none for its proof."""
    inodes = 1 + len(place.logs.parts[1:]) + 1
    with mounts_of_its_own(), mounted(place.archive, "tmpfs", options=f"nr_inodes={inodes}"):
        failed = place.run()
        assert "No space left" in failed["msg"], failed
        assert [path for path in place.archive.rglob("*") if path.is_file()] == []
    assert place.rotated() == [OLD, NEW]


def test_a_second_run_at_the_same_time_is_told_who_works(place: Place) -> None:
    folder = os.open(place.configs, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        second = place.run()
    finally:
        os.close(folder)
    assert second["msg"].startswith(f"Another run (process {os.getpid()})")
    assert place.rotated() == [OLD, NEW]


def test_killed_at_any_moment_nothing_is_lost_and_the_next_run_finishes(place: Place) -> None:
    """Large enough that a run takes a while: some kills come before it begins, some later."""
    whole = b"".join(b"line %d %s\n" % (number, b"x" * 60) for number in range(100_000))
    (place.logs / OLD).write_bytes(whole)
    os.utime(place.logs / OLD, (1, 1))
    chance = random.Random(14)
    for _attempt in range(6):
        _kill_a_run(place, chance.random() * 0.2)
        assert place.lines().keys() == set(range(100_000)), "nothing is lost"
    done = place.run()
    assert not done.get("failed"), done
    assert place.lines() == dict.fromkeys(range(100_000), 1)
    assert (place.rotated(), place.archived()) == ([NEW], [f"{OLD}.gz"])


def _kill_a_run(place: Place, seconds: float) -> None:
    """So many seconds after it has begun to archive."""
    module = start_module("log_rotation", place.options())
    begun = place.logs / f"{OLD}.archiving"
    assert wait_until(lambda: begun.exists() or module.poll() is not None, 60)
    time.sleep(seconds)
    module.send_signal(signal.SIGKILL)
    module.communicate()


def test_a_deleted_file_that_takes_up_space_is_named(place: Place) -> None:
    with (place.logs / "gone.log").open("wb") as stream:
        stream.write(b"x" * 200_000)
        stream.flush()
        (place.logs / "gone.log").unlink()
        found = place.run(check=True, thresholds={"logs.deleted_open": {"warning": 1000}})
    (check,) = [each for each in found["checks"] if each["name"] == "logs.deleted_open"]
    assert check["status"] == "warning"
    assert str(place.logs / "gone.log") in json.dumps(check["evidence"])
    assert any(row["process"] == os.getpid() for row in check["evidence"])


def test_links_and_folders_of_others_are_left_alone(place: Place, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (place.logs / "link.log").symlink_to(tmp_path / "real")
    found = place.run(check=True)
    assert [each["status"] for each in found["checks"]].count("critical") == 0
    assert place.run(paths=[str(tmp_path / "none" / "*.log")], check=True)["changed"] is False
