"""The record of maintenance runs: written as a whole, and never in the way if it is damaged."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.lock import exclusive_lock
from ansible_collections.gpt_agent.runbook.plugins.module_utils.maintenance.record import (
    Record,
    Store,
)
from tests.support.maintenance_runs import result, run


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    store = Store(str(tmp_path), "app1")
    record = Record(
        run(results={"logs": result("done", seconds=2.0)}, health=(("app.online", "", "ok"),)),
        {"logs": (1.0, 2.0)},
        ("database",),
    )
    with store.locked("dora"):
        store.save(record)
    assert store.load() == record
    assert os.stat(store.path).st_mode & 0o777 == 0o600


def test_each_host_of_the_inventory_has_its_own(tmp_path: Path) -> None:
    assert Store(str(tmp_path), "app1").path != Store(str(tmp_path), "app2").path


@pytest.mark.parametrize("content", ["", "[]", "{", '{"run": {}}', '{"run": null, "x": 1}'])
def test_a_damaged_record_is_none(tmp_path: Path, content: str) -> None:
    store = Store(str(tmp_path), "app1")
    Path(store.path).write_text(content)
    assert store.load() == Record()


def test_the_last_three_durations_are_kept() -> None:
    record = Record()
    for seconds in (1.0, 2.0, 3.0, 4.04):
        record = record.with_duration("logs", seconds)
    assert record.durations["logs"] == (2.0, 3.0, 4.0)


def test_a_lock_that_is_held_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    store = Store(str(tmp_path), "app1")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with exclusive_lock(f"{store.path}.lock", "it"):
            held.set()
            release.wait(5)

    other = threading.Thread(target=hold)
    other.start()
    held.wait(5)
    threading.Timer(0.1, release.set).start()
    with store.locked("dora"):
        assert release.is_set()
    other.join()


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".partial-old", tmp_path / ".partial-new"
    for path in (old, fresh):
        path.touch()
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    with Store(str(tmp_path), "app1").locked(""):
        pass
    assert (old.exists(), fresh.exists()) == (False, True)
