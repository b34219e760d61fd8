"""Builds of the demo app that fail, each in its own way, and what the diagnosis says of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.releases import Releases

NO_CACHE = "npm_config_cache=$PWD/.npm npm_config_fetch_retries=0"
REFUSED = "the package registry does not answer (ECONNREFUSED)"
NO_REGISTRY = f"{NO_CACHE} npm_config_registry=http://127.0.0.1:9 npm ci"


def check(answer: dict[str, Any], name: str, subject: str | None = None) -> dict[str, Any]:
    found = [
        one
        for one in answer["checks"]
        if one["name"] == f"release.{name}" and subject in (None, one["subject"])
    ]
    assert found, (name, [one["name"] for one in answer["checks"]])
    return dict(found[0])


def package(releases: Releases, **changes: Any) -> str:
    content = json.loads((releases.repository / "package.json").read_text())
    return json.dumps({**content, **changes})


def test_a_healthy_app(releases: Releases) -> None:
    answer = releases.diagnose()
    assert {one["status"] for one in answer["checks"]} == {"ok"}, answer["checks"]
    assert check(answer, "registry")["not_judged"] == "no build command installs packages"
    names = {row["variables"]: row["names"] for row in check(answer, "environment")["evidence"]}
    assert names == {"not in the example": "FAULT_FILE, NODE_ENV"}
    rebuilt = releases.rebuild()
    assert rebuilt["builds"], rebuilt
    assert check(rebuilt, "rebuild")["summary"].startswith("v1.1.0 builds in ")
    assert not (releases.records / "aside").exists()
    assert releases.serving() == (200, "1.1.0")


def test_a_build_without_its_script(releases: Releases) -> None:
    """The failed deployment, its diagnosis, the rebuild aside, and the version that is fixed."""
    version = releases.commit("v1.2.1-script", package_json=package(releases, scripts={}))
    failed = releases.deploy(version, build=["npm run build"])
    assert failed["failed"]
    answer = releases.diagnose()
    log = check(answer, "build_log", version)
    assert log["status"] == "critical"
    assert log["summary"].endswith("at 'npm run build': package.json has no script 'build'")
    assert "Add the script to package.json" in log["remedy"]
    planned = releases.rebuild(check=True, build=["npm run build"])
    assert (planned["actions"][0]["status"], planned["changed"]) == ("planned", True)
    before = releases.pids()
    rebuilt = releases.rebuild(build=["npm run build"], keep_folder=True)
    assert not rebuilt["builds"]
    assert not rebuilt.get("failed")
    assert "package.json has no script 'build'" in check(rebuilt, "rebuild", version)["summary"]
    assert any("Missing script" in row["output"] for row in check(rebuilt, "rebuild")["evidence"])
    assert (releases.records / "aside").exists()
    assert releases.pids() == before
    assert releases.deploy(version, build=["true"])["proven"] is False, "it has no packages"
    answer = releases.diagnose()
    assert check(answer, "build_log")["status"] == "ok", "it was built after all"
    proof = check(answer, "failed", version)
    assert (proof["status"], "failed on trial" in proof["summary"]) == ("critical", True), proof
    (file,) = (releases.records / "releases").glob(f"{version}-*.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "reason": "rolled back"}))
    releases.deploy(version, build=["true"])
    assert "failed on trial" in json.loads(file.read_text())["reason"], "the last reason counts"
    assert check(answer, "lockfile", version), "it is the one that is looked at"
    assert releases.rebuild(check=True)["actions"][0]["subject"].startswith(version)


@pytest.mark.parametrize(
    ("build", "said", "remedy"),
    [
        (NO_REGISTRY, REFUSED, "proxy and firewall"),
        (
            "node -e \"require('left-pad')\"",
            "the package 'left-pad' is not installed",
            "npm install",
        ),
        ("next build", "the program 'next' is not installed", "dependencies"),
        ("cp -r . /dev/full", "/dev/full", "output in the evidence"),
        ("cp package.json /dev/full", "the disk is full", "remove old releases"),
    ],
    ids=["registry", "package", "program", "not-recognised", "disk"],
)
def test_a_rebuild_names_the_cause(releases: Releases, build: str, said: str, remedy: str) -> None:
    answer = releases.rebuild(build=[build])
    found = check(answer, "rebuild")
    assert found["status"] == "critical"
    assert said in found["summary"], found
    assert remedy in found["remedy"], found


def test_what_a_version_needs_and_the_host_lacks(releases: Releases) -> None:
    example = (releases.repository / ".env.example").read_text() + "API_URL=https://api\n"
    version = releases.commit(
        "v1.2.2-needs",
        **{".env.example": example},
        package_json=package(
            releases, engines={"node": ">=99"}, dependencies={"pg": "8.23.1", "left-pad": "1.3.0"}
        ),
    )
    releases.deploy(version)  # the guards refuse it, and fetch its files
    answer = releases.diagnose(version=version, free_disk=1e9, build=["npm ci"], timeout=90)
    assert check(answer, "environment")["summary"] == "1 variable missing: API_URL"
    assert check(answer, "node_version", version)["status"] == "critical"
    assert check(answer, "node_version", "builds")["status"] == "critical"
    assert check(answer, "disk_free")["status"] == "critical"
    lock = check(answer, "lockfile")
    assert "ioredis is only in the lock file; left-pad is missing from" in lock["summary"]
    full = releases.rebuild(version=version, free_disk=1e9)
    assert full["actions"][0]["status"] == "skipped"
    assert check(full, "disk_free")["status"] == "critical"


def test_a_repository_that_does_not_answer(releases: Releases) -> None:
    answer = releases.diagnose(repository="/nowhere")
    assert check(answer, "repository")["status"] == "critical"
    answer = releases.diagnose(version="v9.9.9")
    assert check(answer, "repository")["summary"] == "it has no version v9.9.9"
    rebuilt = releases.rebuild(repository="/nowhere")
    assert check(rebuilt, "rebuild")["status"] == "unknown"


def test_a_registry_that_is_down(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    """As npm's own settings name it."""
    npmrc = releases.stack.directory / "registry.npmrc"
    npmrc.write_text("registry=http://127.0.0.1:9\n")
    monkeypatch.setenv("npm_config_userconfig", str(npmrc))
    answer = releases.diagnose(build=["npm ci"], timeout=90)
    found = check(answer, "registry")
    assert found["status"] == "critical", found
    assert "the package registry does not answer (ECONNREFUSED), asked for" in found["summary"]


