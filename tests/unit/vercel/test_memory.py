"""What is remembered of the deployments that were rolled back from."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.vercel.memory import Memory
from tests.support.vercel_samples import options


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    found = Memory(options(record_dir=str(tmp_path / "record")))
    found.prepare()
    return found


def test_marks_come_and_go(memory: Memory, tmp_path: Path) -> None:
    memory.leave("dpl_3")
    memory.leave("dpl_2")
    memory.forgive("dpl_3")
    memory.forgive("dpl_9")
    assert set(memory.left()) == {"dpl_2"}
    assert (tmp_path / "record").stat().st_mode & 0o777 == 0o700


def test_each_project_has_its_own(memory: Memory, tmp_path: Path) -> None:
    memory.leave("dpl_3")
    other = Memory(options(project="worker", record_dir=str(tmp_path / "record")))
    assert other.left() == {}


def test_a_damaged_file_is_as_none(memory: Memory, tmp_path: Path) -> None:
    memory.leave("dpl_3")
    (file,) = (tmp_path / "record").glob("*.json")
    file.write_text('{"left": ["dpl_3"')
    assert memory.left() == {}
    memory.leave("dpl_2")
    assert set(memory.left()) == {"dpl_2"}


def test_old_marks_are_dropped(memory: Memory) -> None:
    for number in range(60):
        memory.leave(f"dpl_{number}")
    assert len(memory.left()) == 50
    assert "dpl_59" in memory.left()
