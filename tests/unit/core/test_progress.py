"""The newest progress, in a file for as long as the work takes."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.progress import (
    progress,
    progress_reporter,
    running_item,
)


def test_the_file_has_the_newest_progress_and_goes_with_the_work(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    with progress_reporter(str(path)) as callback:
        callback(progress(0, 2, [running_item("reindex a", 1.5, "scanning", 0.25)]))
        callback(progress(1, 2, []))
        assert json.loads(path.read_text()) == {"done": 1, "total": 2, "work": []}
    assert list(tmp_path.iterdir()) == []


def test_without_a_path_or_a_folder_the_work_goes_on(tmp_path: Path) -> None:
    for path in (None, str(tmp_path / "none/progress")):
        with progress_reporter(path) as callback:
            callback(progress(0, 1, []))
    assert list(tmp_path.iterdir()) == []
