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
        given = {"app_update_registry": served.url, "app_update_free_disk": 0}
        current = run_playbook(stack, tmp_path, "update_dependencies", **given)
        served.packages["ms"]["2.9.9"] = {}
        plan = run_playbook(stack, tmp_path, "update_dependencies", "--check", **given)
    (check,) = current.report["checks"]
    assert (current.code, check["status"]) == (0, "ok"), check
    assert check["summary"].startswith("No package can be updated")
    (check,) = plan.report["checks"]
    assert (plan.code, check["status"]) == (0, "ok"), check
    assert "1 package: ms 2.1.3 → 2.9.9" in check["summary"]
    (action,) = plan.report["actions"]
    assert (action["name"], action["status"]) == ("npm.update", "planned")
