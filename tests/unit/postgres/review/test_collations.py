"""Collations that have changed, judged."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.collations import (
    collations,
    other_databases,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.snapshot import (
    Configuration,
    DatabaseSnapshot,
)
from tests.support.postgres_review import LIMITS, configured, peculiar


def drifted(
    database: str, then: str | None, now: str | None, template: bool = False
) -> dict[str, Any]:
    return {"database": database, "template": template, "then": then, "now": now}


def test_collations_that_sort_differently_now() -> None:
    check = collations(
        configured(drifted("shop", "2.31", "2.36"), drifted("other", "1", "2")),
        peculiar(),
        "shop",
        "d",
        LIMITS,
    )
    assert check.status == "critical"
    assert (
        "The default of database 'shop' sorts by version 2.36 now, and its indexes "
        "were built with 2.31"
    ) in check.summary
    assert "ALTER DATABASE ... REFRESH COLLATION VERSION" in check.remedy
    assert len(check.evidence) == 1
    own = peculiar(drift=[{"collation": '"de-x-icu"', "then": "153.1", "now": "153.2"}])
    assert (
        'Collation "de-x-icu" sorts by version'
        in collations(configured(), own, "shop", "d", LIMITS).summary
    )
    assert collations(configured(), peculiar(), "shop", "d", LIMITS).status == "ok"


def test_a_collation_whose_version_has_gone_has_changed() -> None:
    check = collations(configured(drifted("shop", "2.31", None)), peculiar(), "shop", "d", LIMITS)
    assert check.status == "critical"
    assert (
        "sorts by a library without versions now, and its indexes were built with 2.31"
        in check.summary
    )


@pytest.mark.parametrize(
    ("configuration", "found"),
    [
        (configured(drifted("shop", None, None)), peculiar()),
        (configured(), peculiar(drift=[{"collation": '"de_DE"', "then": None, "now": None}])),
    ],
)
def test_a_collation_that_never_has_a_version_is_not_judged(
    configuration: Configuration, found: DatabaseSnapshot
) -> None:
    assert collations(configuration, found, "shop", "d", LIMITS).not_judged


def test_a_collation_whose_version_was_not_recorded_is_unknown() -> None:
    configuration = configured(drifted("shop", None, "2.36"))
    assert collations(configuration, peculiar(), "shop", "d", LIMITS).status == "unknown"


def test_databases_that_are_not_looked_into_have_collations_too() -> None:
    drift = [
        drifted("other", "1", "2"),
        drifted("shop", "1", "2"),
        drifted("template0", "1", "2", True),
        drifted("plain", None, None),
    ]
    (check,) = other_databases(configured(*drift), ["shop"], LIMITS)
    assert (check.status, check.subject) == ("critical", "other databases")
    assert [row["database"] for row in check.evidence] == ["other", "template0"]
    (check,) = other_databases(configured(*drift), ["shop", "other"], LIMITS)
    assert check.status == "warning", "a template has no rows to lose"
    assert not list(other_databases(configured(drift[1]), ["shop"], LIMITS))
