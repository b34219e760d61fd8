"""The thresholds in force: overrides, and how values are judged by them."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.definition import (
    COMPONENTS,
    Threshold,
    below,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds


def test_a_value_that_is_missing_is_unknown_and_never_ok() -> None:
    check = Thresholds(CATALOG).evaluate("redis.hit_rate", None, "too few look-ups")
    assert check.status == "unknown"
    assert check.remedy


def test_an_override_changes_what_it_names_and_nothing_else() -> None:
    thresholds = Thresholds(
        CATALOG, {"host.disk_used": {"warning": "70"}, "host.disk_used /backup": {"critical": None}}
    )
    assert thresholds.of("host.disk_used", "/") == Threshold(70, 90)
    assert thresholds.of("host.disk_used", "/backup") == Threshold(70, None)
    assert thresholds.of("host.inodes_used", "/") == Threshold(80, 90)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"host.disk_usd": {"warning": 1}},
            "there is no check 'host.disk_usd'; did you mean 'host.disk_used'?",
        ),
        ({"nonsense": {"warning": 1}}, "there is no check 'nonsense'"),
        ({"host.cpu": {"warning": "many"}}, "host.cpu warning: 'many' is not a number"),
        ({"host.cpu": {"warning": True}}, "host.cpu warning: True is not a number"),
        ({"host.cpu": {"warning": "nan"}}, "'nan' is not a finite number"),
        ({"host.cpu": {"limit": 5}}, "has the levels 'warning' and 'critical', not 'limit'"),
        ({"host.cpu": 80}, "takes a mapping with 'warning' and 'critical', not 80"),
        ({"web.endpoint": {"warning": 1}}, "web.endpoint has no thresholds to change"),
    ],
)
def test_a_wrong_override_is_explained_in_one_sentence(
    overrides: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Thresholds(CATALOG, overrides)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "overrides", "value", "status", "direction"),
    [
        ("host.cpu", {}, 81, "warning", "above"),
        ("redis.hit_rate", {}, 79, "critical", "below"),
        ("host.cpu", {"host.cpu": {"warning": None, "critical": ""}}, 100, "ok", ""),
        ("host.cpu", {"host.cpu": {"warning": None}}, 100, "critical", "above"),
    ],
)
def test_a_check_has_the_direction_of_its_threshold(
    name: str, overrides: dict[str, object], value: float, status: str, direction: str
) -> None:
    check = Thresholds(CATALOG, overrides).evaluate(name, value, "x")
    assert (check.status, check.direction) == (status, direction)
    assert (direction == "") == (check.warning is None and check.critical is None)


def test_a_verdict_without_a_threshold_has_no_direction() -> None:
    thresholds = Thresholds(CATALOG)
    assert thresholds.verdict("host.cpu", "warning", "x", value=99).direction == ""
    assert thresholds.evaluate("host.cpu", None, "x").direction == ""


def test_a_threshold_of_its_own_replaces_the_one_in_force() -> None:
    thresholds = Thresholds(CATALOG, {"host.cpu": {"warning": 1}})
    check = thresholds.evaluate("host.cpu", 50, "x", threshold=below(60, 40))
    assert (check.status, check.warning, check.critical, check.direction) == (
        "warning",
        60,
        40,
        "below",
    )


TECHNOLOGIES = {
    name: {check: each for check, each in CATALOG.items() if check.startswith(f"{name}.")}
    for name in COMPONENTS
}


@pytest.mark.parametrize("technology", COMPONENTS)
@pytest.mark.parametrize("other", COMPONENTS)
def test_overrides_of_other_technologies_are_left_to_them(technology: str, other: str) -> None:
    """Even a misspelled one: the module of that technology reports it."""
    overrides = {f"{other}.no_such_check": {"warning": 1}, f"{other}.nothing": "x"}
    checks = TECHNOLOGIES[technology]
    if technology == other:
        with pytest.raises(UsageError, match=f"there is no check '{other}.no_such_check'"):
            Thresholds(checks, overrides)
        return
    name = next(iter(checks))
    assert Thresholds(checks, overrides).of(name) == checks[name].threshold


@pytest.mark.parametrize("technology", COMPONENTS)
@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("postgre.connections", "; did you mean 'postgres.connections'?"),
        ("hosts.disk_used", "; did you mean 'host.disk_used'?"),
        ("Redis.memory", "; did you mean 'redis.memory'?"),
        ("certificates.expiry", "; did you mean 'certificate.expiry'?"),
        ("nonsense", ""),
        ("nonsense.connections", ""),
    ],
)
def test_a_misspelled_component_is_a_usage_error_of_every_module(
    technology: str, name: str, suggestion: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Thresholds(TECHNOLOGIES[technology], {name: {"warning": 1}})
    assert str(caught.value) == f"thresholds: there is no check {name!r}{suggestion}"


def test_a_misspelled_component_and_check_are_both_corrected() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'host\.disk_used'\?"):
        Thresholds(TECHNOLOGIES["host"], {"hots.disk_usd": {"warning": 1}})


def test_an_override_for_a_subject_names_a_check_too() -> None:
    with pytest.raises(UsageError, match=r"there is no check 'host\.disk_usd'"):
        Thresholds(CATALOG, {"host.disk_usd /backup": {"warning": 1}})


def test_an_override_of_a_check_that_another_module_makes_is_left_to_it() -> None:
    checks = {name: CATALOG[name] for name in ("redis.hit_rate", "redis.memory")}
    overrides = {"redis.hit_rate": {"warning": 50}, "redis.clients 0": {"warning": "no number"}}
    thresholds = Thresholds(checks, overrides, known=["redis.hit_rate", "redis.clients"])
    assert thresholds.of("redis.hit_rate").warning == 50
    with pytest.raises(UsageError, match=r"no check 'redis\.clients'"):
        Thresholds(checks, overrides)
    with pytest.raises(UsageError, match=r"did you mean 'redis\.clients'"):
        Thresholds(checks, {"redis.client": {"warning": 1}}, known=["redis.clients"])
