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
)
from tests.support.session_rows import (
    FACTS,
    OPTIONS,
    SESSIONS,
    slots,
)


@given(SESSIONS, OPTIONS, st.integers(1, 60))
def test_the_words_for_every_plan_fit_the_report(
    sessions: list[Any], wish: Options, limit: int
) -> None:
    plan = make_plan(sessions, slots(limit), wish)
    facts = {**FACTS, "max_connections": limit, "reserved": 0}
    snapshot = Snapshot(facts, sessions, {}, {}, "operator")
    verdict = ReliefVerdict(snapshot, plan, wish, Thresholds(CHECKS))
    check = verdict.planned("shop") if plan.over else verdict.unnecessary()
    assert check.status == ("warning" if plan.over else "ok")
    assert check.remedy or check.status == "ok"
