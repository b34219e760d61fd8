"""The plan of a deployment and of a rollback."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.plan import plan
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import (
    BAD,
    GOOD,
    Release,
)
from tests.support.release_samples import BACK, FORWARD, NEW, OLD, snapshot, target

FRESH = Release("v3", "v3", "/srv/releases/v3")


def names(*given: Any) -> list[str]:
    return [action.name for action in plan(*given)]


def test_a_release_that_is_there() -> None:
    actions = plan(BACK, snapshot(), target())
    assert [action.name for action in actions] == ["release.trial", "release.switch"]
    assert (actions[1].before, actions[1].after) == ("v2", "v1")
    assert {action.status for action in actions} == {"planned"}


def test_a_release_that_must_be_built() -> None:
    goal = target(FRESH, exists=False)
    assert names(FORWARD, snapshot(), goal) == ["release.build", "release.trial", "release.switch"]
    untried = replace(FORWARD, try_first=False)
    assert names(untried, snapshot(), goal) == ["release.build", "release.switch"]


def test_nothing_to_do_if_the_app_runs_in_it() -> None:
    assert names(FORWARD, snapshot(), target(NEW)) == []


def test_processes_elsewhere_are_moved_without_a_trial() -> None:
    found = snapshot()
    strayed = replace(found, live=replace(found.live, folders=(NEW.path, OLD.path)))
    assert names(FORWARD, strayed, target(NEW)) == ["release.switch"]


def test_a_checkout_is_adopted_first() -> None:
    actions = plan(BACK, snapshot(checkout=True), target())
    assert actions[0].name == "release.adopt"
    assert (actions[0].before, actions[0].after) == ("/srv/current", NEW.path)


def test_old_releases_are_removed_the_bad_ones_first() -> None:
    more = [
        replace(OLD, id=f"b{number}", built=float(number), status=BAD if number == 7 else GOOD)
        for number in range(3, 9)
    ]
    theirs = replace(OLD, id="theirs", built=None, adopted=True)
    actions = plan(replace(BACK, keep=4), snapshot(*more, theirs), target())
    removed = [action.subject for action in actions if action.name == "release.remove"]
    assert removed == ["b7", "b3", "b4"]
