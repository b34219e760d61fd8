"""The files of profiles: private, complete, and never in the way of the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import Refused
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.profile import files

CHUNK = "HeapProfiler.addHeapSnapshotChunk"


def test_a_snapshot_in_pieces_is_private(tmp_path: Path) -> None:
    path = str(tmp_path / "a.heapsnapshot")
    with files.streamed(path) as stream:
        stream.write(CHUNK, {"chunk": '{"a":'})
        stream.write("HeapProfiler.reportHeapSnapshotProgress", {"done": 1})
        stream.write(CHUNK, {"chunk": "1}"})
    assert Path(path).read_text() == '{"a":1}'
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a.heapsnapshot"]


def test_a_disk_that_fills_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda folder: 1 << 20)
    with (
        pytest.raises(Refused, match="only 1 MiB are left on disk"),
        files.streamed(str(tmp_path / "a")) as stream,
    ):
        stream.write(CHUNK, {"chunk": "x" * (9 << 20)})
    assert os.listdir(tmp_path) == []


def test_what_a_killed_run_leaves(tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    files.prepare(str(folder))
    assert os.stat(folder).st_mode & 0o777 == 0o700
    (folder / ".partial-x").write_text("")
    mark = files.mark(str(folder), 4711, "99")
    files.clean(str(folder))
    assert os.listdir(folder) == [os.path.basename(mark)]
    assert files.marks(str(folder)) == [(mark, 4711, "99")]
    files.unmark(mark)
    files.unmark(mark)
    assert files.marks(str(folder)) == []
    assert files.marks(str(tmp_path / "none")) == []


def test_the_name_of_an_app_is_no_path(tmp_path: Path) -> None:
    path = files.path_for(str(tmp_path), "blue/../web", 0, "cpuprofile")
    assert os.path.dirname(path) == str(tmp_path)
    assert os.path.basename(path).startswith("blue-..-web-0-")
