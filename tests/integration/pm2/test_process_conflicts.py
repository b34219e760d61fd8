"""pm2_process while someone else is working on the app, or ends the daemon."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import suppress
from typing import Any

from demo.processes import wait_until
from tests.conftest import RunModule, by_name, start_module
from tests.support.pm2 import Pm2, Restart, own_pm2, restarted

#: An app for which PM2 waits until it is ready.
WAITS: dict[str, Any] = {"wait_ready": True, "listen_timeout": 60_000, "env": {"SLOW": "1"}}


def test_two_runs_at_once(pm2: Pm2, restart: Restart) -> None:
    """The first waits for its app to be ready, which is so once there is no file ``never``."""
    pm2.start({"name": "web", **WAITS}, {"name": "other"})
    (pm2.folder / "never").touch()
    first = start_module(
        "pm2_process",
        {"pm2_home": str(pm2.home), "name": "web", "state": "restarted", "stable_for": 0},
    )
    try:
        pm2.wait("web", lambda rows: rows[0]["pm2_env"]["status"] == "launching")
        answer = restart("other")
        assert answer["msg"].startswith(
            f"Nothing was restarted: another run (process {first.pid}) is restarting apps of the "
            f"PM2 in {pm2.home}. Wait"
        )
        assert answer["proven"] is False
        assert pm2.rows("other")[0]["pm2_env"]["restart_time"] == 0
    finally:
        (pm2.folder / "never").unlink()
        assert restarted(json.loads(first.communicate(timeout=60)[0])) == [("0", "done")]
    assert restarted(restart("other")) == [("1", "done")]


def test_a_reload_by_hand_is_not_disturbed(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web", "exec_mode": "cluster", "instances": 2, **WAITS})
    (pm2.folder / "never").touch()
    reload = threading.Thread(target=pm2.cli, args=("reload", "web"))
    reload.start()
    try:
        lock = pm2.home / "reload.lock"
        assert wait_until(lambda: lock.exists() and lock.read_text(), 30)
        answer = restart("web")
        assert answer["msg"].startswith(
            "Nothing was restarted: someone else is restarting web: "
        ), answer
        assert "a 'pm2 reload' began" in answer["msg"]
    finally:
        (pm2.folder / "never").unlink()
        reload.join()
    assert restarted(restart("web", stable_for=0, check=True)) == [
        ("0", "planned"),
        ("1", "planned"),
    ]
    assert by_name(restart("web", stable_for=0, check=True), "app.process")["value"] == 2


def test_killed_half_way(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web", "instances": 2})
    first = start_module(
        "pm2_process",
        {"pm2_home": str(pm2.home), "name": "web", "state": "restarted", "stable_for": 60},
    )
    try:
        pm2.wait("web", lambda rows: rows[0]["pm2_env"]["restart_time"] == 1)
    finally:
        first.kill()
        first.communicate()
    assert by_name(restart("web", check=True), "app.process")["value"] == 2
    assert restarted(restart("web")) == [("0", "done"), ("1", "done")]


def test_a_daemon_that_dies_in_the_middle(restart: Restart, run_module: RunModule) -> None:
    with own_pm2() as own:
        own.start({"name": "web", "instances": 2})
        running = [row["pid"] for row in own.rows("web")]
        given = {"pm2_home": str(own.home), "name": "web", "state": "restarted", "stable_for": 60}
        first = start_module("pm2_process", given)
        own.wait("web", lambda rows: rows[0]["pm2_env"]["restart_time"] == 1)
        last = [row["pid"] for row in own.rows("web")]
        os.kill(own.daemon, signal.SIGKILL)
        answer = json.loads(first.communicate(timeout=60)[0])
        for pid in {*running, *last}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert restarted(answer) == [("0", "failed"), ("1", "skipped")]
    assert "whether it is back is not known" in answer["msg"]
    assert answer["proven"] is False
    assert by_name(answer, "app.process")["summary"].startswith(
        "PM2 is not running, so nothing restarts the app"
    )


def test_a_suspended_daemon(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web"})
    os.kill(pm2.daemon, signal.SIGSTOP)
    try:
        answer = restart("web", timeout=2)
    finally:
        os.kill(pm2.daemon, signal.SIGCONT)
    assert answer["msg"].startswith("Nothing was restarted: PM2's daemon in ")
    assert f"Resume it with 'kill -CONT {pm2.daemon}'" in answer["msg"]


def test_an_app_that_is_removed_meanwhile(pm2: Pm2) -> None:
    pm2.start({"name": "web", "instances": 2})
    first = start_module(
        "pm2_process",
        {"pm2_home": str(pm2.home), "name": "web", "state": "restarted", "stable_for": 60},
    )
    pm2.wait("web", lambda rows: rows[0]["pm2_env"]["restart_time"] == 1)
    pm2.cli("delete", "web")
    answer = json.loads(first.communicate(timeout=60)[0])
    assert restarted(answer) == [("0", "failed"), ("1", "skipped")]
    # Which of the two depends on the moment at which it looks.
    assert (
        "it is no longer in PM2's list: someone else has removed it" in answer["msg"]
        or "it is stop" in answer["msg"]
    )
    assert by_name(answer, "app.process")["status"] == "critical"
