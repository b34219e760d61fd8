"""A server and its databases as a review sees them, as plain data, and the checks of both."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Sample
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.lock_waits import (
    blocked,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.snapshot import (
    Configuration,
    DatabaseSettings,
    DatabaseSnapshot,
    LastRun,
    Locks,
    Usage,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.xmin_horizon import (  # noqa: E501
    xmin_horizon,
)
from tests.support.relations import MIB, seen

LIMITS = Thresholds(CHECKS)


FACTS: dict[str, Any] = {
    "role": "app",
    "sees_all": True,
    "sees_settings": True,
    "standby": False,
    "feedback": False,
    "number": 170000,
}


GONE = NotCollected("nobody knows", "Ask again.")


NOBODY = NotCollected("pg_stat_statements is not loaded", "Load it.")


BIG = {"bytes": 200 * MIB, "unique": False}


OLD = 11 * 86400.0


TWO = {
    "keys": [1, 2],
    "key_count": 2,
    "classes": [1, 1],
    "collations": [0, 0],
    "options": [0, 0],
    "class_options": [None, None],
}


def waits(**more: Any) -> Locks:
    return Locks(**{"blocked": ([], {}), "horizon": [], **more})


def lock_checks(locks: Locks, facts: dict[str, Any], thresholds: Thresholds) -> list[Check]:
    return [blocked(locks, facts, thresholds), *xmin_horizon(locks, facts, thresholds)]


def usage_of(
    *rows: dict[str, Any],
    scans: dict[int, dict[str, int]] | None = None,
    since: float | None = 0.0,
    keys: Any = (),
) -> Usage:
    counted = {oid: {"oid": oid, **row} for oid, row in (scans or {}).items()}
    return Usage({row["oid"]: row for row in rows}, counted, {}, list(keys), since)


def used(oid: int = 11, **more: Any) -> dict[str, Any]:
    usual = {
        "table": 1,
        "scans": 5,
        "kept": False,
        "unique": False,
        "unique_constraint": None,
        "immediate": True,
        "needed": False,
        "nulls_equal": False,
        "top": None,
        "last": None,
        "keys": [1],
        "key_count": 1,
    }
    return {
        "oid": oid,
        **usual,
        "classes": [1],
        "collations": [0],
        "options": [0],
        "class_options": [None],
        "storage": None,
        "expressions": None,
        "predicate": None,
        **more,
    }


def contents(
    *relations: dict[str, Any],
    usage: Any = None,
    facts: Any = None,
    sizes: Any = None,
    elapsed: float = 0.0,
    earlier: Sample | None = None,
    **parts: Any,
) -> DatabaseSnapshot:
    """A database; `sizes`, `elapsed` and `earlier` are what the last run has kept."""
    inventory = seen(*relations, **(facts or {}))
    usage = usage or usage_of(
        *(used(each["oid"], unique=each["unique"]) for each in inventory.indexes)
    )
    last_run = LastRun(sizes or {}, "", elapsed, earlier)
    usual = {"inventory": inventory, "usage": usage, "widths": {}, "sequences": []}
    return DatabaseSnapshot(**{**usual, "last_run": last_run, **parts})


def configured(*drift: dict[str, Any]) -> Configuration:
    return Configuration({}, drift)


def peculiar(drift: Any = (), unattended: Any = ()) -> DatabaseSnapshot:
    return contents(settings=DatabaseSettings(drift, unattended))


def by_name(checks: Any) -> dict[str, Any]:
    return {check.name.removeprefix("postgres."): check for check in checks}
