"""A deployment on several app servers: one first, and the rest only after it is proven."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conftest import RunModule
from tests.support.checkouts import SERVER, Checkout
from tests.support.plays import playbooks_in
from tests.support.pm2 import own_pm2

#: Works everywhere but on one host.
SOMETIMES = SERVER.replace(
    "  response.end(", "  response.statusCode = process.env.FAILS ? 500 : 200;\n  response.end("
)


def variables(app: Checkout) -> dict[str, Any]:
    """What the inventory says about a host."""
    settings = {f"app_release_{name}": value for name, value in app.settings.items()}
    return {"app_name": app.name, "app_pm2_home": str(app.pm2.home), **settings}


def test_the_second_host_fails(run_module: RunModule, tmp_path: Path) -> None:
    with own_pm2() as pm2:
        apps = {
            name: Checkout(pm2, run_module, name, 1, **env)
            for name, env in (("app1", {}), ("app2", {"FAILS": "yes"}), ("app3", {}))
        }
        for app in apps.values():
            app.commit("1.2.0", server=SOMETIMES)
        run = playbooks_in(tmp_path)(
            [{"import_playbook": "gpt_agent.runbook.deploy"}],
            {name: variables(app) for name, app in apps.items()},
            *("-e", json.dumps({"runbook_hosts": "all", "deploy_version": "v1.2.0"})),
            *("-e", json.dumps({"runbook_report_dir": str(tmp_path / "reports")})),
        )
        served = {name: app.version for name, app in apps.items()}
        adopted = apps["app3"].path.is_symlink()
    assert run.code == 2, run.output
    assert served == {"app1": "v1.2.0", "app2": "v1.1.0", "app3": "v1.1.0"}
    assert not adopted, "the third host was not touched"
    actions: dict[str, list[tuple[str, str]]] = {name: [] for name in apps}
    for action in run.report["actions"]:
        name = action["name"].removeprefix("release.")
        actions[action["host"]].append((name, action["status"]))
    steps = ["adopt", "build", "trial", "switch"]
    assert actions["app1"] == [(step, "done") for step in steps]
    ends = ["done", "done", "failed", "skipped"]
    assert actions["app2"] == list(zip(steps, ends, strict=True))
    assert actions["app3"] == [("switch", "skipped")]
    assert "left unchanged: it failed on app2" in " ".join(run.output.split())
