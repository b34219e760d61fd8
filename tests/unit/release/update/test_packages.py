"""What an update changes, by the lockfiles before and after it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update import packages
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.packages import (
    Change,
)


def files(entries: dict[str, dict[str, Any]], **manifest: Any) -> dict[str, str]:
    lock = {"lockfileVersion": 3, "packages": {"": {}, **entries}}
    return {"package.json": json.dumps(manifest), "package-lock.json": json.dumps(lock)}


def at(version: str, **more: Any) -> dict[str, Any]:
    return {"version": version, **more}


def test_versions_that_differ() -> None:
    before = files(
        {
            "node_modules/parser": at("2.0.0"),
            "node_modules/router": at("1.0.0"),
            "node_modules/router/node_modules/parser": at("1.0.0"),
            "node_modules/same": at("1.0.0"),
            "node_modules/@org/gone": at("1.0.0", dev=True),
        },
        dependencies={"router": "^1.0.0"},
    )
    after = files(
        {
            "node_modules/parser": at("2.1.0"),
            "node_modules/router": at("1.0.1"),
            "node_modules/same": at("1.0.0"),
            "node_modules/fresh": at("3.0.0"),
        },
        dependencies={"router": "^1.0.0"},
    )
    assert packages.changes(before, after) == (
        Change("router", "1.0.0", "1.0.1", direct=True),
        Change("@org/gone", "1.0.0", "", development=True),
        Change("fresh", "", "3.0.0"),
        Change("parser", "1.0.0, 2.0.0", "2.1.0"),
    )
    text = packages.summary(packages.changes(before, after))
    assert text == (
        "4 packages: router 1.0.0 → 1.0.1, @org/gone 1.0.0 removed, fresh 3.0.0 added and 1 more"
    )


def test_a_package_from_git_changes_with_its_commit() -> None:
    address = "git+ssh://git@git.example.com/x.git#"
    before = files({"node_modules/x": at("1.0.0", resolved=f"{address}{'a' * 40}")})
    after = files({"node_modules/x": at("1.0.0", resolved=f"{address}{'b' * 40}")})
    (change,) = packages.changes(before, after)
    assert (change.before, change.after) == ("1.0.0 aaaaaaaaaa", "1.0.0 bbbbbbbbbb")


def test_workspaces_and_the_form_of_a_file_are_no_change() -> None:
    before = files({"node_modules/a": at("1.0.0"), "shared": at("1.0.0")})
    after = files(
        {
            "node_modules/a": at("1.0.0", peer=True),
            "node_modules/shared": {"link": True, "resolved": "shared"},
            "shared": at("1.0.1"),
        }
    )
    assert packages.changes(before, after) == ()


@pytest.mark.parametrize(
    ("lock", "reason"),
    [
        ({}, "no package-lock.json"),
        ({"package-lock.json": '{"dependencies": {}}'}, "the old format of npm 6"),
        ({"package-lock.json": "<<<<<<< HEAD"}, "is no JSON"),
        ({"package-lock.json": "[]"}, "no JSON object"),
    ],
)
def test_a_lockfile_that_cannot_be_updated(lock: dict[str, str], reason: str) -> None:
    with pytest.raises(NotCollected, match=reason):
        packages.lock_of({"package.json": "{}", **lock})


def test_the_name_of_an_offer_is_that_of_its_content_and_its_proof() -> None:
    one = files({"node_modules/a": at("1.0.0")})
    other = files({"node_modules/a": at("1.0.1")})
    names = {
        packages.digest(one, ["x"]),
        packages.digest(other, ["x"]),
        packages.digest(one, ["y"]),
    }
    assert len(names) == 3
    assert packages.digest(one, ["x"]) in names


def test_many_changes_are_cut_short() -> None:
    found = [Change(f"p{number}", "1", "2") for number in range(60)]
    state = packages.state(found, "after")
    assert len(state) == 51
    assert state["…"] == "10 more"
