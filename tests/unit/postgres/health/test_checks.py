"""Which checks the daily probe makes, and which overrides it leaves to other modules."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres import checks as postgres
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.checks import (
    CHECKS,
    OTHER_CHECKS,
)
from tests.conftest import SERVER_CHECKS


def test_every_check_of_postgresql_is_the_daily_probes_or_known_to_it() -> None:
    assert set(CHECKS) == SERVER_CHECKS
    others = {name for name in postgres.CHECKS if name.startswith("postgres.")} - set(CHECKS)
    assert sorted(OTHER_CHECKS) == sorted(others)


def test_overrides_of_other_modules_checks_are_left_to_them() -> None:
    overrides = {
        "postgres.index_bloat database shop": {"warning": "no number"},
        "postgres.connections": {"warning": 70},
    }
    thresholds = Thresholds(CHECKS, overrides, OTHER_CHECKS)
    assert thresholds.of("postgres.connections").warning == 70
    with pytest.raises(UsageError, match="'no number' is not a number"):
        Thresholds(postgres.CHECKS, overrides)


def test_a_misspelled_check_of_another_module_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'postgres\.index_bloat'"):
        Thresholds(CHECKS, {"postgres.index_bloats": {"warning": 1}}, OTHER_CHECKS)
