"""What is planned while a job runs, after it ended, and where nothing is to be done."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.vercel.plan import (
    Busy,
    plan,
    require_confirmed,
)
from tests.support.vercel_samples import job, options, snapshot


def test_a_switch() -> None:
    (action,) = plan(options(), snapshot(3), []).actions
    assert (action.name, action.before, action.after) == (
        "vercel.switch",
        "app-3.vercel.app",
        "app-2.vercel.app",
    )


@pytest.mark.parametrize("wanted", ["", "dpl_2", "2222222"])
def test_a_job_to_the_same_end_is_waited_for(wanted: str) -> None:
    found = snapshot(3, last=job("rollback", 3, 2, "in-progress"))
    planned = plan(options(rollback_to=wanted), found, [])
    assert [action.name for action in planned.actions] == ["vercel.wait"]
    assert planned.job == found.project.job


@pytest.mark.parametrize(("kind", "wanted"), [("rollback", "dpl_1"), ("promote", "")])
def test_any_other_job_forbids_it(kind: str, wanted: str) -> None:
    found = snapshot(3, last=job(kind, 3, 2, "pending"))
    with pytest.raises(Busy, match=f"a {kind} to app-2.* has not ended"):
        plan(options(rollback_to=wanted), found, [])


def test_a_project_that_is_rolled_back_stays_so() -> None:
    found = snapshot(2, last=job("rollback", 3, 2))
    planned = plan(options(), found, [])
    assert (planned.actions, planned.target.id) == ([], "dpl_2")
    assert "already rolled back from app-3.vercel.app" in planned.note
    assert planned.note.endswith("to go further back: rollback_to=app-1.vercel.app")
    assert plan(options(), found, ["dpl_1"]).note.endswith("no deployment before it")
    further = plan(options(rollback_to="dpl_1"), found, [])
    assert further.target.id == "dpl_1"
    # Not if something else went live since.
    assert plan(options(), snapshot(3, last=job("rollback", 2, 1)), []).actions


def test_what_is_live_already() -> None:
    assert plan(options(state="promoted", version="dpl_3"), snapshot(3), []).actions == []


@pytest.mark.parametrize("confirm", ["", "gpt-agent", "prj_1"])
def test_a_confirmation(confirm: str) -> None:
    require_confirmed(options(confirm=confirm), snapshot(3))


def test_another_project_is_not_confirmed() -> None:
    with pytest.raises(UsageError, match="confirm: it is 'worker', but the project is gpt-agent"):
        require_confirmed(options(confirm="worker"), snapshot(3))
