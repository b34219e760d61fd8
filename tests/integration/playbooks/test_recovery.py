"""The playbooks for a Redis or a PostgreSQL that is down: the plan, the restart, the flush."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import redis

from demo.stack import Stack
from tests.support.playbooks import Playbook, run_playbook

CONFIRMED = {"runbook_confirm": "demo"}


@pytest.fixture
def playbook(stack: Stack, tmp_path: Path) -> Playbook:
    return partial(run_playbook, stack, tmp_path)


@pytest.fixture(params=["redis", "postgres"])
def down(stack: Stack, request: pytest.FixtureRequest) -> Iterator[str]:
    """A service that is stopped; it runs again afterwards, whatever the test did."""
    stack.stop(request.param)
    yield request.param
    stack.start(request.param)


def test_one_that_is_down(stack: Stack, playbook: Playbook, down: str) -> None:
    plan = playbook(f"{down}_recovery")
    (action,) = plan.report["actions"]
    assert (action["name"], action["status"]) == (f"{down}.restart", "planned")
    assert (plan.code, stack.status()[down]["running"]) == (2, False), "the plan starts nothing"
    assert "a restart is the cure" in plan.check(f"{down}.recovery")["summary"]
    assert plan.check(f"{down}.reachable")["status"] == "critical", "the evidence stays"
    slip = playbook(f"{down}_recovery", runbook_confirm="demmo")
    said = slip.check("runbook.step", f"{down}_recovery")["summary"]
    assert said.endswith("(confirm): it is 'demmo', but the host is demo; nothing was changed")
    assert (slip.code, slip.report["actions"]) == (2, []), slip.output
    assert not stack.status()[down]["running"]
    done = playbook(f"{down}_recovery", **CONFIRMED)
    assert [action["status"] for action in done.report["actions"]] == ["done"], done.output
    assert (done.code, stack.status()[down]["running"]) == (0, True)
    assert done.check(f"{down}.reachable")["status"] == "ok", "checked once more"


def test_one_that_works_and_a_flush_that_is_asked_for(stack: Stack, playbook: Playbook) -> None:
    asked = {**CONFIRMED, "runbook_flush": True, "redis_flush_prefix": "no-such-prefix:"}
    healthy = playbook("redis_recovery", **asked, redis_flush_confirm=5)
    assert (healthy.code, healthy.report["actions"]) == (0, []), healthy.output
    assert healthy.check("redis.flush")["status"] == "warning"
    with redis.Redis.from_url(stack.redis_url) as client:
        client.set("plan-only:1", "value", ex=600)
        asked = {"runbook_flush": True, "redis_flush_prefix": "plan-only:"}
        plan = playbook("redis_recovery", **asked, redis_flush_confirm=1)
        assert [action["status"] for action in plan.report["actions"]] == ["planned"], plan.output
        assert client.get("plan-only:1"), "nothing names the host"
        done = playbook("redis_recovery", **asked, **CONFIRMED, redis_flush_confirm=1)
        assert [action["status"] for action in done.report["actions"]] == ["done"], done.output
        assert not client.exists("plan-only:1")
