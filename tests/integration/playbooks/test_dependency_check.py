"""The check of the dependencies as operators start it."""

from __future__ import annotations

from pathlib import Path

from demo.stack import Stack
from tests.support.npm_registry import advisory, registry
from tests.support.playbooks import run_playbook


def test_the_packages_of_the_demo_app(stack: Stack, tmp_path: Path) -> None:
    stack.up()
    with registry() as served:
        served.packages = {"pg": {"8.23.1": {}}, "ioredis": {"6.0.0": {}, "7.0.0": {}}}
        given = {"app_dependencies_registry": served.url}
        healthy = run_playbook(stack, tmp_path, "dependency_check", **given)
        served.advisories = {"pg": [advisory("GHSA-pppp", "critical", "<9", "Injection")]}
        vulnerable = run_playbook(stack, tmp_path, "dependency_check", **given)
    assert healthy.code == 0
    assert {check["status"] for check in healthy.report["checks"]} == {"ok"}
    assert vulnerable.code == 2
    (check,) = [one for one in vulnerable.report["checks"] if one["status"] == "critical"]
    assert check["name"] == "npm.critical_vulnerabilities"
    assert check["summary"].endswith("of severity critical: pg")
