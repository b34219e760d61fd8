# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of an app that runs under the PM2 of an ordinary user, and a PM2 that systemd starts
after a reboot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testinfra.host import Host

FOLDER = "/srv/gpt-agent"
HOME = "/home/deploy/.pm2"
SHORT = ("-e", "app_release_trial_for=1", "-e", "app_release_bake=1")
CONFIRMED = (*SHORT, "-e", "runbook_confirm=gpt-agent")


def version(app: Host) -> str:
    """What nginx' clients are served by, the same from every instance."""
    found = {
        json.loads(app.check_output("curl --silent --fail https://app.staging.test/api/health"))[
            "version"
        ]
        for _ in range(6)
    }
    assert len(found) == 1, found
    return str(found.pop())


def done(run: Any) -> list[tuple[str, str]]:
    return [(action["name"], action["status"]) for action in run.report["actions"]]


@pytest.fixture
def broken(app: Host) -> Iterator[str]:
    """A release that ends at once."""
    folder = f"{FOLDER}/releases/v1.2.0"
    app.check_output(f"runuser -u deploy -- cp -r {FOLDER}/releases/v1.1.0 {folder}")
    app.check_output(f"echo 'process.exit(3);' > {folder}/server.js")
    yield "v1.2.0"
    app.check_output(f"rm -r {folder}")


def test_back_and_forth(app: Host, playbook: Callable[..., Any], broken: str) -> None:
    plan = playbook("emergency_rollback", *SHORT, "-e", "rollback_to=v1.0.0")
    assert (plan.code, version(app)) == (0, "1.1.0"), plan.output
    back = playbook("emergency_rollback", *CONFIRMED, "-e", "rollback_to=v1.0.0")
    assert (back.code, version(app)) == (0, "1.0.0"), back.output
    assert done(back) == [("release.trial", "done"), ("release.switch", "done")]
    (outage,) = [one for one in back.report["checks"] if one["name"] == "release.outage"]
    assert outage["status"] == "ok", outage
    forth = playbook("deploy", *SHORT, "-e", "deploy_version=v1.1.0")
    assert (forth.code, version(app)) == (0, "1.1.0"), forth.output
    failed = playbook("deploy", *SHORT, "-e", f"deploy_version={broken}")
    assert (failed.code, version(app)) == (2, "1.1.0"), failed.output
    assert done(failed) == [("release.trial", "failed"), ("release.switch", "skipped")]
    assert app.check_output(f"find {FOLDER} {HOME} ! -user deploy -print") == ""


@pytest.fixture
def no_unit(app: Host) -> Iterator[None]:
    """Nothing starts PM2 at boot; afterwards the platform's own unit does so again."""
    app.check_output("systemctl disable --quiet --now gpt-agent")
    yield
    app.run("systemctl disable --quiet --now pm2-deploy")
    app.check_output(
        f"rm -f /etc/systemd/system/pm2-deploy.service {HOME}/dump.pm2 {HOME}/dump.pm2.bak"
    )
    app.check_output("systemctl daemon-reload")
    app.check_output("systemctl enable --quiet --now gpt-agent")


def test_the_app_comes_back_after_a_reboot(
    app: Host, module: Callable[..., dict[str, Any]], reboot: Callable[[str], None], no_unit: None
) -> None:
    given = {
        "name": "gpt-agent",
        "state": "present",
        "pm2_home": HOME,
        "config": f"{FOLDER}/shared/ecosystem.config.js",
        "pm2_executable": "/usr/local/bin/pm2",
        "stable_for": 1,
    }
    present = module("app", "deploy", "pm2_process", {**given, "save": True})
    assert present["proven"], present
    booted = module("app", "root", "pm2_process", {**given, "boot": True})
    assert [action["name"] for action in booted["actions"]] == ["pm2.boot"], booted
    assert booted["proven"], booted
    again = module("app", "root", "pm2_process", {**given, "boot": True})
    assert (again["changed"], again["proven"]) == (False, True), again
    assert app.check_output(f"find {HOME} ! -user deploy -print") == "", "root left files"
    reboot("app")
    # This PM2 was not told of the private CA, so the app answers without its database.
    assert version(app) == "1.1.0"
    command = f"runuser -u deploy -- env PM2_HOME={HOME} pm2 jlist --silent"
    processes = json.loads(app.check_output(command))
    assert [process["pm2_env"]["status"] for process in processes] == ["online", "online"]
    for process in processes:
        assert app.check_output("ps -o user= -p %s", str(process["pid"])) == "deploy"
        assert "pm2-deploy.service" in app.file(f"/proc/{process['pid']}/cgroup").content_string
    after = module("app", "deploy", "pm2_process", given)
    assert (after["changed"], after["proven"], after["dump_problem"]) == (False, True, ""), after
