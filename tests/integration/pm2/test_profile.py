"""Profiles of real Node.js processes under PM2, and those that must not be touched."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.profile.inspector import (
    find_target,
)
from tests.conftest import RunModule, start_module
from tests.support.faults import wait_for
from tests.support.pm2 import SECRET, Pm2, own_pm2, pids

#: LOOP computes while there is a file ``spin``, in instance 0 only; DEAF waits outside JavaScript.
#: A file shows that the event loop turns.
APP = """
const fs = require('fs'), spin = `${__dirname}/spin`;
function rank() {
  let sum = 0;
  while (fs.existsSync(spin)) for (let i = 1; i < 1e7; i++) sum += Math.sqrt(i) % 3;
}
const secret = process.env.DATABASE_PASSWORD;
globalThis.kept = Array.from({ length: 1000 }, () => ({ secret }));
const first = (process.env.NODE_APP_INSTANCE ?? '0') === '0';
if (process.env.LOOP && first) setInterval(rank, 50);
setInterval(() => fs.writeFileSync(`${__dirname}/turns-${process.pid}`, ''), 200);
if (process.env.DEAF) {
  setTimeout(() => fs.openSync(`${__dirname}/fifo`), 100);
}
setInterval(() => {}, 1000);
console.log('runs');
"""
#: Any free port: several instances, and several tests, want one at the same time.
ANY_PORT = {"node_args": "--inspect-port=0"}
APPS: list[dict[str, Any]] = [
    {"name": "web", "instances": 2, **ANY_PORT},
    {"name": "one", **ANY_PORT},
    {"name": "loop", "instances": 2, "env": {"LOOP": "1"}, **ANY_PORT},
    {"name": "deaf", "env": {"DEAF": "1"}, **ANY_PORT},
    {"name": "shell", "script": "./app.sh", "interpreter": "bash"},
]

#: Another Node.js than the demo's, if there is one.
OTHER_NODE = shutil.which("node")

Profile = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def apps() -> Iterator[Pm2]:
    with own_pm2() as own:
        (own.folder / "app.js").write_text(APP)
        (own.folder / "app.sh").write_text("echo runs\nwhile :; do read -t 1 < /dev/zero; done\n")
        os.mkfifo(own.folder / "fifo")
        other = {"name": "other", "interpreter": OTHER_NODE, "env": {"LOOP": "1"}, **ANY_PORT}
        own.run(*APPS, *([other] if OTHER_NODE else []))
        yield own
        for pid in pids(own, "deaf").values():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def profile(run_module: RunModule, apps: Pm2, tmp_path: Path) -> Profile:
    """Runs app_profile; afterwards no inspector is open, and nothing it says is a secret."""

    def run(app: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {
            "pm2_home": str(apps.home),
            "app": app,
            "seconds": 0.5,
            "dest": str(tmp_path / "profiles"),
            **options,
        }
        answer = run_module("app_profile", given, check=check)
        assert SECRET not in json.dumps(answer)
        return answer

    return run


@pytest.fixture
def spinning(apps: Pm2) -> Iterator[None]:
    """The apps with LOOP are in a busy loop."""
    (apps.folder / "spin").touch()
    yield
    (apps.folder / "spin").unlink()


def open_inspectors(apps: Pm2, app: str) -> list[int]:
    return [pid for pid in pids(apps, app).values() if find_target(pid, ours=True)]


def actions(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["name"], action["status"]) for action in answer["actions"]]


def statuses(answer: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in answer["checks"]}


def test_nothing_is_touched_unless_asked_for(profile: Profile, apps: Pm2) -> None:
    assert profile("web")["taken"] is True
    planned = profile("web", check=True, cpu=True, heap=True)
    assert planned["taken"] is None
    assert dict(actions(planned))["app.profile"] == "planned"
    assert open_inspectors(apps, "web") == []


@pytest.mark.usefixtures("spinning")
def test_a_busy_loop_is_named(profile: Profile, apps: Pm2, tmp_path: Path) -> None:
    answer = profile("loop", cpu=True)
    assert (actions(answer), answer["taken"]) == ([("app.profile", "done")], True)
    check = next(check for check in answer["checks"] if check["name"] == "app.profile")
    assert check["status"] == "warning"
    assert check["subject"] == f"loop id {min(pids(apps, 'loop'))}"
    assert "most of it in one function: rank (app.js:3)" in check["summary"]
    assert statuses(answer)["app.inspector"] == "ok"
    assert open_inspectors(apps, "loop") == []
    (file,) = (tmp_path / "profiles").glob("*.cpuprofile")
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["nodes"]


def test_an_inspector_stays_closed_once_the_loop_has_ended(profile: Profile, apps: Pm2) -> None:
    """Node.js notices the signal twice: at once, and when its event loop turns again."""
    pid = pids(apps, "loop")[min(pids(apps, "loop"))]
    (apps.folder / "spin").touch()
    try:
        assert statuses(profile("loop", cpu=True))["app.inspector"] == "ok"
    finally:
        (apps.folder / "spin").unlink()
    turns = apps.folder / f"turns-{pid}"
    turns.unlink(missing_ok=True)
    wait_for(turns.exists)
    turns.unlink()
    wait_for(turns.exists)
    assert open_inspectors(apps, "loop") == []


@pytest.mark.usefixtures("spinning")
@pytest.mark.skipif(not OTHER_NODE, reason="there is no other Node.js")
def test_a_busy_loop_is_named_by_another_node(profile: Profile, apps: Pm2) -> None:
    answer = profile("other", cpu=True)
    check = next(check for check in answer["checks"] if check["name"] == "app.profile")
    assert "most of it in one function: rank (app.js:3)" in check["summary"]
    assert open_inspectors(apps, "other") == []


def test_an_idle_app(profile: Profile, apps: Pm2) -> None:
    before = pids(apps, "web")
    answer = profile("web", cpu=True)
    assert statuses(answer) == {"app.profile": "ok", "app.heap": "ok", "app.inspector": "ok"}
    assert pids(apps, "web") == before, "it goes on"


def test_a_heap_snapshot_is_taken_when_it_is_safe_and_confirmed(
    profile: Profile, apps: Pm2, tmp_path: Path
) -> None:
    planned = profile("web", heap=True)
    assert (actions(planned), planned["taken"]) == ([("app.heap_snapshot", "planned")], None)
    answer = profile("web", heap=True, confirm="web")
    assert (actions(answer), answer["taken"]) == ([("app.heap_snapshot", "done")], True)
    (file,) = (tmp_path / "profiles").glob("*.heapsnapshot")
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["snapshot"]["node_count"] > 1000
    assert SECRET in file.read_text(), "as the documentation says"
    assert open_inspectors(apps, "web") == []


@pytest.mark.usefixtures("spinning")
@pytest.mark.parametrize(
    ("app", "reason"),
    [("one", "no other instance serves"), ("loop", "in the middle of a computation")],
)
def test_a_heap_snapshot_is_refused_where_it_could_take_the_app_down(
    profile: Profile, apps: Pm2, tmp_path: Path, app: str, reason: str
) -> None:
    answer = profile(app, heap=True, confirm=app)
    assert (actions(answer), answer["taken"]) == ([("app.heap_snapshot", "skipped")], False)
    assert reason in answer["msg"]
    assert not list((tmp_path / "profiles").glob("*snapshot*"))
    assert open_inspectors(apps, app) == []


@pytest.mark.usefixtures("spinning")
def test_the_other_instance_is_in_a_busy_loop(profile: Profile, apps: Pm2) -> None:
    answer = profile("loop", heap=True, confirm="loop", instance=max(pids(apps, "loop")))
    assert "no other instance serves" in answer["msg"]


def test_a_process_that_is_no_node_never_gets_the_signal(profile: Profile, apps: Pm2) -> None:
    before = pids(apps, "shell")
    for check in (True, False):
        answer = profile("shell", cpu=True, check=check)
        assert "Node.js only" in json.dumps(answer["actions"])
        assert answer["taken"] is not True
    assert pids(apps, "shell") == before


def test_a_process_that_is_stuck_outside_javascript(
    profile: Profile, apps: Pm2, run_module: RunModule
) -> None:
    before = pids(apps, "deaf")
    given = {"pm2_home": str(apps.home), "app": ["deaf", "web"], "window": 6}
    checks = run_module("app_diagnosis", given)["checks"]
    turning = {c["subject"]: c["status"] for c in checks if c["name"] == "app.event_loop"}
    assert turning == {"deaf": "unknown", "web": "ok"}
    answer = profile("deaf", cpu=True)
    assert actions(answer) == [("app.profile", "failed")]
    assert "opened no inspector within" in answer["msg"]
    assert pids(apps, "deaf") == before


def test_an_inspector_that_was_open_before_is_left_open(profile: Profile, apps: Pm2) -> None:
    (pid,) = pids(apps, "one").values()
    os.kill(pid, signal.SIGUSR1)
    wait_for(lambda: bool(open_inspectors(apps, "one")))
    try:
        answer = profile("one", cpu=True)
        assert statuses(answer)["app.inspector"] == "critical"
        assert actions(answer) == [("app.profile", "done")]
        assert open_inspectors(apps, "one") == [pid]
    finally:
        apps.cli("restart", "one")


def test_a_run_that_is_killed_and_the_next_one(profile: Profile, apps: Pm2, tmp_path: Path) -> None:
    given = {"pm2_home": str(apps.home), "app": "web", "dest": str(tmp_path / "profiles")}
    with start_module("app_profile", {**given, "cpu": True, "seconds": 60}, None) as killed:
        wait_for(lambda: bool(open_inspectors(apps, "web")))
        writing = tmp_path / "profiles" / ".partial-snapshot"
        writing.touch()
        second = profile("web", cpu=True)
        assert "Another run" in second["msg"]
        assert writing.exists(), "the first run could be writing it"
        killed.kill()
    assert open_inspectors(apps, "web"), "it is left open"
    answer = profile("web", cpu=True)
    assert ("app.inspector_close", "done") in actions(answer)
    assert not writing.exists()
    assert open_inspectors(apps, "web") == []


def test_an_app_that_is_not_there(profile: Profile, apps: Pm2) -> None:
    answer = profile("none", cpu=True)
    assert (answer["taken"], answer["failed"]) == (False, True)
    assert "not in PM2's list" in answer["msg"]
    assert "there are" in profile("web", cpu=True, instance=999)["msg"]
