"""The daily checks of a server that is healthy, cannot be asked, or answers in part."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import (
    NotCollected,
    Unreachable,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.verdicts import unreachable
from tests.conftest import SERVER_CHECKS
from tests.support.postgres_health import checks


def test_a_healthy_server_is_ok_in_every_respect() -> None:
    found = checks()
    assert {check.name for check in found} == SERVER_CHECKS
    assert {check.status for check in found} == {"ok"}
    assert (
        found[0].summary
        == "PostgreSQL 18.6 at db:5432 answers, connected in 4 ms (primary, up 9 days)"
    )
    assert found[0].value == 0.004


def test_of_a_server_that_cannot_be_asked_there_is_one_check() -> None:
    check = unreachable(Unreachable("It is gone", "Bring it back"), Thresholds(CHECKS))
    assert (check.name, check.status, check.summary, check.remedy) == (
        "postgres.reachable",
        "critical",
        "It is gone",
        "Bring it back",
    )
    assert (
        "systemctl status postgresql"
        in unreachable(Unreachable("It is gone"), Thresholds(CHECKS)).remedy
    )


def test_what_was_not_answered_is_unknown_with_its_reason() -> None:
    missing = NotCollected("nobody knows", "Ask again")
    found = checks(sessions=missing, databases=missing, wal=missing, statements=missing)
    assert {check.name for check in found} == SERVER_CHECKS
    assert {(check.status, check.summary, check.remedy) for check in found[1:]} == {
        ("unknown", "Unknown: nobody knows", "Ask again")
    }
