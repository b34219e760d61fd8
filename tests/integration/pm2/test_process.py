"""pm2_process: the plan, the restart of the demo app under load, and usage errors."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from demo.services import fetch
from demo.stack import Stack
from tests.conftest import RunModule, by_name
from tests.support.pm2 import STABLE, Pm2, Restart, pids, restarted


def test_the_demo_app_serves_while_it_is_restarted(stack: Stack, run_module: RunModule) -> None:
    app, home = stack.settings["app"], stack.settings["pm2"]["home"]
    failures: list[str] = []
    requests, finished = 0, threading.Event()

    def send_requests() -> None:
        nonlocal requests
        while not finished.is_set():
            status, body = fetch(f"http://127.0.0.1:{app['port']}/api/health/db")
            requests += 1
            if status != 200:
                failures.append(f"{status} {body}")
            time.sleep(0.02)

    client = threading.Thread(target=send_requests)
    client.start()
    try:
        answer = run_module(
            "pm2_process",
            {"pm2_home": home, "name": app["name"], "state": "restarted", "stable_for": 2},
        )
    finally:
        finished.set()
        client.join()
    assert restarted(answer) == [("0", "done"), ("1", "done")]
    assert by_name(answer, "app.process")["summary"].startswith(
        "2 of 2 instances of gpt-agent online"
    )
    assert answer["proven"] is True
    assert requests > 50
    assert not failures, failures


def test_the_plan_is_what_is_done(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web", "exec_mode": "cluster", "instances": 3})
    before = pids(pm2, "web")
    plan = restart("web", check=True)
    assert pids(pm2, "web") == before
    assert restarted(plan) == [("0", "planned"), ("1", "planned"), ("2", "planned")]
    assert (plan["changed"], plan["proven"]) == (True, False)
    assert by_name(plan, "app.process")["status"] == "ok"
    done = restart("web")
    after = pids(pm2, "web")
    assert set(before) == set(after)
    assert not set(before.values()) & set(after.values())
    assert restarted(done) == [("0", "done"), ("1", "done"), ("2", "done")]
    assert (done["changed"], done["proven"]) == (True, True)
    assert [(action["before"], action["after"]) for action in done["actions"]] == [
        (f"process {before[n]}", f"process {after[n]}") for n in range(3)
    ]
    assert all(action["seconds"] >= STABLE for action in done["actions"])
    assert len(done["diff"]["before"].splitlines()) == 3
    assert done["diff"]["after"] == ""
    starts = sorted(row["pm2_env"]["pm_uptime"] for row in pm2.rows("web"))
    assert min(later - earlier for earlier, later in zip(starts, starts[1:])) >= STABLE * 1000, (
        "one after the other"
    )
    assert {row["pm2_env"]["restart_time"] for row in pm2.rows("web")} == {1}


def test_the_plan_announces_the_outage_of_a_single_instance(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web"})
    assert restart("web", check=True)["actions"][0]["reason"].endswith(
        "the app is down until it is back"
    )
    assert restarted(restart("web")) == [("0", "done")]


def test_an_instance_that_waits_for_its_next_try_is_started_once(
    pm2: Pm2, restart: Restart
) -> None:
    pm2.start({"name": "web", "exp_backoff_restart_delay": 5000, "env": {"LIFE": "1500"}})
    (pm2.folder / "fail").write_text("not yet")
    pm2.wait("web", lambda rows: rows[0]["pm2_env"]["status"] == "waiting restart")
    (pm2.folder / "fail").unlink()
    pm2.start({"name": "other"})
    answer = restart("web", check=True)
    assert answer["actions"][0]["reason"].startswith("it has exited and is waiting to be restarted")
    restart("web", stable_for=0)
    children = [pid for pid in os.listdir("/proc") if pid.isdigit() and is_app(pm2, pid)]
    assert len(children) == 2, "web and other, each once"


def is_app(pm2: Pm2, pid: str) -> bool:
    """Whether a process runs the script of the tests' apps under this PM2."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return str(pm2.folder / "app.js") in environment.split("pm_exec_path=")[-1].split("\0")[0]


def test_a_job_that_waits_for_cron_is_left_alone(pm2: Pm2, restart: Restart) -> None:
    pm2.start(
        {
            "name": "job",
            "autorestart": False,
            "cron_restart": "0 3 * * *",
            "env": {"LIFE": "1", "CODE": "0"},
        }
    )
    pm2.wait("job", lambda rows: rows[0]["pm2_env"]["status"] == "stopped")
    answer = restart("job")
    assert (answer["changed"], answer["actions"]) == (False, [])
    assert answer["proven"] is True, "nothing to restart, and its last run succeeded"


def test_an_app_in_several_namespaces(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "worker", "namespace": "blue"}, {"name": "worker", "namespace": "green"})
    answer = restart("worker")
    assert (
        answer["msg"] == "namespace: worker is in several namespaces, name one of them: blue, green"
    )
    before = pids(pm2, "worker")
    answer = restart("worker", namespace="green")
    assert [action["subject"] for action in answer["actions"]] == ["green/worker id 1"]
    assert pids(pm2, "worker")[0] == before[0]


def test_an_app_that_is_not_in_the_list(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web"})
    answer = restart("wbe")
    assert answer["failed"] is True
    assert answer["proven"] is False
    assert answer["msg"].startswith(
        "Nothing was restarted: wbe is not in PM2's list, which contains web"
    )
    assert restart("wbe", check=True)["msg"] == answer["msg"]


def test_no_daemon_is_started(restart: Restart, tmp_path: Path) -> None:
    answer = restart("web", pm2_home=str(tmp_path))
    assert answer["msg"].startswith("Nothing was restarted: PM2 is not running")
    assert list(tmp_path.iterdir()) == []
    assert restart("web", pm2_home=str(tmp_path / "absent"))["msg"].startswith(
        "Nothing was restarted: PM2 is not running"
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"stable_for": -1}, "stable_for: -1 is not a number of seconds from 0 to 600"),
        ({"timeout": 0}, "timeout: 0 is not a number of seconds above 0 and up to 3600"),
        ({"name": ""}, "name: must be the name of an app in PM2's list"),
    ],
)
def test_a_usage_error_is_one_sentence(
    restart: Restart, options: dict[str, Any], sentence: str
) -> None:
    for check in (False, True):
        answer = restart(**{"name": "web", **options, "check": check})
        assert (answer["failed"], answer["msg"]) == (True, sentence)
        assert "proven" not in answer
