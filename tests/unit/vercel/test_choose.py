"""Which deployment a rollback goes to, and what is refused before anything is requested."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.vercel.choose import choose
from tests.support.vercel_samples import deployment, job, options, snapshot

FAILED = job("rollback", 3, 2, "failed")


@pytest.mark.parametrize(
    ("live", "last", "left", "expected"),
    [
        (3, None, [], "dpl_2"),
        (2, None, [], "dpl_1"),
        (3, None, ["dpl_2"], "dpl_1"),
        # A rollback from 2 was the last thing that anyone asked for, then 3 went live.
        (3, job("rollback", 2, 1), [], "dpl_1"),
        # What was promoted says itself what was live before it.
        (1, job("promote", 3, 1), [], "dpl_3"),
        (3, job("promote", 1, 3), [], "dpl_1"),
        (3, job("promote", 1, 3), ["dpl_1"], "dpl_2"),
        (3, job("promote", 1, 3, "failed"), [], "dpl_2"),
        (3, job("promote", 1, 2), [], "dpl_2"),
    ],
)
def test_the_deployment_before(live: int, last: Any, left: list[str], expected: str) -> None:
    assert choose(options(), snapshot(live, last=last), left).id == expected


@pytest.mark.parametrize(
    "unusable",
    [
        {"candidate": False},
        {"candidate": None},
        {"state": "ERROR"},
        {"target": ""},
        {"substate": "STAGED"},
    ],
)
def test_what_is_never_chosen(unusable: dict[str, Any]) -> None:
    found = snapshot(3, deployment(3), deployment(2, **unusable), deployment(1))
    assert choose(options(), found, []).id == "dpl_1"


@pytest.mark.parametrize(("live", "reason"), [(1, "no production deployment before"), (9, "none")])
def test_nothing_to_go_back_to(live: int, reason: str) -> None:
    with pytest.raises(NotCollected, match=reason):
        choose(options(), snapshot(live), [])


@pytest.mark.parametrize(
    "name",
    [
        *("dpl_2", "app-2.vercel.app", "https://app-2.vercel.app/login?x=1", "2222222", "2" * 40),
        "v1.1.0",
    ],
)
def test_names(name: str) -> None:
    second = deployment(2, meta={"githubCommitSha": "2" * 40, "version": "v1.1.0"})
    found = snapshot(3, deployment(3), second, deployment(1))
    assert choose(options(rollback_to=name), found, ["dpl_2"]).id == "dpl_2"


def test_the_newest_build_of_a_commit() -> None:
    same = {"meta": {"githubCommitSha": "1" * 40}}
    found = snapshot(3, deployment(3), deployment(2, state="ERROR", **same), deployment(1, **same))
    assert choose(options(rollback_to="1111111"), found, []).id == "dpl_1"


def test_the_live_one_is_no_mistake() -> None:
    assert choose(options(rollback_to="3333333"), snapshot(3), []).id == "dpl_3"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"project": "prj_2"}, "belongs to another project than gpt-agent"),
        ({"state": "BUILDING"}, "is not ready: its state is BUILDING"),
        ({"target": ""}, "is a preview"),
        ({"substate": "STAGED"}, "use state=promoted"),
        ({"candidate": False}, "Vercel does not offer it"),
    ],
)
def test_refusals(change: dict[str, Any], reason: str) -> None:
    found = snapshot(3, deployment(3), named=deployment(1, **change))
    with pytest.raises(NotCollected, match=reason):
        choose(options(rollback_to="dpl_1"), found, [])


@pytest.mark.parametrize(
    ("name", "reason"),
    [("v9.9.9", "no such deployment of gpt-agent"), ("main", "3 deployments of different commits")],
)
def test_names_that_name_no_single_deployment(name: str, reason: str) -> None:
    each = (
        deployment(number, meta={"githubCommitSha": str(number) * 40, "githubCommitRef": "main"})
        for number in (3, 2, 1)
    )
    with pytest.raises(NotCollected, match=reason):
        choose(options(rollback_to=name), snapshot(3, *each), [])


def test_what_only_a_promotion_takes() -> None:
    staged = deployment(4, substate="STAGED", candidate=False)
    found = snapshot(3, staged, deployment(3))
    assert choose(options(state="promoted", version="dpl_4"), found, []).id == "dpl_4"
