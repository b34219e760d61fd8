"""npm_check of apps whose packages, registry and lockfile are known."""

from __future__ import annotations

import json
import os
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.support.npm_app import App
from tests.support.npm_registry import BULK, advisory

INJECTION = "GHSA-aaaa-bbbb-cccc"
SLOW_REGEX = "GHSA-dddd-eeee-ffff"


def seed(app: App) -> None:
    """Production: router (vulnerable parser inside), current; development: runner."""
    app.registry.packages = {
        "router": {"1.0.0": {"parser": "1.0.0"}, "1.0.1": {"parser": "1.0.0"}, "2.0.0": {}},
        "parser": {"1.0.0": {}, "1.0.1": {}},
        "current": {"3.1.4": {}},
        "runner": {"1.0.0": {}},
    }
    app.install(
        dependencies={"router": "1.0.0", "current": "^3.0.0"}, devDependencies={"runner": "^1.0.0"}
    )


def statuses(checks: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name.removeprefix("npm."): check["status"] for name, check in checks.items()}


def test_an_app_that_needs_nothing(app: App) -> None:
    app.registry.packages = {"current": {"3.1.4": {}}}
    app.install(dependencies={"current": "^3.0.0"})
    before = sorted(path.name for path in app.path.iterdir())
    checks = app.check(thresholds={"npm.node_support": {"warning": None, "critical": None}})
    assert set(statuses(checks).values()) == {"ok"}
    summary = checks["npm.outdated"]["summary"]
    assert summary == "0 of 1 package can be updated within the ranges of package.json"
    assert sorted(path.name for path in app.path.iterdir()) == before


def test_a_release_behind_a_link(app: App, tmp_path: Path) -> None:
    app.registry.packages = {"router": {"1.0.0": {}}}
    app.install(dependencies={"router": "^1.0.0"})
    app.registry.packages["router"].update({"1.0.1": {}})
    current = tmp_path / "current"
    current.symlink_to(app.path)
    check = app.check(path=str(current))["npm.outdated"]
    assert (check["subject"], check["status"], check["value"]) == (str(current), "ok", 1)


def test_updates_within_and_beyond_the_ranges(app: App) -> None:
    app.registry.packages = {"router": {"1.0.1": {}}, "current": {"3.1.4": {}}}
    app.install(dependencies={"router": "^1.0.0", "current": "^3.0.0"})
    app.registry.packages["router"].update({"1.0.2": {}, "3.0.0": {}})
    check = app.check()["npm.outdated"]
    assert (check["status"], check["value"]) == ("ok", 1)
    assert check["evidence"] == [
        {
            "package": "router",
            "current": "1.0.1",
            "wanted": "1.0.2",
            "latest": "3.0.0",
            "update": "major",
            "used": "production",
        }
    ]
    limits = {"npm.outdated": {"warning": 0}}
    assert app.check(thresholds=limits)["npm.outdated"]["status"] == "warning"


def test_updates_of_an_app_that_is_not_installed(app: App) -> None:
    """npm compares installed packages only: the lockfile tells the versions of the others."""
    app.seed(newer=("router",))
    check = app.check(audit=False)["npm.outdated"]
    assert check["value"] == 1
    assert check["summary"].startswith("1 of 3 packages can be updated within the ranges")
    assert "not installed, so by the lockfile: parser, router, tool" in check["summary"]
    (router,) = [row for row in check["evidence"] if row["package"] == "router"]
    assert (router["current"], router["wanted"]) == (
        "1.0.0 by the lockfile, not installed",
        "1.1.0",
    )
    (app.path / "package-lock.json").unlink()
    check = app.check(audit=False)["npm.outdated"]
    assert check["status"] == "unknown"
    assert check["summary"].endswith(": not installed, and no lockfile says which version")


def test_vulnerabilities_by_use_severity_and_permission(app: App) -> None:
    seed(app)
    app.registry.advisories = {
        "parser": [advisory(INJECTION, "critical", "<1.0.1", "Injection")],
        "runner": [advisory(SLOW_REGEX, "high", "<9", "Slow regular expression")],
    }
    checks = app.check()
    critical, high = checks["npm.critical_vulnerabilities"], checks["npm.high_vulnerabilities"]
    assert (critical["status"], critical["value"]) == ("critical", 1)
    assert critical["summary"].endswith("of severity critical: parser")
    (row,) = critical["evidence"]
    assert (row["used"], row["advisories"]) == ("production", INJECTION)
    assert (high["status"], high["value"]) == ("ok", 0)
    assert "1 used for development only" in high["summary"]

    today = date.today()
    until = (today + timedelta(days=2)).isoformat()
    allowed = app.check(allow=[{"advisory": INJECTION, "until": until}])
    assert allowed["npm.critical_vulnerabilities"]["status"] == "ok"
    assert "1 allowed" in allowed["npm.critical_vulnerabilities"]["summary"]
    until = (today - timedelta(days=2)).isoformat()
    expired = app.check(allow=[{"advisory": INJECTION, "until": until}])
    assert expired["npm.critical_vulnerabilities"]["status"] == "critical"
    assert f"no longer allowed: {INJECTION}" in expired["npm.critical_vulnerabilities"]["summary"]


