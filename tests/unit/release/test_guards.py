"""What forbids a switch, and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.guards import (
    Facts,
    guard,
    obstacles,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import BAD, UNKNOWN
from tests.support.release_samples import BACK, FORWARD, OLD, THRESHOLDS, facts, target

ONE = {"migrations__1_a.sql": ""}


def check(name: str, found: Facts, options: Options = BACK) -> Check:
    (one,) = [each for each in guard(found, options, THRESHOLDS) if each.name == f"release.{name}"]
    return one


def test_a_good_release_of_an_app_that_declares_nothing() -> None:
    checks = guard(facts(target()), BACK, THRESHOLDS)
    assert obstacles(checks) == []
    assert [each.name for each in checks if each.not_judged] == [
        "release.node_version",
        "release.environment",
        "release.schema",
    ]


def test_all_problems_are_known_at_once() -> None:
    goal = target(
        replace(OLD, status=BAD, reason="rolled back"),
        **{"package.json": '{"engines": {"node": ">=24"}}', ".env.example": "URL=\nTOKEN=\n"},
    )
    found = obstacles(guard(facts(goal, ("1_a",)), BACK, THRESHOLDS))
    assert [each.name for each in found] == [
        "release.target",
        "release.node_version",
        "release.environment",
        "release.schema",
    ]
    assert "TOKEN" in found[2].summary


def test_a_bad_release_is_deployed_again_if_it_is_named() -> None:
    bad = facts(target(replace(OLD, status=BAD, reason="rolled back")))
    assert check("target", bad).status == "critical"
    assert check("target", bad, FORWARD).status == "ok"
    untried = replace(FORWARD, try_first=False)
    assert check("target", bad, untried).status == "critical"


def test_what_was_never_good_must_be_tried() -> None:
    unknown = facts(target(replace(OLD, status=UNKNOWN)))
    assert check("target", unknown).status == "ok"
    assert check("target", unknown, replace(BACK, try_first=False)).status == "critical"
    assert check("target", facts(target()), replace(BACK, try_first=False)).status == "ok"


@pytest.mark.parametrize(("gib", "status"), [(2, "ok"), (0.5, "critical")])
def test_free_disk_counts_for_a_build_only(gib: float, status: str) -> None:
    free = int(gib * (1 << 30))
    assert check("disk_free", facts(target(exists=False), free_bytes=free)).status == status
    names = [each.name for each in guard(facts(target(), free_bytes=free), BACK, THRESHOLDS)]
    assert "release.disk_free" not in names


def test_migrations_that_the_release_does_not_know() -> None:
    newer = facts(target(**ONE), ("1_a", "2_b"))
    refused = check("schema", newer)
    assert (refused.status, "2_b" in refused.summary) == ("critical", True)
    assert check("schema", newer, replace(BACK, schema_compatible=True)).status == "warning"
    named = replace(BACK, compatible_migrations=("2_b",))
    assert check("schema", newer, named).status == "ok"
    assert check("schema", newer, replace(named, compatible_migrations=("9",))).status == "critical"


def test_migrations_that_the_database_lacks_count_only_if_it_was_asked() -> None:
    older = facts(target(**ONE), ())
    assert check("schema", older, FORWARD).status == "ok"
    asked = replace(FORWARD, migrations_command="list")
    assert "lacks 1 migration: 1_a" in check("schema", older, asked).summary
    applied = check("schema", older, replace(asked, migrate="apply"))
    assert (applied.status, "'apply' applies what it lacks" in applied.summary) == ("ok", True)


def test_a_database_that_cannot_be_asked_is_no_permission() -> None:
    silent = facts(target(**ONE), None, migrations_problem="connection refused")
    assert check("schema", silent).status == "unknown"
    assert obstacles([check("schema", silent)])
    assert check("schema", silent, replace(BACK, schema_compatible=True)).status == "warning"
