"""The check of a relief."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.plan import (
    make_plan,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.snapshot import (
    Snapshot,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.verify import (
    ReliefVerdict,
    usage_checks,
)
from tests.support.session_rows import (
    FACTS,
    OPTIONS,
    SESSIONS,
    session,
    slots,
)

THRESHOLDS = Thresholds(CHECKS)


@given(SESSIONS, OPTIONS, st.integers(1, 60))
def test_the_words_for_every_plan_fit_the_report(
    sessions: list[Any], wish: Options, limit: int
) -> None:
    plan = make_plan(sessions, slots(limit), wish)
    facts = {**FACTS, "max_connections": limit, "reserved": 0}
    snapshot = Snapshot(facts, sessions, {}, {}, "operator")
    verdict = ReliefVerdict(snapshot, plan, wish, THRESHOLDS)
    check = verdict.planned("shop") if plan.over else verdict.unnecessary()
    assert check.status == ("warning" if plan.over else "ok")
    assert check.remedy or check.status == "ok"


def test_a_recount_replaces_the_checks_of_limits_that_nothing_uses_any_more() -> None:
    """After its restart an app may have no session, and its role was at the limit before."""
    limits = {"app": 1, "barred": 0}, {"shop": 2, "archive": 9}
    before = Snapshot(FACTS, [session()], *limits, "operator")
    after = Snapshot(FACTS, [], *limits, "operator")
    statuses = [
        {check.subject: (check.value, check.status) for check in usage_checks(seen, THRESHOLDS)}
        for seen in (before, after)
    ]
    assert statuses[0]["role app"] == (100.0, "critical")
    assert list(statuses[0]) == ["", "role app", "database archive", "database shop"]
    assert statuses[1] == dict.fromkeys(statuses[0], (0.0, "ok"))
