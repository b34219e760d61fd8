"""pm2_health on daemons that do not answer, its options, and that it changes nothing."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.daemon import other_daemons
from demo.processes import wait_until
from tests.conftest import ROOT, RunModule, by_name
from tests.support.pm2 import SECRET, Health, Pm2, own_pm2


def test_no_daemon_is_running_and_none_is_started(health: Health, tmp_path: Path) -> None:
    process = by_name(health(tmp_path, "gpt-agent"), "app.process")
    assert process["status"] == "critical"
    assert (
        f"PM2 is not running, so nothing restarts the app: there is no socket {tmp_path}/rpc.sock"
        in process["summary"]
    )
    assert "pm2 resurrect" in process["remedy"]
    assert list(tmp_path.iterdir()) == []


def refuses(path: Path) -> bool:
    """Whether nothing listens on a socket any more."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == errno.ECONNREFUSED


def test_a_daemon_that_was_killed_leaves_a_socket_behind(apps: Pm2, health: Health) -> None:
    with own_pm2() as own:
        own.cli("ping")
        os.kill(own.daemon, signal.SIGKILL)
        assert wait_until(lambda: refuses(own.home / "rpc.sock"), 30), "the daemon is still alive"
        answer = health(own.home)
        assert [check["name"] for check in answer["checks"]] == ["app.process"]
        process = by_name(answer, "app.process")
        assert process["status"] == "critical"
        assert "a dead daemon left it behind" in process["summary"]
        assert "; PM2 is running in /" in process["summary"]
        assert str(apps.home) in dict(other_daemons(str(own.home)))
        (own.home / "rpc.sock").unlink()


def test_a_suspended_daemon_resumes_as_the_remedy_says(health: Health) -> None:
    with own_pm2() as own:
        own.start({"name": "app", "time": True})
        os.kill(own.daemon, signal.SIGSTOP)
        process = by_name(health(own.home, "app"), "app.process")
        assert process["status"] == "critical"
        assert process["summary"] == (
            f"PM2's daemon in {own.home}, process {own.daemon}, is suspended by a signal and does "
            "not answer"
        )
        assert process["remedy"].startswith(f"Resume it with 'kill -CONT {own.daemon}'")
        os.kill(own.daemon, signal.SIGCONT)
        assert by_name(health(own.home, "app"), "app.process")["status"] == "ok"


def test_a_daemon_that_hangs_is_bounded_by_the_timeout(health: Health) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="pm2-") as home,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        listener.bind(f"{home}/rpc.sock")
        listener.listen(1)
        began = time.monotonic()
        process = by_name(health(Path(home), "app", timeout=1), "app.process")
        assert time.monotonic() - began < 10
    assert process["status"] == "critical"
    assert "did not answer within 1 s" in process["summary"]


def test_the_daemon_of_another_user_is_unknown_with_a_remedy(apps: Pm2) -> None:
    """As root, by becoming another user once everything is imported; as an ordinary user, by
    closing the user's own socket."""
    become = "os.setgroups([]); os.setgid(65534); os.setuid(65534); " if os.geteuid() == 0 else ""
    code = f"""
import importlib, os, pkgutil
from ansible.module_utils._internal._json import _profiles
for profile in pkgutil.iter_modules(_profiles.__path__):
    importlib.import_module(f"{{_profiles.__name__}}.{{profile.name}}")
from ansible_collections.gpt_agent.runbook.plugins.modules import pm2_health
{become}pm2_health.main()
"""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"pm2_home": str(apps.home), "app": ["web"]}})
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
    sock, folder = apps.home / "rpc.sock", apps.folder
    mode = sock.stat().st_mode & 0o777
    os.chmod(folder, 0o755)
    os.chmod(sock, 0o600 if become else 0)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=arguments,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    finally:
        os.chmod(sock, mode)
        os.chmod(folder, 0o700)
    answer = json.loads(done.stdout)
    (process,) = answer["checks"]
    assert (process["name"], process["status"]) == ("app.process", "unknown")
    assert f"lacks permission to connect to {sock}, which belongs to user " in process["summary"]
    assert "app_user" in process["remedy"]
    assert SECRET not in done.stdout + done.stderr


def test_the_home_comes_from_the_option_then_the_environment(
    apps: Pm2, run_module: RunModule, tmp_path: Path
) -> None:
    found = run_module(
        "pm2_health", {"app": ["web"], "state_dir": str(tmp_path)}, env={"PM2_HOME": str(apps.home)}
    )
    assert by_name(found, "app.process")["status"] == "ok"
    found = run_module(
        "pm2_health", {"app": ["web"], "pm2_home": str(tmp_path)}, env={"PM2_HOME": str(apps.home)}
    )
    assert str(tmp_path) in by_name(found, "app.process")["summary"]
    found = run_module("pm2_health", {"app": ["web"]}, env={"PM2_HOME": "", "HOME": str(tmp_path)})
    assert f"{tmp_path}/.pm2" in by_name(found, "app.process")["summary"]


def test_a_usage_error_is_one_sentence(apps: Pm2, run_module: RunModule) -> None:
    answer = run_module(
        "pm2_health", {"pm2_home": str(apps.home), "thresholds": {"app.error": {"warning": 1}}}
    )
    assert answer["failed"]
    assert answer["msg"] == "thresholds: there is no check 'app.error'; did you mean 'app.errors'?"


def test_the_probe_leaves_the_daemon_as_it_was(apps: Pm2, health: Health) -> None:
    def state() -> list[tuple[Any, ...]]:
        listed = json.loads(apps.cli("jlist", "--silent"))
        return [
            (row["name"], row["pm_id"], row["pm2_env"]["status"])
            for row in listed
            if row["name"] != "backoff"
        ]

    before, daemon = state(), apps.daemon
    health(apps.home)
    assert (state(), apps.daemon) == (before, daemon)
