"""What was confirmed must be what is there."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.operation import Outcome
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import Endpoint
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.flush.inventory import (
    Inventory,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.flush.operation import _flush
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.flush.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.flush.plan import Snapshot


def flush_of_nothing(confirm: int | None, check_mode: bool) -> Outcome:
    outcome = Outcome(results={})
    options = Options(Endpoint(), "flushed", prefix="crat:", confirm=confirm)
    thresholds = Thresholds(CHECKS, {})
    snapshot = Snapshot({}, Inventory(), 0)
    _flush([], snapshot, options, thresholds, check_mode, lambda *_given: None, outcome)
    return outcome


@pytest.mark.parametrize("check_mode", [False, True])
def test_keys_that_were_confirmed_and_are_not_there(check_mode: bool) -> None:
    outcome = flush_of_nothing(500, check_mode)
    (check,) = outcome.checks
    assert (check.status, outcome.problem, outcome.actions) == ("warning", "", [])
    assert check.summary.startswith("No key in crat:* of")
    assert check.summary.endswith(", although 500 were confirmed")


@pytest.mark.parametrize(("confirm", "check_mode"), [(None, True), (0, True), (0, False)])
def test_nothing_to_remove_is_fine_if_no_key_was_confirmed(
    confirm: int | None, check_mode: bool
) -> None:
    outcome = flush_of_nothing(confirm, check_mode)
    assert (outcome.problem, [check.status for check in outcome.checks]) == ("", ["ok"])
