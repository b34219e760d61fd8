"""npm_update with the real npm: what it tries, what it offers, and what it leaves as it is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.npm_app import App
from tests.support.npm_registry import advisory

#: Fails with the newer version of a package.
BREAKS = """
const broken = require('./package-lock.json').packages['node_modules/router'].version === '1.1.0';
if (broken) { console.log('TypeError: router'); process.exit(1); }
"""


def verdict(answer: dict[str, Any]) -> tuple[str, str]:
    (check,) = [one for one in answer["checks"] if one["name"] == "npm.update"]
    return check["status"], check["summary"]


def actions(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["name"], action["status"]) for action in answer["actions"]]


TEST = ["node test.js"]
ALL = "3 packages: parser 1.0.0 → 1.1.0, router 1.0.0 → 1.1.0, tool 1.0.0 → 1.1.0"


def test_an_update_is_planned_tried_and_offered_once(app: App) -> None:
    app.seed()
    plan = app.update(check=True)
    assert (plan["changed"], actions(plan)) == (True, [("npm.update", "planned")])
    assert plan["actions"][0]["before"] == dict.fromkeys(("parser", "router", "tool"), "1.0.0")
    assert plan["actions"][0]["after"] == dict.fromkeys(("parser", "router", "tool"), "1.1.0")
    assert verdict(plan) == ("ok", f"Would update {ALL}, and offer that if it works")
    assert not app.place.exists()

    answer = app.update()
    assert (answer["changed"], answer["updates"], answer["ready"]) == (True, 3, False)
    assert actions(answer) == [("npm.update", "done"), ("npm.offer", "done")]
    assert verdict(answer)[0] == "ok"
    parts = json.loads(Path(answer["sbom"]).read_text())
    assert {part["version"] for part in parts["components"]} == {"1.1.0"}
    copy = app.path.parent / "checkout"
    subprocess.run(["cp", "-R", app.path, copy], check=True)
    subprocess.run(["git", "apply", answer["patch"]], cwd=copy, check=True)
    assert (copy / "package-lock.json").read_text().count('"version": "1.1.0"') == 3

    app.registry.failures = {"/router/-/router-1.1.0.tgz": 500}  # nothing is tried again
    again = app.update()
    assert (again["changed"], again["actions"], again["patch"]) == (False, [], answer["patch"])
    assert "was offered before as" in verdict(again)[1]


def test_nothing_to_update_and_nothing_configured(app: App) -> None:
    app.seed(newer=())
    for check in (True, False):
        answer = app.update(check=check)
        assert (answer["changed"], answer["actions"]) == (False, [])
        assert verdict(answer)[0] == "ok"
    answer = app.run_module("npm_update", {})
    assert not answer["changed"]
    assert verdict(answer)[1] == "No app to update; not judged: no path is set (app_update_path)"


def test_the_package_that_breaks_the_app_is_named_and_can_be_left_out(app: App) -> None:
    app.seed(BREAKS)
    answer = app.update(commands=TEST)
    assert answer["failed"]
    assert not answer["changed"]
    assert actions(answer) == [("npm.update", "failed")]
    (status, text) = verdict(answer)
    assert status == "critical"
    assert text == (
        f"Nothing was offered: 'node test.js' fails with the update of {ALL}; it works without; "
        "router 1.0.0 → 1.1.0 breaks it"
    )
    assert {"output": "TypeError: router"} in answer["checks"][0]["evidence"]
    assert list(app.place.glob("*.patch")) == []

    answer = app.update(exclude=["router"], commands=TEST)
    assert (answer["updates"], verdict(answer)[0]) == (2, "ok")
    answer = app.update(only=["tool"], check=True)
    assert "1 package: tool 1.0.0 → 1.1.0" in verdict(answer)[1]
    answer = app.update(only=["tol"])
    assert "the app does not use tol" in answer["msg"]


def test_tests_that_fail_anyhow_and_a_registry_that_fails_are_told_apart(app: App) -> None:
    app.seed("throw new Error('no database')")
    answer = app.update(commands=TEST)
    expected = "Nothing was offered: 'node test.js' fails without the update as well"
    assert verdict(answer) == ("critical", expected)

    app.registry.failures = {"/router/-/router-1.1.0.tgz": 500}
    # npm has had this package for another test: it would not ask the registry.
    cache = app.path.parent / "empty"
    answer = app.update(commands=[f"npm ci --no-audit --fetch-retries=0 --cache={cache}"])
    assert answer["failed"]
    assert "because of the host or the registry" in verdict(answer)[1]

    answer = app.update(registry="http://127.0.0.1:1/")
    assert answer["failed"]
    assert "npm reports ECONNREFUSED" in answer["msg"]
    assert list(app.place.glob("*.patch")) == []


def test_only_packages_with_known_vulnerabilities(app: App) -> None:
    app.seed()
    assert verdict(app.update(vulnerable=True, check=True)) == (
        "ok",
        "No package with known vulnerabilities can be updated within the ranges of package.json",
    )
    app.registry.advisories = {"parser": [advisory("GHSA-pppp", "high", "<1.1.0", "Injection")]}
    answer = app.update(vulnerable=True, commands=TEST)
    assert "the update of 1 package: parser 1.0.0 → 1.1.0" in verdict(answer)[1]


def repository_of(app: App) -> Path:
    """The app's repository; the app itself becomes a release of its commit."""
    origin = app.path.parent / "origin.git"
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "."],
        [*who, "commit", "--quiet", "-m", "one"],
        ["clone", "--quiet", "--bare", ".", str(origin)],
    ):
        subprocess.run(["git", *command], cwd=app.path, check=True)
    commit = git(app.path, "rev-parse", "HEAD")
    subprocess.run(["rm", "-rf", app.path / ".git"], check=True)
    (app.path / "REVISION").write_text(f"{commit}\n")
    return origin


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode().strip()


