"""The verdicts on an app's packages."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.assess import assess, jump
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.options import (
    Allowance,
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.snapshot import (
    Package,
    Snapshot,
    Vulnerability,
)

TODAY = date(2026, 11, 28)
#: A package with two advisories, of which one is critical.
TWICE = Vulnerability(
    "parser",
    "critical",
    {"GHSA-1": "Injection", "GHSA-2": "Slow"},
    {"GHSA-1": "critical", "GHSA-2": "high"},
)


def verdicts(allow: tuple[Allowance, ...] = (), **facts: Any) -> dict[str, tuple[str, str]]:
    snapshot = Snapshot(**{"node": "24.11.0", "problems": (), "audit": (), **facts})
    options = Options("/srv/shop", allow=allow)
    checks = assess(snapshot, options, Thresholds(CHECKS), TODAY)
    return {check.name.removeprefix("npm."): (check.status, check.summary) for check in checks}


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("24.11.0", "ok"),
        ("22.11.0", "ok"),
        ("25.1.0", "critical"),
        ("26.3.0", "ok"),
        ("20.20.2", "critical"),
        ("12.22.0", "critical"),
    ],
)
def test_how_long_node_is_supported(version: str, status: str) -> None:
    assert verdicts(node=version)["node_support"][0] == status


def test_the_support_that_ends_soon_is_a_warning() -> None:
    snapshot = Snapshot(node="22.11.0", problems=())
    checks = assess(snapshot, Options("/"), Thresholds(CHECKS), date(2027, 3, 1))
    assert [check.status for check in checks if check.name == "npm.node_support"] == ["warning"]


def test_a_newer_node_than_this_collection_knows_is_not_judged() -> None:
    status, summary = verdicts(node="42.0.0")["node_support"]
    assert status == "ok"
    assert "not judged" in summary


def test_the_advisory_that_is_left_decides_on_the_severity() -> None:
    assert verdicts(audit=(TWICE,))["critical_vulnerabilities"][0] == "critical"
    allowed = verdicts((Allowance("GHSA-1", TODAY),), audit=(TWICE,))
    assert allowed["critical_vulnerabilities"][0] == "ok"
    assert allowed["high_vulnerabilities"][0] == "warning"
    both = (Allowance("GHSA-1", TODAY), Allowance("GHSA-2", TODAY))
    assert verdicts(both, audit=(TWICE,))["high_vulnerabilities"][0] == "ok"


def test_what_npm_counts_besides_is_mentioned() -> None:
    found = verdicts(totals={"low": 2, "moderate": 1})
    assert found["high_vulnerabilities"][1].endswith("; npm also counts 1 moderate and 2 low")


def test_no_audit_is_unknown_and_one_that_nobody_asked_for_is_nothing() -> None:
    found = verdicts(audit=NotCollected("the registry is down"))
    assert found["critical_vulnerabilities"] == (
        "unknown",
        "Whether packages have known vulnerabilities is not known: the registry is down",
    )
    assert "critical_vulnerabilities" not in verdicts(audit=None)


def test_a_package_that_is_not_compared_is_named() -> None:
    found = verdicts(direct=3, not_compared=("from-git",))
    assert found["outdated"] == (
        "ok",
        "0 of 3 packages can be updated within the ranges of package.json; not compared: from-git",
    )
    outdated = (Package("a", "1.0.0", "1.0.0", "1.0.0"), Package("b", "1.0.0", "1.0.1", "2.0.0"))
    assert verdicts(direct=2, outdated=outdated)["outdated"][1].startswith("1 of 2 packages")


@pytest.mark.parametrize(
    ("current", "latest", "kind"),
    [
        ("1.2.3", "2.0.0", "major"),
        ("1.2.3", "1.3.0", "minor"),
        ("1.2.3", "1.2.4", "patch"),
        ("1.2.3-beta.1", "1.2.3", "other"),
        ("", "1.2.3", "major"),
    ],
)
def test_the_kind_of_an_update(current: str, latest: str, kind: str) -> None:
    assert jump(current, latest) == kind


def test_what_is_not_installed_is_compared_by_the_lockfile_or_unknown() -> None:
    one = Package("lodash", "4.17.4", "4.17.21", "4.17.21", installed=False)
    assert verdicts(outdated=(one,), direct=1)["outdated"] == (
        "ok",
        "1 of 1 package can be updated within the ranges of package.json; not installed, so by the "
        "lockfile: lodash",
    )
    one = Package("lodash", "", "4.17.21", "4.17.21", installed=False)
    assert verdicts(outdated=(one,), direct=1)["outdated"] == (
        "unknown",
        "lodash: not installed, and no lockfile says which version",
    )
