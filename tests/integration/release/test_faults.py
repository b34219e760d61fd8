"""Deployments of broken versions, each of which ends on a version that answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.releases import DEAF, DIES, FAILS_SOON, SAYS_500, Releases

LIVE = (200, "1.1.0")


def actions(answer: dict[str, Any]) -> dict[str, str]:
    return {action["name"]: action["status"] for action in answer["actions"]}


def require_untouched(releases: Releases, answer: dict[str, Any], before: list[int]) -> None:
    """The task failed, and the same processes as before serve the same version."""
    assert (answer["failed"], answer["proven"]) == (True, False)
    assert releases.serving() == LIVE
    assert releases.pids() == before
    assert releases.records.joinpath("pending.json").exists() is False


@pytest.mark.parametrize(
    ("version", "program", "options", "reason"),
    [
        ("v1.2.0-dies", DIES, {"trial_for": 4.0}, "it ended with exit code 3 after"),
        ("v1.2.0-500", SAYS_500, FAILS_SOON, "/api/health: status 500"),
        ("v1.2.0-deaf", DEAF, {"start_within": 2.0}, "it was not healthy within 2 s"),
    ],
    ids=["dies", "says-500", "deaf"],
)
def test_a_version_that_fails_its_trial_touches_no_one(
    releases: Releases, version: str, program: str, options: dict[str, Any], reason: str
) -> None:
    if program == DIES:
        program += (releases.repository / "server.js").read_text()
    releases.broken(version, program)
    before = releases.pids()
    with releases.requests() as requests:
        answer = releases.deploy(version, **options)
    assert reason in answer["msg"], answer
    assert actions(answer)["release.trial"] == "failed"
    require_untouched(releases, answer, before)
    assert requests.failures == []
    assert releases.statuses()[version] == "bad"


def test_a_build_that_fails(releases: Releases) -> None:
    version = releases.commit("v1.2.0-build", scripts__build_js="syntax error here\n")
    before = releases.pids()
    answer = releases.deploy(version, build=["npm run build"])
    assert "'npm run build' failed with exit code 1" in answer["msg"]
    assert "SyntaxError" in answer["msg"]
    assert actions(answer)["release.build"] == "failed"
    require_untouched(releases, answer, before)
    assert version not in releases.statuses()


def test_packages_that_cannot_be_installed(releases: Releases) -> None:
    before = releases.pids()
    registry = "npm_config_registry=http://127.0.0.1:9 npm_config_fetch_retries=0"
    install = f"{registry} npm_config_cache=$PWD/.npm npm ci"
    answer = releases.deploy("v1.2.0", build=[install, "npm run build"])
    assert "ECONNREFUSED" in answer["msg"], answer
    assert actions(answer)["release.build"] == "failed"
    require_untouched(releases, answer, before)


def test_a_version_whose_migration_the_database_lacks(releases: Releases) -> None:
    names = ("up", "down")
    folder = releases.repository / "db" / "migrations"
    for name in names:
        (folder / f"20260413090000_create_settings.{name}.sql").write_text("SELECT 1;\n")
    version = releases.commit("v1.2.0-migration")
    before = releases.pids()
    answer = releases.deploy(version)
    assert "the database lacks 1 migration: 20260413090000_create_settings" in answer["msg"]
    require_untouched(releases, answer, before)


def test_a_version_that_needs_what_the_database_lacks(releases: Releases) -> None:
    """The demo's own v1.2.0: no migration of its own says so."""
    before = releases.pids()
    answer = releases.deploy("v1.2.0", **FAILS_SOON)
    assert "failed on trial" in answer["msg"], answer
    require_untouched(releases, answer, before)


def test_a_rollback_to_a_version_that_does_not_know_a_migration(releases: Releases) -> None:
    before = releases.pids()
    answer = releases.roll_back(rollback_to="v1.0.0")
    assert "it does not know: 20260302090000_create_documents" in answer["msg"], answer
    require_untouched(releases, answer, before)


def test_a_version_that_fails_once_it_is_live_is_taken_back(releases: Releases) -> None:
    version = releases.fails_when_live("v1.2.0-live")
    answer = releases.deploy(version, **FAILS_SOON)
    assert (answer["failed"], answer["proven"]) == (True, False)
    assert actions(answer)["release.switch"] == "failed"
    assert actions(answer)["release.revert"] == "done", json.dumps(answer["actions"], indent=1)
    assert answer["msg"].endswith("v1.1.0 is live again"), answer["msg"]
    assert releases.serving() == LIVE
    assert answer["seconds_without_service"] is not None
    assert releases.statuses()[version] == "bad"
