"""The daemon's own log: which exits were crashes, and which were ordered."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.timestamps import (
    TimestampParser,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.history import (
    Exit,
    History,
    parse_history,
    read_history,
)
from tests.support.pm2_snapshots import NOW, assess, instance

TEXT = """\
2026-11-23T05:00:00Z: PM2 log: App [web:0] starting in -fork mode-
2026-11-23T05:00:00Z: PM2 log: App [web:0] online
2026-11-23T05:10:00Z: PM2 log: App [web:0] exited with code [1] via signal [SIGINT]
2026-11-23T05:10:01Z: PM2 log: App [web:0] starting in -fork mode-
2026-11-23T05:20:00Z: PM2 log: Stopping app:web id:0
2026-11-23T05:20:00Z: PM2 log: App [web:0] exited with code [0] via signal [SIGINT]
2026-11-23T05:20:01Z: PM2 log: App [web:0] starting in -fork mode-
2026-11-23T05:30:00Z: PM2 log: App [web:0] exited with code [0] via signal [SIGKILL]
2026-11-23T05:30:01Z: PM2 log: App [web:0] starting in -fork mode-
2026-11-23T05:40:00Z: PM2 log: App [web:0] exited with code [0] via signal [SIGINT]
2026-11-23T05:40:01Z: PM2 log: App [web:0] starting in -fork mode-
2026-11-23T05:50:00Z: PM2 log: Stopping app:job id:3
2026-11-23T05:50:00Z: PM2 log: App [job:3] exited with code [0] via signal [SIGINT]
not a line of PM2
"""
FIRST = NOW - 3600


def history(text: str = TEXT) -> History:
    return parse_history(text.split("\n"), TimestampParser("", NOW))


def test_exits_are_those_that_nobody_ordered() -> None:
    found = history()
    assert found.since == FIRST
    assert found.exits == {
        0: [
            Exit(FIRST + 600, False),
            Exit(FIRST + 1800, False, "SIGKILL"),
            Exit(FIRST + 2400, True),
        ]
    }
    assert found.stopped_by_hand == {3}
    assert found.killed_by == {}


def test_the_last_end_was_by_a_signal_that_nobody_ordered() -> None:
    text = "2026-11-23T05:55:00Z: PM2 log: App [{}] exited with code [0] via signal [{}]\n"
    ends = [("web:0", "SIGKILL"), ("job:3", "SIGKILL"), ("other:4", "SIGINT")]
    assert history(TEXT + "".join(text.format(*end) for end in ends)).killed_by == {0: "SIGKILL"}


def test_a_log_that_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    assert read_history(str(tmp_path), NOW, None) == History()


def test_the_first_run_judges_what_the_log_tells() -> None:
    row = instance(0, restarts=400, since=9 * 86400)
    many = History(NOW - 9 * 86400, {0: [Exit(NOW - 300 * n, False) for n in range(1, 200)]})
    found = assess(row, history=many)
    assert (found["app.restarts"].status, found["app.restarts"].value) == ("critical", 199)
    assert found["app.process"].status == "warning"
    assert "crashed 12 times within the last hour" in found["app.process"].summary
    quiet = assess(row, history=History(NOW - 9 * 86400))
    assert (quiet["app.restarts"].status, quiet["app.restarts"].value) == ("ok", 0)
    assert quiet["app.restarts"].not_judged == ""
    short = assess(row, history=History(NOW - 60))
    assert short["app.restarts"].not_judged


@pytest.mark.parametrize(("cluster", "status"), [(False, "ok"), (True, "warning")])
def test_an_end_with_exit_code_0_is_a_crash_in_cluster_mode_only(
    cluster: bool, status: str
) -> None:
    exits = [Exit(NOW - 300 * n, True) for n in range(1, 9)]
    row = instance(0, restarts=8, cluster=cluster)
    found = assess(row, history=History(NOW - 9 * 86400, {0: exits}))
    assert found["app.process"].status == status