def test_a_registry_that_does_not_answer_is_no_finding(app: App) -> None:
    seed(app)
    app.registry.failures = {BULK: 500}
    checks = app.check()
    assert checks["npm.critical_vulnerabilities"]["status"] == "unknown"
    assert "500" in checks["npm.critical_vulnerabilities"]["summary"]
    assert checks["npm.outdated"]["status"] == "ok"

    app.registry.failures = {"/current": 404}
    check = app.check()["npm.outdated"]
    assert check["status"] == "unknown"
    assert "current (HTTP 404)" in check["summary"]

    checks = app.check(registry="http://127.0.0.1:1/")
    assert checks["npm.outdated"]["status"] == "unknown"
    assert "ECONNREFUSED" in checks["npm.outdated"]["summary"]
    assert checks["npm.installed"]["status"] == "ok"


def test_what_is_installed_is_compared_with_what_is_asked_for(app: App) -> None:
    seed(app)
    shutil.rmtree(app.path / "node_modules" / "current")
    check = app.check()["npm.installed"]
    assert check["status"] == "warning"
    assert "missing: current@" in check["summary"]
    shutil.rmtree(app.path / "node_modules")
    check = app.check(audit=False)["npm.installed"]
    assert check["summary"] == "No packages are installed in node_modules"


def test_every_problem_is_named_and_no_credentials(app: App) -> None:
    seed(app)
    private = "git+https://bob:geheim@127.0.0.1:1/private.git"
    content = {"dependencies": {"router": "3.0.0", "private": private, "other": "1.0.0"}}
    (app.path / "package.json").write_text(json.dumps(content))
    (app.path / ".npmrc").write_text("//127.0.0.1/:_authToken=geheim\n")
    checks = app.check(audit=False)
    problems = [row["problem"] for row in checks["npm.installed"]["evidence"]]
    assert any(problem.startswith("missing: private@git+https://***@") for problem in problems)
    assert any(problem.startswith("missing: other@1.0.0") for problem in problems)
    assert f"npm finds {len(problems)} problems: " in checks["npm.installed"]["summary"]
    assert "other (HTTP 404)" in checks["npm.outdated"]["summary"]
    assert "geheim" not in json.dumps(checks)
    answer = app.run_module("npm_check", {"path": "/", "registry": "https://bob:geheim@host/"})
    assert answer["msg"] == "registry: credentials belong in the user's .npmrc, not in the URL"


def test_packages_for_development_that_were_left_out_are_no_problem(app: App) -> None:
    seed(app)
    shutil.rmtree(app.path / "node_modules")
    app.install_again("--omit=dev")
    check = app.check(audit=False)["npm.installed"]
    assert check["status"] == "ok", check
    assert check["summary"].endswith(", without those for development")


def test_workspaces_and_packages_under_another_name(app: App) -> None:
    app.registry.packages = {"router": {"1.0.0": {}}, "@team/parser": {"1.0.0": {}}}
    part = app.path / "parts" / "api"
    part.mkdir(parents=True)
    content = {"name": "api", "version": "1.0.0", "dependencies": {"@team/parser": "^1.0.0"}}
    (part / "package.json").write_text(json.dumps(content))
    app.install(workspaces=["parts/*"], dependencies={"way": "npm:router@^1.0.0"})
    app.registry.packages["@team/parser"]["1.0.1"] = {}
    check = app.check(audit=False)["npm.outdated"]
    assert [row["package"] for row in check["evidence"]] == ["@team/parser"]
    assert check["summary"].startswith("1 of 2 packages can be updated")
    assert "not compared" not in check["summary"]
    app.registry.failures = {"/@team/parser": 403}
    check = app.check(audit=False)["npm.outdated"]
    assert check["status"] == "unknown"
    assert "@team/parser (HTTP 403)" in check["summary"]
    app.registry.failures = {"/@team/parser": 401}
    assert "E401" in app.check(audit=False)["npm.outdated"]["summary"]


def test_the_lockfile_of_npm_6_tells_what_development_uses(app: App) -> None:
    app.registry.packages = {
        "router": {"1.0.0": {}, "2.0.0": {}},
        "runner": {"1.0.0": {"router": "1.0.0"}},
    }
    app.install(dependencies={"router": "2.0.0"}, devDependencies={"runner": "1.0.0"})
    app.install_again("--lockfile-version=1")
    app.registry.advisories = {"router": [advisory(INJECTION, "critical", "<2", "Injection")]}
    check = app.check()["npm.critical_vulnerabilities"]
    assert check["status"] == "ok"
    assert "1 used for development only" in check["summary"]


def test_without_a_lockfile_nothing_is_known_about_vulnerabilities(app: App) -> None:
    seed(app)
    (app.path / "package-lock.json").unlink()
    os.unlink(app.path / "node_modules" / ".package-lock.json")
    check = app.check()["npm.critical_vulnerabilities"]
    assert check["status"] == "unknown"
    assert "package-lock.json" in check["remedy"]


def test_no_npm_and_no_app(app: App) -> None:
    seed(app)
    (check,) = app.check(npm="/nowhere/npm").values()
    assert check["status"] == "unknown"
    assert check["summary"] == "/nowhere/npm cannot be started: No such file or directory"
    (check,) = app.check(path=str(app.path.parent)).values()
    assert check["summary"].endswith("has no readable package.json")
    answer = app.run_module(
        "npm_check", {"path": "/", "allow": [{"advisory": "x", "until": "soon"}]}
    )
    assert answer["msg"] == "allow: until: 'soon' is not a date like 2027-01-31"
    answer = app.run_module("npm_check", {"path": "app"})
    assert answer["failed"]
