"""Messages in the logs that point to a cause."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.scan import LogFile
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.signs import (
    HEAP,
    LEAK,
    MEMORY_LIMIT,
    POOL,
    RECURSION,
    search,
)

NOW = 1_796_050_800.0  # 2026-11-30T15:00:00Z
LINES = """\
2026-11-28T15:00:00.000Z: Error: timeout exceeded when trying to connect
2026-11-30T14:50:00.000Z: Error: GET /a: timeout exceeded when trying to connect, password=hunter2
2026-11-30T14:51:00.000Z: RangeError: Maximum call stack size exceeded
2026-11-30T14:52:00.000Z: (node:1) MaxListenersExceededWarning: Possible EventEmitter memory leak
2026-11-30T14:53:00.000Z: <--- Last few GCs --->
FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory
2026-11-30T14:54:00.000Z: the loop of the day is fine
"""


def log(folder: Path, text: str, name: str = "error.log") -> LogFile:
    (folder / name).write_text(text)
    return LogFile(str(folder / name), "YYYY-MM-DDTHH:mm:ss.SSSZ", each_line=True)


def test_each_kind_is_counted_once_a_line_and_in_the_window(tmp_path: Path) -> None:
    found = search([log(tmp_path, LINES)], NOW - 86400, NOW)
    assert {sign.kind: sign.count for sign in found.found} == {
        POOL: 1,
        RECURSION: 1,
        LEAK: 1,
        HEAP: 1,
    }
    assert "hunter2" not in str(found.found)
    (heap,) = found.of(HEAP)
    assert heap.last == NOW - 7 * 60, "the time of the line before it"


def test_a_log_without_times(tmp_path: Path) -> None:
    found = search([log(tmp_path, "RangeError: Maximum call stack size exceeded\n")], 0, NOW)
    assert [(sign.count, sign.last) for sign in found.found] == [(1, None)]


def test_restarts_at_the_limit_count_for_their_own_app(tmp_path: Path) -> None:
    text = "2026-11-30T14:00:00: PM2 log: [PM2][WORKER] Process {} restarted because it exceeds "
    text += "--max-memory-restart value (current_memory=1 max_memory_limit=1 [octets])\n"
    own = log(tmp_path, text.format(0) + text.format(7), "pm2.log")
    found = search([own], 0, NOW, {0, 1})
    assert found.count(MEMORY_LIMIT) == 1
    assert found.found[0].text == "PM2 restarted it at its memory limit"


def test_a_missing_log_and_one_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    found = search([LogFile(str(tmp_path / name)) for name in ("none", "folder")], 0, NOW)
    assert found.searched == 0
    assert len(found.unread) == 1
