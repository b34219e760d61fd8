"""Parameters and tables without autovacuum, judged."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.settings import (
    settings,
    without_autovacuum,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.snapshot import (
    Configuration,
)
from tests.support.postgres_review import FACTS, LIMITS, by_name, configured, peculiar


@pytest.mark.parametrize(
    ("parameters", "number", "status", "words"),
    [
        ({}, 170000, "ok", "No parameter endangers data"),
        ({"fsync": {"value": "off", "restart": False}}, 170000, "critical", "fsync is off"),
        (
            {"track_activities": {"value": "off", "restart": False}},
            170000,
            "warning",
            "what sessions do is not visible",
        ),
        (
            {"max_connections": {"value": "100", "restart": True}},
            170000,
            "warning",
            "max_connections: changed in the file",
        ),
        ({}, 140002, "critical", "14.0 to 14.3 can damage indexes"),
    ],
)
def test_settings(parameters: dict[str, Any], number: int, status: str, words: str) -> None:
    check = by_name(settings(Configuration(parameters, []), {**FACTS, "number": number}, LIMITS))[
        "settings"
    ]
    assert check.status == status
    assert words in check.summary


def test_what_a_role_sets_for_itself_is_not_the_servers_setting() -> None:
    own = Configuration({"track_activities": {"value": "off", "restart": False, "own": True}}, [])
    check = by_name(settings(own, FACTS, LIMITS))["settings"]
    assert (check.status, check.remedy) == (
        "unknown",
        "Check with a role and database that have none (pg_db_role_setting).",
    )
    assert "track_activities" in check.summary


def test_a_restart_that_a_role_cannot_see_waiting_is_not_denied() -> None:
    check = by_name(settings(configured(), {**FACTS, "sees_settings": False}, LIMITS))["settings"]
    assert check.status == "unknown"
    assert "GRANT pg_monitor" in check.remedy


def test_tables_without_autovacuum_are_named() -> None:
    (check,) = without_autovacuum(peculiar(unattended=["public.t", "public.u"]), "d", LIMITS)
    assert (check.status, check.subject) == ("warning", "d")
    assert "autovacuum_enabled is off for 2 tables, such as public.t" in check.summary
    assert not list(without_autovacuum(peculiar(), "d", LIMITS))