def test_a_branch_of_the_repository(app: App) -> None:
    app.seed()
    origin = repository_of(app)
    (app.path / "test.js").write_text("process.exit(1)")  # changed by hand: the commit counts
    given = {"repository": str(origin), "offer": "branch", "commands": TEST}
    refuse = origin / "hooks" / "pre-receive"
    refuse.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    refuse.chmod(0o755)
    answer = app.update(**given)
    assert answer["failed"]
    assert actions(answer) == [("npm.update", "done"), ("npm.offer", "failed")]
    assert "protected" in answer["msg"]
    assert Path(answer["patch"]).exists()
    assert (answer["version"], answer["ready"]) == ("", False)

    refuse.unlink()
    answer = app.update(**given)
    assert (answer["changed"], answer["ready"]) == (True, True)
    branch = answer["version"]
    assert git(origin, "diff", "--name-only", "main", branch) == "package-lock.json"
    assert git(origin, "rev-parse", f"{branch}^") == git(origin, "rev-parse", "main")
    assert ALL in git(origin, "log", "-1", "--format=%s", branch)
    (app.place / "repository.git" / "HEAD").unlink()  # as a kill can leave it
    again = app.update(**given)
    assert (again["changed"], again["version"], again["ready"]) == (False, branch, True)
    assert "does not have v9" in app.update(version="v9", **given)["msg"]


def test_what_nothing_has_tested_is_not_ready(app: App) -> None:
    app.seed()
    answer = app.update(commands=[], repository=str(repository_of(app)), offer="branch")
    assert (verdict(answer)[0], answer["ready"]) == ("warning", False)
    assert "package.json has no script 'test'" in verdict(answer)[1]
    assert answer["actions"][0]["reason"] == "installed in a copy; nothing has tested it"


def test_no_secret_and_no_way_to_the_live_app(app: App) -> None:
    app.seed()
    (app.path / ".env").write_text("DATABASE_URL=live")
    steps = ["test ! -e .env", 'test -z "$REDIS_URL"', "printenv DATABASE_URL PIN; exit 1"]
    environment = {"DATABASE_URL": "postgresql://test/geheimes", "PIN": "77"}
    options = app.update_options(commands=steps, environment=environment, find_cause=False)
    answer = app.run_module("npm_update", options, env={"REDIS_URL": "redis://live"})
    assert "'printenv DATABASE_URL PIN; exit 1' fails without the update as well" in answer["msg"]
    assert "geheimes" not in json.dumps(answer)
    assert answer["invocation"]["module_args"]["environment"]["PIN"] != "77"


def test_a_wrong_option_does_not_show_the_password_of_the_repository(app: App) -> None:
    repository = "https://deploy:geheimes@git.example.test/app.git"
    answer = app.update(repository=repository, only=["no name"])
    assert "is not the name of a package" in answer["msg"]
    assert "geheimes" not in json.dumps(answer)


def test_a_changed_app_is_tried_again(app: App) -> None:
    app.seed()
    first = app.update()
    (app.path / "test.js").write_text("throw new Error('changed')")
    answer = app.update()
    assert verdict(answer)[0] == "critical", "what was proven before is another app"
    assert Path(first["patch"]).exists()


def test_a_folder_with_other_files_is_left_as_it_is(app: App) -> None:
    app.seed()
    other = app.path.parent / "home"
    (other / "work").mkdir(parents=True)
    (other / "work" / "thesis").write_text("mine")
    for check in (True, False):
        answer = app.update(dest=str(other), check=check)
        assert "dest: " in answer["msg"]
        assert (other / "work" / "thesis").read_text() == "mine"
    assert "must be outside" in app.update(dest=str(app.path / "updates"))["msg"]