def test_no_value_of_a_variable_is_shown(releases: Releases) -> None:
    values = [
        line.partition("=")[2].strip("'\"")
        for line in Path(releases.app["current"], ".env").read_text().splitlines()
    ]
    leaks = releases.rebuild(build=['echo "$DATABASE_URL"; env; exit 1'])
    shown = json.dumps([leaks, releases.diagnose()])
    password = releases.stack.settings["redis"]["password"]
    assert password not in shown
    assert not [value for value in values if "://" in value and "@" in value and value in shown]


def test_a_killed_rebuild_is_cleaned_up_by_the_next(releases: Releases) -> None:
    (releases.records / "aside" / "releases" / "v1.1.0").mkdir(parents=True)
    sleeper = subprocess.Popen(
        ["sleep", "600"], cwd=releases.records / "aside" / "releases" / "v1.1.0"
    )
    assert releases.rebuild(build=["true"])["builds"]
    assert sleeper.wait(timeout=10) != 0
    assert not (releases.records / "aside").exists()


def test_migrations_that_the_deployment_applies_itself(releases: Releases) -> None:
    folder = releases.repository / "db" / "migrations"
    (folder / "20260414090000_nothing.up.sql").write_text("SELECT 1;\n")
    version = releases.works("v1.2.8")
    refused = releases.deploy(version)
    assert "the database lacks 1 migration" in refused["msg"]
    assert check(releases.diagnose(version=version), "schema")["status"] == "critical"
    schema = check(releases.diagnose(version=version, migrate="false"), "schema")
    assert (schema["status"], "'false' applies what it lacks" in schema["summary"]) == ("ok", True)
