"""The catalog of all checks: the thresholds of the runbook, and complete descriptions."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import UNITS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.definition import COMPONENTS
from tests.conftest import ROOT

MODULE_UTILS = "ansible_collections.gpt_agent.runbook.plugins.module_utils"


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


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_every_check_belongs_to_a_component(name: str) -> None:
    component, dot, what = name.partition(".")
    assert component in COMPONENTS
    assert dot
    assert what


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_component_has_a_check(component: str) -> None:
    assert any(name.startswith(f"{component}.") for name in CATALOG)


def names_in(files: list[Path]) -> list[str]:
    names: list[str] = []
    for file in files:
        package = ".".join(file.relative_to(ROOT / "plugins/module_utils").parent.parts)
        names += importlib.import_module(f"{MODULE_UTILS}.{package}.checks").CHECKS
    return names


def test_no_two_technologies_define_the_same_check() -> None:
    """Merging would silently keep one of them."""
    files = sorted((ROOT / "plugins/module_utils").glob("*/checks.py"))
    assert len(files) >= 7
    assert sorted(names_in(files)) == sorted(CATALOG), "each name once, and each file is merged"
    parts = names_in(sorted((ROOT / "plugins/module_utils").glob("*/*/checks.py")))
    assert len(parts) == len(set(parts)), "a part of a technology has checks of its own"
    assert set(parts) < set(CATALOG)
