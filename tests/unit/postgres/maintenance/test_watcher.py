"""Which running statements are cancelled, and why; the progress of each."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.options import (  # noqa: E501
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.queries import (  # noqa: E501
    CANCEL,
    STANDBY_LAG,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.results import (  # noqa: E501
    Results,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.running import (  # noqa: E501
    RelationState,
    RunningStatement,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.schedule import (  # noqa: E501
    Schedule,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.step import (
    Step,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.watcher import (  # noqa: E501
    Observation,
    Watcher,
)
from tests.support.relations import seen, table

PID = 7
NOTHING: dict[str, Any] = dict.fromkeys(Observation._fields)


def observation(**facts: Any) -> Observation:
    return Observation(**{**NOTHING, "pid": PID, "waits": False, **facts})


class Control:
    """Answers a watcher's questions and notes what it cancels."""

    def __init__(self, row: Observation, lag: float | None = None) -> None:
        self.row, self.lag, self.cancelled = row, lag, 0

    def ask(self, question: str, query: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        if query == STANDBY_LAG:
            return [(self.lag, self.lag is None)]
        if query == CANCEL:
            self.cancelled = parameters["pid"]
            return [(True,)]
        return [tuple(self.row)]


class Session:
    pid = PID


def running(operation: str = "vacuum", age: float = 1.0) -> RunningStatement:
    started = time.monotonic() - age
    step = Step(operation, 1, "public.t", "")
    session: Any = Session()
    return RunningStatement(
        step, session, started, RelationState(0, 0, 0), frozenset(), may_retry=True
    )


def watch(
    statement: RunningStatement, row: Observation, left: float = 60, **options: Any
) -> Control:
    """Let a watcher check the statement once, ``left`` seconds before the end of the budget."""
    control: Any = Control(row)
    end = time.monotonic() + left
    watcher = Watcher(control, lambda: [PID], Options(**options), Results(), end, False)
    watcher.watch([statement], Schedule(seen(table()), []), lambda progress: None)
    found: Control = control
    return found


@pytest.mark.parametrize(
    ("facts", "left", "reason", "retry"),
    [
        ({}, 60, "", True),
        ({"blocks_seconds": 0.9}, 60, "", True),
        ({"blocks_seconds": 2.0}, 60, "another session had waited 2 s for it", True),
        ({"waits": True, "waits_for": "pid 9 (app)"}, 60, "", True),
        ({}, -1, "the time budget is used up", False),
    ],
)
def test_what_is_cancelled(facts: dict[str, Any], left: float, reason: str, retry: bool) -> None:
    statement = running()
    control = watch(statement, observation(**facts), left)
    assert statement.cancelled == reason
    assert control.cancelled == (PID if reason else 0)
    assert statement.may_retry == retry


def test_a_statement_that_waits_too_long_says_for_whom() -> None:
    statement = running(age=3.0)
    watch(statement, observation(waits=True, waits_for="pid 9 (app)"), max_wait=2.0)
    assert statement.cancelled == "it had waited 3 s for pid 9 (app)"
    assert statement.phase == "waits for pid 9 (app)"


def test_a_cleanup_outlasts_the_time_budget() -> None:
    statement = running("cleanup")
    watch(statement, observation(), left=-1)
    assert statement.cancelled == ""


def test_a_statement_is_cancelled_once() -> None:
    statement = running()
    statement.cancelled = "another session had waited 2 s for it"
    control = watch(statement, observation(blocks_seconds=9.0), left=-1)
    assert control.cancelled == 0
    assert statement.cancelled == "another session had waited 2 s for it"


@pytest.mark.parametrize(
    ("facts", "phase", "share"),
    [
        ({}, "", None),
        (
            {"vacuum_phase": "scanning heap", "heap_total": 8, "heap_scanned": 2},
            "scanning heap",
            0.25,
        ),
        (
            {"vacuum_phase": "vacuuming heap", "heap_total": 8, "heap_vacuumed": 6},
            "vacuuming heap",
            0.75,
        ),
        ({"vacuum_phase": "vacuuming indexes", "heap_total": 8}, "vacuuming indexes", None),
        ({"index_phase": "building", "tuples_total": 4, "tuples_done": 1}, "building", 0.25),
        (
            {"index_phase": "validating", "tuples_total": 0, "blocks_total": 4, "blocks_done": 3},
            "validating",
            0.75,
        ),
        ({"analyze_phase": "acquiring", "sample_total": 4, "sample_scanned": 9}, "acquiring", 1.0),
    ],
)
def test_phase_and_share(facts: dict[str, Any], phase: str, share: float | None) -> None:
    row = observation(**facts)
    assert (row.phase, row.share) == (phase, share)


@pytest.mark.parametrize(
    ("lag", "behind", "hidden"), [(0.1, False, False), (31.0, True, False), (None, False, True)]
)
def test_standby_lag(lag: float | None, behind: bool, hidden: bool) -> None:
    control: Any = Control(observation(), lag)
    results = Results()
    watcher = Watcher(control, lambda: [PID], Options(), results, time.monotonic() + 60, True)
    watcher.check_standbys(time.monotonic())
    assert (watcher.standby_is_behind, results.lag_hidden) == (behind, hidden)
