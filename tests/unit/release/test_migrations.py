"""When a deployment applies migrations, and which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Action
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.migrations import (
    lacking,
    migrate,
    with_migrations,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.plan import plan
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import Release
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.source import Folder
from tests.support.release_samples import BACK, FORWARD, snapshot, target

FRESH = target(
    Release("v3", "v3", "/srv/releases/v3"),
    exists=False,
    db__migrations__1_a="",
    db__migrations__2_b="",
)
ASKED = replace(FORWARD, migrations_command="list", migrate="apply")


def steps(options: Options, missing: list[str] | None) -> list[Action]:
    return with_migrations(plan(options, snapshot(), FRESH), options, FRESH, missing)


def test_what_the_database_lacks() -> None:
    assert lacking(ASKED, FRESH, ("1_a",)) == ["2_b"]
    assert lacking(ASKED, FRESH, ("1_a", "2_b", "3_c")) == []
    assert lacking(ASKED, FRESH, None) is None
    assert lacking(ASKED, replace(FRESH, source=None), ()) is None
    assert lacking(replace(ASKED, migrations_command=""), FRESH, ()) is None


def test_they_are_applied_between_the_build_and_the_trial() -> None:
    names = [action.name for action in steps(ASKED, ["2_b"])]
    assert names == ["release.build", "release.migrate", "release.trial", "release.switch"]
    assert steps(ASKED, ["2_b"])[1].reason.startswith("2_b; the running release must work with ")
    untried = [action.name for action in steps(replace(ASKED, try_first=False), None)]
    assert untried == ["release.build", "release.migrate", "release.switch"]


@pytest.mark.parametrize(
    ("options", "missing"),
    [(ASKED, []), (replace(ASKED, migrate=""), ["2_b"]), (replace(BACK, migrate="apply"), ["2_b"])],
    ids=["none is missing", "no command", "a rollback"],
)
def test_otherwise_none_is_applied(options: Options, missing: list[str]) -> None:
    assert "release.migrate" not in [action.name for action in steps(options, missing)]
    assert with_migrations([], ASKED, FRESH, ["2_b"]) == []


def test_a_command_that_says_it_has_and_has_not(tmp_path: Path) -> None:
    (tmp_path / "migrations" / "1_a").mkdir(parents=True)
    target = replace(FRESH, source=Folder(str(tmp_path)))
    given = replace(ASKED, migrate="apply", migrations_command="list")
    ran = []

    def database(has: str) -> Callable[[str], str]:
        def run(command: str) -> str:
            ran.append(command)
            return f"applied {has}" if command == "list" else ""

        return run

    migrate(given, target, database("1_a"))
    assert ran == ["apply", "list"]
    with pytest.raises(NotCollected, match="'apply' succeeded, but the database still lacks 1_a"):
        migrate(given, target, database("0_z"))
