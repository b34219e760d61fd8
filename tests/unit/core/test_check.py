"""Checks, actions, limits: the words that everything else speaks."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import (
    EVIDENCE_ROWS,
    STATUSES,
    UNITS,
    Action,
    Check,
    as_dicts,
    worst,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.definition import Threshold
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.text import redact, shorten
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.units import format_value


def test_a_check_takes_no_status_or_unit_of_its_own() -> None:
    with pytest.raises(ValueError, match="'fine' is not a status"):
        Check("host.cpu", "fine", "x")
    with pytest.raises(ValueError, match="'ms' is not a unit"):
        Check("host.cpu", "ok", "x", unit="ms")


def test_an_action_takes_no_status_of_its_own() -> None:
    with pytest.raises(ValueError, match="'ok' is not the status of an action"):
        Action("vacuum", "ok")


def test_summaries_are_one_line_and_evidence_is_bounded() -> None:
    check = Check(
        "host.cpu", "ok", "a\n b", evidence=tuple({"row": n} for n in range(EVIDENCE_ROWS + 5))
    )
    assert check.summary == "a b"
    assert len(check.evidence) == EVIDENCE_ROWS


def test_checks_travel_as_json() -> None:
    check = Check("host.cpu", "ok", "x", evidence=({"pid": 1},))
    assert json.loads(json.dumps(as_dicts([check, Action("vacuum", "planned")])))[0][
        "evidence"
    ] == [{"pid": 1}]


@given(st.lists(st.sampled_from(STATUSES)))
def test_the_verdict_is_the_worst_status(statuses: list[str]) -> None:
    verdict = worst(statuses)
    assert verdict == "ok" if not statuses else verdict in statuses
    assert all(STATUSES.index(status) <= STATUSES.index(verdict) for status in statuses)


def test_unknown_never_hides_a_warning() -> None:
    assert worst(["unknown", "warning"]) == "warning"
    assert worst(["ok", "unknown"]) == "unknown"


@pytest.mark.parametrize(
    ("name", "warning", "critical"),
    [
        ("host.cpu", 80, None),
        ("host.memory", 85, None),
        ("host.disk_used", 80, None),
        ("postgres.connections", 80, None),
        ("web.response_time_p95", 0.5, 1.0),
        ("web.page_load_time", 1.0, 2.0),
        ("postgres.query_time_mean", 0.05, 0.1),
        ("redis.hit_rate", 90, 80),
        ("postgres.cache_hit", 90, 80),
    ],
)
def test_the_limits_are_those_of_the_runbook(
    name: str, warning: float, critical: float | None
) -> None:
    limit = CATALOG[name].threshold
    assert limit.warning == warning
    assert critical is None or limit.critical == critical


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_every_check_is_fully_described(name: str) -> None:
    definition = CATALOG[name]
    assert definition.meaning.endswith(".")
    assert definition.remedy.endswith(".")
    assert definition.unit in UNITS
    has_limit = (
        definition.threshold.warning is not None or definition.threshold.critical is not None
    )
    assert has_limit == bool(definition.source), "a limit names its source"
    if definition.threshold.warning is not None and definition.threshold.critical is not None:
        beyond = (
            definition.threshold.critical < definition.threshold.warning
            if definition.threshold.below
            else definition.threshold.critical > definition.threshold.warning
        )
        assert beyond, "critical lies beyond warning"


@given(st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_judging_is_strict_and_critical_comes_first(value: float, below: bool) -> None:
    limit = Threshold(20, 10, True) if below else Threshold(10, 20)
    status = limit.status_of(value)
    beyond = (value < 10, value < 20) if below else (value > 20, value > 10)
    assert status == ("critical" if beyond[0] else "warning" if beyond[1] else "ok")


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


def test_an_override_of_a_check_that_another_module_makes_is_left_to_it() -> None:
    checks = {name: CATALOG[name] for name in ("redis.hit_rate", "redis.memory")}
    overrides = {"redis.hit_rate": {"warning": 50}, "redis.clients 0": {"warning": "no number"}}
    thresholds = Thresholds(checks, overrides, known=["redis.hit_rate", "redis.clients"])
    assert thresholds.of("redis.hit_rate").warning == 50
    with pytest.raises(UsageError, match=r"no check 'redis\.clients'"):
        Thresholds(checks, overrides)
    with pytest.raises(UsageError, match=r"did you mean 'redis\.clients'"):
        Thresholds(checks, {"redis.client": {"warning": 1}}, known=["redis.clients"])


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
def test_a_wrong_override_is_told_in_one_sentence(
    overrides: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Thresholds(CATALOG, overrides)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters=" \t\n\r/@:*"), min_size=4))
def test_no_form_of_a_secret_survives(secret: str) -> None:
    from urllib.parse import quote, quote_plus

    for form in (secret, quote(secret), quote_plus(secret)):
        assert form not in redact(f"[ {form} ] at redis://user:{form}@host", [secret]).replace(
            "[ ", ""
        ).replace("at redis://", "").replace("@host", "")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("could not connect to postgresql://app:hunter2@db/x", "hunter2"),
        ("password=hunter2 refused", "hunter2"),
        ("Authorization: Bearer hunter2", "hunter2"),
        ('{"api_key": "hunter2"}', "hunter2"),
    ],
)
def test_credentials_in_foreign_texts_are_masked(text: str, hidden: str) -> None:
    assert hidden not in redact(text)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "", "–"),
        (1536, "bytes", "1.5 KiB"),
        (3 * 1024**4, "bytes", "3.0 TiB"),
        (0.0123, "seconds", "12.3 ms"),
        (0.0000042, "seconds", "4 µs"),
        (90, "seconds", "90 s"),
        (7200, "seconds", "2 h"),
        (93.44, "percent", "93.4 %"),
        (1, "days", "1 day"),
        (1_300_000_000, "count", "1,300,000,000"),
    ],
)
def test_quantities_read_as_people_write_them(value: float | None, unit: str, words: str) -> None:
    assert format_value(value, unit) == words


def test_shortening_keeps_one_line() -> None:
    assert shorten("a\n  b", 10) == "a b"
    assert shorten("abcdefghij", 5) == "abcd…"
