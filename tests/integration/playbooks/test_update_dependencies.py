"""The update of the dependencies as operators start it."""

from __future__ import annotations

import json
from pathlib import Path

from demo.stack import Stack
from tests.support.npm_registry import registry
from tests.support.playbooks import run_playbook


def test_the_packages_of_the_demo_app(stack: Stack, tmp_path: Path) -> None:
    stack.up()
    lock = json.loads(Path(stack.settings["app"]["current"], "package-lock.json").read_text())
    with registry() as served:
        for path, entry in lock["packages"].items():
            if path:
                name = path.removeprefix("node_modules/")
                needs = entry.get("dependencies", {}) | entry.get("optionalDependencies", {})
                served.packages[name] = {entry["version"]: needs}
        served.packages["ms"]["2.9.9"] = {}
        given = {
            "app_update_registry": served.url,
            "app_update_commands": ["test -f package.json"],
            "app_update_free_disk": 0,
        }
        run = run_playbook(stack, tmp_path, "update_dependencies", **given)
    (check,) = run.report["checks"]
    assert (run.code, check["status"]) == (0, "ok"), check
    assert "the update of 1 package: ms 2.1.3 → 2.9.9" in check["summary"]
    done = [(action["name"], action["status"]) for action in run.report["actions"]]
    assert done == [("npm.update", "done"), ("npm.offer", "done")]
    (patch,) = tmp_path.rglob("update_dependencies/*.patch")
    assert '+      "version": "2.9.9"' in patch.read_text()
