"""The verdicts on what is live, the last job, and the traps of a rollback."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.monitor import (
    Outage,
    Request,
    outage,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.vercel.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.vercel.verify import (
    auto_assign_check,
    environment_check,
    job_check,
    live_check,
)
from tests.support.vercel_samples import deployment, job, snapshot

DEFAULTS = Thresholds(CHECKS)


@pytest.mark.parametrize(
    ("domains", "status"),
    [
        ({"a.com": "dpl_3", "b.com": "dpl_3"}, "ok"),
        ({"a.com": "dpl_3", "b.com": "dpl_3", "c.com": "dpl_1"}, "warning"),
        ({"a.com": "dpl_3", "b.com": "dpl_3", "c.com": ""}, "warning"),
        ({"a.com": "", "b.com": ""}, "critical"),
    ],
)
def test_live(domains: dict[str, str], status: str) -> None:
    check = live_check(snapshot(3, domains=domains), DEFAULTS)
    assert check.status == status
    assert len(check.evidence) == (0 if status == "ok" else len(domains))


def test_a_live_deployment_that_is_not_ready() -> None:
    assert live_check(snapshot(3, deployment(3, state="ERROR")), DEFAULTS).status == "critical"


@pytest.mark.parametrize(
    ("last", "live", "status"),
    [
        (job("rollback", 3, 2), 2, "ok"),
        (job("rollback", 3, 2, "failed"), 3, "warning"),
        (job("rollback", 3, 2, "skipped"), 3, "warning"),
        (job("rollback", 3, 2, "pending"), 3, "warning"),
        # Whatever became of it, a newer deployment went live since.
        (job("rollback", 3, 2, "failed"), 9, "ok"),
    ],
)
def test_the_last_job(last: Any, live: int, status: str) -> None:
    found = snapshot(live, *(deployment(number) for number in (9, 3, 2)), last=last)
    assert job_check(found, DEFAULTS).status == status


def test_no_job_at_all() -> None:
    assert job_check(snapshot(3), DEFAULTS).not_judged


@pytest.mark.parametrize(("auto", "status"), [(True, "ok"), (False, "warning")])
def test_auto_assign(auto: bool, status: str) -> None:
    assert auto_assign_check(snapshot(3, auto_assign=auto), DEFAULTS).status == status


def test_auto_assign_that_vercel_does_not_tell() -> None:
    assert auto_assign_check(snapshot(3, auto_assign=None), DEFAULTS).not_judged


@pytest.mark.parametrize(
    ("changed", "status"), [([], "ok"), (["API_KEY"], "warning"), (None, "unknown")]
)
def test_variables(changed: Any, status: str) -> None:
    check = environment_check(deployment(2), changed, "status 403", DEFAULTS)
    assert check.status == status


def test_seconds_without_service() -> None:
    sent = [Request(0, 0.1), Request(1, 1.1, "status 502"), Request(2, 2.1, "status 500")]
    assert outage([*sent, Request(3, 3.1)]) == Outage(4, 2, 2.0, "status 502")
    assert outage(sent) == Outage(3, 2, 1.1, "status 502")
    assert outage(sent[:1]) == Outage(1, 0, 0.0)
    assert outage([]).seconds == 0
