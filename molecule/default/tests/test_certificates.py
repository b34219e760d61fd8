# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates are renewed by Debian's certbot at pebble, and nginx serves them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testinfra.host import Host

NAME = "app.staging.test"
FOLDER = "/etc/letsencrypt"
HOOK = f"{FOLDER}/renewal-hooks/deploy/gpt-agent-runbook"
BROKEN = "/etc/nginx/conf.d/broken.conf"
NOW = {
    "endpoints": [{"host": NAME}],
    "names": [NAME],
    "force": True,
    "ca_file": "/etc/ssl/certs/ca-certificates.crt",
}
Module = Callable[..., dict[str, Any]]


def done(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["name"].partition(".")[2], action["status"]) for action in found["actions"]]


@pytest.fixture
def broken(app: Host) -> Iterator[None]:
    """Someone edits nginx's configuration, and has not finished."""
    app.check_output(f"echo 'gzip on' > {BROKEN}")
    yield
    app.check_output(f"rm -f {BROKEN}")


def test_nothing_is_due(app: Host, playbook: Callable[..., Any]) -> None:
    app.check_output(f"rm -f {HOOK}")
    plan = playbook("renew_certificates", "--check")
    assert (plan.code, plan.bad, done(plan.report)) == (0, set(), [("install_hook", "planned")])
    assert not app.file(HOOK).exists
    first = playbook("renew_certificates")
    assert (first.code, first.bad, done(first.report)) == (0, set(), [("install_hook", "done")])
    checks = {check["name"]: check for check in first.report["checks"]}
    assert checks["certificate.renewal_timer"]["summary"] == "certbot runs by certbot.timer"
    assert checks["certificate.renewal"]["summary"].startswith("due on ")
    assert app.file(HOOK).mode == 0o755


def test_renewed_and_served_without_a_failed_request(
    module: Module, certificate: Any, probe: Callable[[], str]
) -> None:
    before = certificate.served()
    found = module("app", "root", "cert_renewal", NOW)
    assert ("renew", "done") in done(found), found
    assert (found["renewed"], found.get("msg")) == ([NAME], None)
    assert certificate.served() == certificate.on_disk() != before
    assert probe() == ""
    again = module("app", "root", "cert_renewal", {**NOW, "force": False})
    assert (again["changed"], again["actions"]) == (False, [])


def test_a_configuration_that_someone_broke(
    app: Host, module: Module, certificate: Any, broken: None
) -> None:
    before = certificate.served()
    found = module("app", "root", "cert_renewal", NOW)
    assert ("reload", "failed") in done(found), found
    assert f"in {BROKEN}:2" in found["msg"]
    assert certificate.served() == before != certificate.on_disk()
    app.check_output(f"rm {BROKEN}")
    repaired = module("app", "root", "cert_renewal", {**NOW, "force": False})
    assert done(repaired) == [("reload", "done")], repaired
    assert certificate.served() == certificate.on_disk()


def test_the_timer_is_off(app: Host, module: Module) -> None:
    app.check_output("systemctl stop certbot.timer")
    try:
        found = module("app", "root", "cert_renewal", {"dry_run": True, "names": [NAME]})
    finally:
        app.check_output("systemctl start certbot.timer")
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["certificate.renewal_timer"]["status"] == "warning"
    assert "certbot.timer is inactive" in checks["certificate.renewal_timer"]["summary"]
    assert checks["certificate.rehearsal"]["status"] == "ok", found
