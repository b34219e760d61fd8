"""Whether the results of earlier steps allow the next one."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.requirements import (
    malformed,
    not_proven,
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
    ("result", "really", "in_check_mode"),
    [
        ({"proven": True}, [], []),
        ({"proven": False}, ["app1"], []),
        ({}, ["app1"], []),
        ({"failed": True, "proven": False}, ["app1"], ["app1"]),
        ({"unreachable": True}, ["app1"], ["app1"]),
        ({"skipped": True}, [], []),
        (None, [], []),
    ],
)
def test_hosts_on_which_it_was_not_proven(
    result: Any, really: list[str], in_check_mode: list[str]
) -> None:
    hosts = {"app1": {} if result is None else {"__restart": result}, "app2": {}}
    assert not_proven("__restart", hosts, check_mode=False) == really
    assert not_proven("__restart", hosts, check_mode=True) == in_check_mode
