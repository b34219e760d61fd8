"""Whether what is written to a log arrives there."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import App
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.log_state import (
    CLOSED,
    DELETED,
    FULL,
    RENAMED,
    LogState,
    assess_logs,
    lost,
    observe_logs,
)
from tests.support.pm2_snapshots import NOW, THRESHOLDS, instance


def troubles(path: Path) -> list[str]:
    app = App("a", "default", (instance(0, error_log=str(path), out_log="/dev/null"),))
    return [state.trouble for state in observe_logs(app, os.getpid(), NOW)]


def test_open_files_are_the_evidence(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.touch()
    assert troubles(log) == [CLOSED]
    with log.open("a"):
        assert troubles(log) == [""]
        log.rename(tmp_path / "a.log.1")
        assert troubles(log) == [RENAMED]
        (tmp_path / "a.log.1").rename(log)
        log.unlink()
        assert troubles(log) == [DELETED]


def test_the_worst_trouble_is_the_verdict() -> None:
    app = App("a", "default", (instance(0),))
    states = [LogState("/o", 4096, DELETED), LogState("/e", 0, FULL), LogState("/x", 3 << 30)]
    check = assess_logs(app, states, THRESHOLDS)
    assert check
    assert check.status == "critical"
    assert check.summary == "messages are lost: the file system of /e is full"
    assert [problem.path for problem in lost(states)] == ["/e"]
    large = assess_logs(app, states[2:], THRESHOLDS)
    assert large
    assert (large.status, large.value) == ("warning", 3 << 30)
    assert assess_logs(app, [], THRESHOLDS) is None
