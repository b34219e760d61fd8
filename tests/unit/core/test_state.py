"""Counters over time: which span is judged, and that damage and resets are noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import (
    SPACING,
    Sample,
    StateFile,
)


def sample(time: float, count: float, epoch: str = "boot 1") -> Sample:
    return Sample(time, epoch, {"hits": count})


@pytest.fixture
def state(tmp_path: Path) -> StateFile:
    return StateFile(str(tmp_path / "state"), "redis_health", "localhost:6379")


def test_the_first_run_says_which_span_it_used(state: StateFile) -> None:
    delta = state.delta(sample(1000, 50), 9 * 86400, "server start")
    assert (delta.counters["hits"], delta.window, delta.since_last_run) == (
        50,
        "since server start 9 days ago",
        False,
    )


def test_the_next_run_judges_what_came_since(state: StateFile) -> None:
    state.store(sample(0, 50))
    delta = state.delta(sample(86400, 80), 10 * 86400, "server start")
    assert (delta.counters["hits"], delta.window, delta.since_last_run) == (
        30,
        "1970-01-01T00:00Z/PT24H",
        True,
    )


def test_a_run_soon_after_is_compared_with_the_same_earlier_run(state: StateFile) -> None:
    state.store(sample(0, 50))
    state.store(sample(86400, 80))
    state.store(sample(86410, 81))
    assert state.delta(sample(86420, 82), None, "x").counters["hits"] == 32


@pytest.mark.parametrize(
    "now",
    [Sample(86400, "boot 2", {"hits": 60}), Sample(86400, "boot 1", {"hits": 40})],
    ids=["other epoch", "falling counter"],
)
def test_a_reset_is_noticed(state: StateFile, now: Sample) -> None:
    state.store(sample(0, 50))
    delta = state.delta(now, 60, "server start")
    assert not delta.since_last_run
    assert delta.counters["hits"] == now.counters["hits"]


def test_a_clock_set_back_makes_no_negative_span(state: StateFile) -> None:
    state.store(sample(86400, 50))
    assert not state.delta(sample(1000, 60), 60, "server start").since_last_run


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"samples": [{"time": "x"}]}', b"\x00\xff", b'{"samples": 3}']
)
def test_a_damaged_file_is_ignored(state: StateFile, damage: bytes) -> None:
    state.store(sample(0, 50))
    Path(state.path).write_bytes(damage)
    assert not state.delta(sample(86400, 80), 60, "server start").since_last_run
    state.store(sample(86400, 80))
    assert state.delta(sample(86400 + SPACING, 81), 60, "x").counters["hits"] == 1


def test_files_are_private_and_few(state: StateFile) -> None:
    for day in range(5):
        state.store(sample(day * 86400, day))
    path = Path(state.path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.read_text().count('"time"') == 2


def test_the_service_is_not_named_in_clear(state: StateFile) -> None:
    assert "localhost" not in state.path


def test_samples_of_one_epoch_can_be_chosen_from(state: StateFile) -> None:
    state.store(sample(0, 50))
    state.store(sample(400, 80))
    assert [each.time for each in state.of_epoch("boot 1")] == [0, 400]
    assert not state.of_epoch("boot 2")
