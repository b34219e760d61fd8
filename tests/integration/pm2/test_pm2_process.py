"""pm2_process against real daemons: the demo stack's under load, and PM2s of the tests' own for every way in which an app does not come back."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from demo.services import fetch
from demo.stack import Stack
from tests.conftest import RunModule, by_name, start_module
from tests.support.pm2 import SECRET, Pm2, own_pm2

Restart = Callable[..., dict[str, Any]]

STABLE = 0.6


@pytest.fixture(scope="module")
def daemon() -> Iterator[Pm2]:
    with own_pm2() as own:
        yield own


@pytest.fixture
def pm2(daemon: Pm2) -> Iterator[Pm2]:
    """A PM2 with no app in it."""
    yield daemon
    for name in ("fail", "never"):
        (daemon.folder / name).unlink(missing_ok=True)
    if daemon.everything():
        daemon.cli("delete", "all")


@pytest.fixture
def restart(pm2: Pm2, run_module: RunModule) -> Restart:
    """Run the module; nothing that it says may hold the secret of the apps' environment."""

    def run(name: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {
            "pm2_home": str(pm2.home),
            "name": name,
            "state": "restarted",
            "stable_for": STABLE,
            "_ansible_diff": True,
            **options,
        }
        answer = run_module("pm2_process", given, check=check)
        assert SECRET not in json.dumps(answer)
        assert "warnings" not in answer, answer
        return answer

    return run


def pids(pm2: Pm2, name: str) -> dict[int, int]:
    return {row["pm_id"]: row["pid"] for row in pm2.rows(name)}


def told(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (action["subject"].rpartition(" ")[2], action["status"]) for action in answer["actions"]
    ]


def test_the_demo_app_serves_while_it_is_restarted(stack: Stack, run_module: RunModule) -> None:
    app, home = stack.settings["app"], stack.settings["pm2"]["home"]
    failures: list[str] = []
    enough, over = 0, threading.Event()

    def ask() -> None:
        nonlocal enough
        while not over.is_set():
            status, said = fetch(f"http://127.0.0.1:{app['port']}/api/health/db")
            enough += 1
            if status != 200:
                failures.append(f"{status} {said}")
            time.sleep(0.02)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        answer = run_module(
            "pm2_process",
            {"pm2_home": home, "name": app["name"], "state": "restarted", "stable_for": 2},
        )
    finally:
        over.set()
        asking.join()
    assert told(answer) == [("0", "done"), ("1", "done")]
    assert by_name(answer, "app.process")["summary"].startswith(
        "2 of 2 instances of gpt-agent online"
    )
    assert enough > 50
    assert not failures, failures


def test_the_plan_is_what_is_done(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web", "exec_mode": "cluster", "instances": 3})
    before = pids(pm2, "web")
    plan = restart("web", check=True)
    assert pids(pm2, "web") == before
    assert told(plan) == [("0", "planned"), ("1", "planned"), ("2", "planned")]
    assert plan["changed"] is True
    assert by_name(plan, "app.process")["status"] == "ok"
    done = restart("web")
    after = pids(pm2, "web")
    assert set(before) == set(after)
    assert not set(before.values()) & set(after.values())
    assert told(done) == [("0", "done"), ("1", "done"), ("2", "done")]
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


def test_the_only_instance_is_said_to_be_the_only_one(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web"})
    assert restart("web", check=True)["actions"][0]["reason"].endswith(
        "nothing else serves until it is back"
    )
    assert told(restart("web")) == [("0", "done")]


@pytest.mark.parametrize("mode", ["fork", "cluster"])
def test_an_app_that_does_not_start_any_more_keeps_its_other_instances(
    pm2: Pm2, restart: Restart, mode: str
) -> None:
    pm2.run(
        {"name": "web", "exec_mode": mode, "instances": 3, "max_restarts": 2, "min_uptime": 20000}
    )
    before = pids(pm2, "web")
    (pm2.folder / "fail").write_text(f"Error: cannot read the configuration, password={SECRET}")
    answer = restart("web")
    assert answer["failed"] is True
    assert told(answer) == [("0", "failed"), ("1", "skipped"), ("2", "skipped")]
    assert answer["actions"][1]["reason"] == "left as it was: web id 0 did not come back"
    assert answer["msg"].startswith(
        "0 of 3 instances restarted, 2 left as they were. web id 0: it "
    )
    assert (
        "its error log ends with 'Error: cannot read the configuration, password=***'"
        in answer["msg"]
    )
    after = pids(pm2, "web")
    assert {n: after[n] for n in (1, 2)} == {n: before[n] for n in (1, 2)}, "they still serve"
    assert by_name(answer, "app.process")["status"] == "critical"
    pm2.wait("web", lambda rows: rows[0]["pm2_env"]["status"] == "errored")
    (pm2.folder / "fail").unlink()
    plan = restart("web", state="started", check=True)
    assert told(plan) == [("0", "planned")]
    assert plan["actions"][0]["reason"].startswith("it is errored, PM2 gave up restarting it")
    assert told(restart("web", state="started")) == [("0", "done")]
    again = restart("web", state="started")
    assert (again["changed"], again["actions"]) == (False, [])
    assert by_name(again, "app.process")["status"] == "ok"
    assert {n: pids(pm2, "web")[n] for n in (1, 2)} == {n: before[n] for n in (1, 2)}


def test_what_is_down_comes_first(pm2: Pm2, restart: Restart) -> None:
    pm2.run({"name": "web", "instances": 3})
    pm2.cli("stop", "2")
    before = pids(pm2, "web")
    (pm2.folder / "fail").write_text("it is broken")
    answer = restart("web")
    assert told(answer) == [("2", "failed"), ("0", "skipped"), ("1", "skipped")]
    assert {n: pids(pm2, "web")[n] for n in (0, 1)} == {n: before[n] for n in (0, 1)}
    (pm2.folder / "fail").unlink()
    assert sorted(told(restart("web"))) == [("0", "done"), ("1", "done"), ("2", "done")]


def test_an_app_that_dies_a_while_after_its_start(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web", "instances": 2, "env": {"LIFE": "2500"}})
    before = pids(pm2, "web")
    answer = restart("web", stable_for=4)
    assert told(answer) == [("0", "failed"), ("1", "skipped")], before
    assert "it exited again soon after its start" in answer["msg"]


def test_an_app_that_never_says_that_it_is_ready(pm2: Pm2, restart: Restart) -> None:
    pm2.start(
        {
            "name": "web",
            "exec_mode": "cluster",
            "instances": 2,
            "wait_ready": True,
            "listen_timeout": 1500,
            "env": {"SLOW": "100"},
        }
    )
    assert told(restart("web")) == [("0", "done"), ("1", "done")]
    before = pids(pm2, "web")
    (pm2.folder / "never").touch()
    answer = restart("web")
    assert told(answer) == [("0", "failed"), ("1", "skipped")]
    assert (
        "it did not say that it is ready within its listen_timeout of 1.5 s, and PM2 takes it for online all the same"
        in answer["msg"]
    )
    assert pids(pm2, "web")[1] == before[1]
    assert {row["pm2_env"]["status"] for row in pm2.rows("web")} == {"online"}, (
        "which is why PM2's own word is not enough"
    )


def test_an_app_that_is_deaf_to_its_signal_is_killed(pm2: Pm2, restart: Restart) -> None:
    pm2.run({"name": "web", "kill_timeout": 700, "env": {"DEAF": "1"}})
    before = pids(pm2, "web")
    answer = restart("web")
    assert told(answer) == [("0", "done")]
    assert answer["actions"][0]["seconds"] > 0.7 + STABLE
    assert before != pids(pm2, "web")


def test_an_instance_that_waits_for_its_next_try_is_started_once(
    pm2: Pm2, restart: Restart
) -> None:
    pm2.start({"name": "web", "exp_backoff_restart_delay": 5000, "env": {"LIFE": "1500"}})
    (pm2.folder / "fail").write_text("not yet")
    pm2.wait("web", lambda rows: rows[0]["pm2_env"]["status"] == "waiting restart")
    (pm2.folder / "fail").unlink()
    pm2.start({"name": "other"})
    answer = restart("web", check=True)
    assert answer["actions"][0]["reason"].startswith("it has exited and waits to be restarted")
    restart("web", stable_for=0)
    children = [pid for pid in os.listdir("/proc") if pid.isdigit() and is_app(pm2, pid)]
    assert len(children) == 2, "web and other, each once"


def is_app(pm2: Pm2, pid: str) -> bool:
    try:
        return (
            str(pm2.folder / "app.js")
            in (Path("/proc") / pid / "environ")
            .read_bytes()
            .decode(errors="replace")
            .split("pm_exec_path=")[-1]
            .split("\0")[0]
        )
    except OSError:
        return False


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
    assert answer["msg"].startswith(
        "Nothing was restarted: wbe is not in PM2's list, it holds web. Start it from its ecosystem file"
    )
    assert restart("wbe", check=True)["msg"] == answer["msg"]


def test_no_daemon_is_started(restart: Restart, tmp_path: Path) -> None:
    answer = restart("web", pm2_home=str(tmp_path))
    assert answer["msg"].startswith("Nothing was restarted: PM2 is not running")
    assert list(tmp_path.iterdir()) == []
    assert restart("web", pm2_home=str(tmp_path / "absent"))["msg"].startswith(
        "Nothing was restarted: PM2 is not running"
    )


def test_two_runs_at_once(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web"}, {"name": "other"})
    first = start_module(
        "pm2_process",
        {"pm2_home": str(pm2.home), "name": "web", "state": "restarted", "stable_for": 4},
    )
    try:
        pm2.wait("web", lambda rows: rows[0]["pm2_env"]["restart_time"] == 1)
        answer = restart("other")
        assert answer["msg"].startswith(
            f"Nothing was restarted: another run, process {first.pid} is restarting apps of the PM2 in {pm2.home}. Wait"
        )
        assert pm2.rows("other")[0]["pm2_env"]["restart_time"] == 0
    finally:
        assert told(json.loads(first.communicate(timeout=30)[0])) == [("0", "done")]
    assert told(restart("other")) == [("1", "done")]


def test_a_reload_by_hand_is_not_disturbed(pm2: Pm2, restart: Restart) -> None:
    pm2.start(
        {
            "name": "web",
            "exec_mode": "cluster",
            "instances": 2,
            "wait_ready": True,
            "listen_timeout": 9000,
            "env": {"SLOW": "3000"},
        }
    )
    reload = threading.Thread(target=pm2.cli, args=("reload", "web"))
    reload.start()
    try:
        lock = pm2.home / "reload.lock"
        until = time.monotonic() + 10
        while not (lock.exists() and lock.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.5)
        answer = restart("web")
        assert answer["msg"].startswith(
            "Nothing was restarted: somebody else is restarting web: "
        ), answer
        assert "a 'pm2 reload' was begun" in answer["msg"]
    finally:
        reload.join()
    assert told(restart("web", stable_for=0, check=True)) == [("0", "planned"), ("1", "planned")]
    assert by_name(restart("web", stable_for=0, check=True), "app.process")["value"] == 2


def test_killed_half_way(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web", "instances": 2})
    first = start_module(
        "pm2_process",
        {"pm2_home": str(pm2.home), "name": "web", "state": "restarted", "stable_for": 20},
    )
    try:
        pm2.wait("web", lambda rows: rows[0]["pm2_env"]["restart_time"] == 1)
    finally:
        first.kill()
        first.communicate()
    assert by_name(restart("web", check=True), "app.process")["value"] == 2
    assert told(restart("web")) == [("0", "done"), ("1", "done")]


def test_a_daemon_that_dies_in_the_middle(restart: Restart, run_module: RunModule) -> None:
    with own_pm2() as own:
        own.start({"name": "web", "instances": 2})
        running = [row["pid"] for row in own.rows("web")]
        given = {"pm2_home": str(own.home), "name": "web", "state": "restarted", "stable_for": 20}
        first = start_module("pm2_process", given)
        own.wait("web", lambda rows: rows[0]["pm2_env"]["restart_time"] == 1)
        last = [row["pid"] for row in own.rows("web")]
        os.kill(own.daemon, signal.SIGKILL)
        answer = json.loads(first.communicate(timeout=60)[0])
        for pid in {*running, *last}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert told(answer) == [("0", "failed"), ("1", "skipped")]
    assert "whether it is back is not known" in answer["msg"]
    assert by_name(answer, "app.process")["summary"].startswith(
        "PM2 is not running, so nothing restarts the app"
    )


def test_a_frozen_daemon(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web"})
    os.kill(pm2.daemon, signal.SIGSTOP)
    try:
        answer = restart("web", timeout=2)
    finally:
        os.kill(pm2.daemon, signal.SIGCONT)
    assert answer["msg"].startswith("Nothing was restarted: PM2's daemon in ")
    assert f"Wake it with 'kill -CONT {pm2.daemon}'" in answer["msg"]


def test_an_app_that_is_removed_meanwhile(pm2: Pm2) -> None:
    pm2.start({"name": "web", "instances": 2})
    first = start_module(
        "pm2_process",
        {"pm2_home": str(pm2.home), "name": "web", "state": "restarted", "stable_for": 20},
    )
    pm2.wait("web", lambda rows: rows[0]["pm2_env"]["restart_time"] == 1)
    pm2.cli("delete", "web")
    answer = json.loads(first.communicate(timeout=60)[0])
    assert told(answer) == [("0", "failed"), ("1", "skipped")]
    # Which of the two depends on the moment at which it looks.
    assert (
        "it is no longer in PM2's list: somebody else has removed it" in answer["msg"]
        or "it is stop" in answer["msg"]
    )
    assert by_name(answer, "app.process")["status"] == "critical"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stable_for": -1}, "stable_for: -1 is not a number of seconds from 0 to 600"),
        ({"timeout": 0}, "timeout: 0 is not a number of seconds above 0 and up to 3600"),
        ({"name": ""}, "name: needs the name of an app in PM2's list"),
    ],
)
def test_misuse_is_one_clear_sentence(
    restart: Restart, options: dict[str, Any], words: str
) -> None:
    for check in (False, True):
        answer = restart(**{"name": "web", **options, "check": check})
        assert (answer["failed"], answer["msg"]) == (True, words)
