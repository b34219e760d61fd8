"""Go and no go, by the answers and by the way back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.gate.assess import (
    Facts,
    assess,
    is_go,
    way_back,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.gate.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.gate.record import (
    Answer,
    Record,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import (
    Options as ReleaseOptions,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import BAD, Release
from tests.support.release_samples import FORWARD, NEW, OLD, snapshot, target

THRESHOLDS = Thresholds(CHECKS)
NOW = 1_000_000.0
OPTIONS = Options(FORWARD, questions={"a": "Is A done", "b": "Is B done"})
THIRD = target(Release("v3-abc", "v3", "/srv/releases/v3-abc"), exists=False)


def facts(**changes: Any) -> Facts:
    answers = {name: Answer("yes", "alice", NOW - 3600) for name in ("a", "b")}
    return replace(Facts(snapshot(), THIRD, Record(answers=answers), NOW), **changes)


def answered(**texts: Answer) -> Record:
    return Record(answers={**facts().record.answers, **texts})


def verdict(found: Facts, options: Options = OPTIONS) -> Check:
    checks = assess(found, options, THRESHOLDS)
    assert is_go(checks) == (checks[0].status == "ok" and not checks[0].not_judged)
    return checks[0]


def test_go() -> None:
    found = verdict(facts())
    assert (found.name, found.status) == ("release.gate", "ok")
    assert found.summary == "go: 2 answers for v3-abc, valid for another 23 h"


def test_no_go() -> None:
    late = answered(a=Answer("yes", "bob", NOW - 90_000))
    assert verdict(facts(record=late)).summary == "no go: not answered: a"
    refused = answered(b=Answer("no", "bob", NOW))
    assert verdict(facts(record=refused)).summary == "no go: Is B done: no (bob, just now)"
    assert verdict(facts(record=Record())).summary == "no go: not answered: a, b"
    failed = facts(failed_commands={"a": "'ci' failed with exit code 1"})
    assert verdict(failed).summary == "no go: Is A done: 'ci' failed with exit code 1"
    assert "is working on the releases" in verdict(facts(held_by="another run")).summary
    assert "a killed run" in verdict(facts(pending="a killed run was switching")).summary


def test_without_a_version_it_is_not_judged() -> None:
    found = verdict(facts(target=None, record=Record()))
    assert found.not_judged == "no version is named; the questions will be a, b"


def test_after_the_deployment_open_questions_are_unknown_and_do_not_expire() -> None:
    options = replace(OPTIONS, moment="after")
    old = answered(a=Answer("signed off", "bob", NOW - 1e6))
    checks = assess(facts(record=old, target=None), options, THRESHOLDS)
    assert [check.status for check in checks] == ["ok", "ok"]
    checks = assess(facts(record=Record(), target=None), options, THRESHOLDS)
    assert [check.status for check in checks] == ["unknown", "unknown"]


def back(found: Any, goal: Any = THIRD, options: ReleaseOptions = FORWARD) -> tuple[str, str]:
    check = way_back(found, goal, options, THRESHOLDS)
    return check.status, check.summary


def test_the_way_back() -> None:
    assert back(snapshot()) == ("ok", "a rollback returns to v2, known to be good")
    bad = replace(NEW, status=BAD, reason="slow")
    found = snapshot(bad, current=bad)
    assert back(found) == (
        "warning",
        "v2 is marked as bad, so a rollback goes further back to v1",
    )
    none = snapshot(bad, replace(OLD, status=BAD), current=bad)
    assert back(none)[0] == "critical"


def test_a_migration_that_closes_the_way_back() -> None:
    goal = target(THIRD.release, **{"migrations__1_a.sql": ""})
    status, text = back(snapshot(), goal)
    assert (status, "once the database has 1_a, a rollback to v2 is refused" in text) == (
        "warning",
        True,
    )
    options = replace(FORWARD, compatible_migrations=("1_a",))
    assert back(snapshot(), goal, options)[0] == "ok"


def test_an_image_that_is_not_recorded_yet_is_no_alarm() -> None:
    """Its migrations are not known; the guards of a rollback read them from the image."""
    goal = target(THIRD.release, **{"migrations__1_a.sql": ""})
    live = replace(NEW, image="registry.example.com/app:v2")
    assert back(snapshot(live, current=live), goal)[0] == "ok"
    known = replace(live, migrations=("0_first",))
    assert back(snapshot(known, current=known), goal)[0] == "warning"
