"""Whether the results of earlier steps allow the next one."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.requirements import (
    malformed,
    unmet,
)

CONFIRMED = {"__relief": {"confirmed": True}}
REFUSED = {"__relief": {"confirmed": False, "failed": True}}
LOST = {"__relief": {"unreachable": True}}
SKIPPED = {"__relief": {"skipped": True, "changed": False}}


@pytest.mark.parametrize(
    ("hosts", "reason"),
    [
        ({"db1": CONFIRMED}, ""),
        ({"db1": CONFIRMED, "db2": CONFIRMED, "app1": {}}, ""),
        ({"db1": CONFIRMED, "db2": SKIPPED}, ""),
        ({"db1": CONFIRMED, "db2": REFUSED, "db3": LOST}, "relief was not confirmed on db2, db3"),
        ({"db1": {"__relief": {"confirmed": "true"}}}, "relief was not confirmed on db1"),
        ({"app1": {}}, "there is no result of relief"),
        ({"db1": SKIPPED}, "there is no result of relief"),
        ({}, "there is no result of relief"),
    ],
)
def test_a_requirement(hosts: dict[str, Any], reason: str) -> None:
    assert unmet(["relief.confirmed"], hosts, check_mode=False) == reason
    assert unmet(["relief.confirmed"], hosts, check_mode=True) == reason


def test_what_is_not_decided_yet_counts_in_check_mode_only() -> None:
    hosts = {"db1": {"__relief": {"confirmed": None, "failed": True}}, "db2": CONFIRMED}
    assert unmet(["relief.confirmed"], hosts, check_mode=True) == ""
    assert unmet(["relief.confirmed"], hosts, check_mode=False) == "relief was not confirmed on db1"


def test_every_requirement_must_be_met() -> None:
    hosts = {"db1": {"__relief": {"confirmed": True, "done": False}}}
    assert unmet([], hosts, check_mode=False) == ""
    requirements = ["relief.confirmed", "relief.done"]
    assert unmet(requirements, hosts, check_mode=False) == "relief was not done on db1"


@pytest.mark.parametrize("requirement", ["relief", "relief.", ".confirmed", "a.b.c", "__a b.c", ""])
def test_what_is_not_a_requirement(requirement: str) -> None:
    assert malformed(["relief.confirmed", requirement]) == [requirement]


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ([{"confirmed": True}, {"confirmed": True}], ""),
        ([{"confirmed": True}, {"skipped": True}], ""),
        ([{"confirmed": True}, {"confirmed": False}], "relief was not confirmed on db1"),
        ([{"skipped": True}], "there is no result of relief"),
    ],
)
def test_a_loop_has_to_meet_it_with_every_item(results: list[Any], reason: str) -> None:
    hosts = {"db1": {"__relief": {"results": results, "changed": False}}}
    assert unmet(["relief.confirmed"], hosts, check_mode=False) == reason
