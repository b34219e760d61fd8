"""What releases and rollback build on: an app runs in another directory, proven, and is served."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.switch import (
    recreate,
    reload_into,
)
from demo.stack import Stack
from tests.conftest import start_module
from tests.support.pm2 import SECRET, Pm2, Restart, pids

#: Answers with its directory; ``status`` beside it holds another status.
SERVER = """
const fs = require('fs');
let status = 200;
try { status = Number(fs.readFileSync(__dirname + '/status')); } catch {}
if (fs.existsSync(__dirname + '/never')) setInterval(() => {}, 1000);
else if (fs.existsSync(__dirname + '/fail')) {
  console.error('Error: no configuration, password=' + process.env.DATABASE_PASSWORD);
  setTimeout(() => process.exit(3), 50);
} else require('http').createServer((request, response) => {
  response.statusCode = status;
  response.end(__dirname);
}).listen(process.env.PORT, () => process.send('ready'));
"""


@pytest.fixture
def releases(pm2: Pm2) -> Iterator[Path]:
    """Two releases, a link ``current`` to the first, and the app started through it."""
    folder = pm2.folder / "releases"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        (folder / name / "server.js").write_text(SERVER)
    os.symlink("a", folder / "current")
    yield folder
    shutil.rmtree(folder)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(pm2: Pm2, releases: Path, mode: str = "cluster", instances: int = 2) -> int:
    port = free_port()
    app = {"name": "web", "script": "server.js", "cwd": str(releases / "current")}
    env = {"PORT": str(port), "DATABASE_PASSWORD": SECRET}
    more = {"wait_ready": True, "listen_timeout": 2000, "instances": instances}
    pm2.start({**app, **more, "exec_mode": mode, "env": env})
    return port


def options(pm2: Pm2, **more: Any) -> Options:
    return Options(str(pm2.home), "web", stable_for=0.5, **more)


def directories(pm2: Pm2) -> set[str]:
    return {os.readlink(f"/proc/{pid}/cwd") for pid in pids(pm2, "web").values()}


def point(link: Path, name: str) -> None:
    link.unlink()
    os.symlink(name, link)


@contextmanager
def clients(port: int, path: str = "/") -> Iterator[Counter[str]]:
    """Clients that send requests all the time, over new and over kept connections."""
    seen: Counter[str] = Counter()
    finished = threading.Event()

    def send(pause: float, keep: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while not finished.is_set():
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                seen[str(answer.status)] += 1
                if answer.will_close or not keep:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                seen[type(error).__name__] += 1
                connection.close()
            time.sleep(pause)

    threads = [
        threading.Thread(target=send, args=given)
        for given in ((0.02, False), (0.02, True), (0.3, True), (0.3, True))
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        finished.set()
        for thread in threads:
            thread.join()


def test_the_demo_app_loses_no_request(stack: Stack) -> None:
    app, home = stack.settings["app"], stack.settings["pm2"]["home"]
    given = Options(home, app["name"], stable_for=0.5)
    with clients(app["port"], "/api/health/db") as seen:
        outcomes = [reload_into(given, app["current"]) for _ in range(2)]
    assert [outcome.problem for outcome in outcomes] == ["", ""]
    assert all(outcome.results["proven"] for outcome in outcomes)
    assert not any("killed" in str(action.after) for action in outcomes[0].actions)
    assert list(seen) == ["200"], seen


def test_through_a_link_and_past_it(pm2: Pm2, releases: Path) -> None:
    start(pm2, releases)
    ids = set(pids(pm2, "web"))
    point(releases / "current", "b")
    moved = reload_into(options(pm2), str(releases / "b"))
    assert (moved.problem, moved.results["proven"]) == ("", True)
    assert directories(pm2) == {str(releases / "b")}
    assert {row["pm2_env"]["pm_cwd"] for row in pm2.rows("web")} == {str(releases / "current")}
    direct = reload_into(options(pm2), str(releases / "a"))
    assert (direct.problem, direct.results["proven"]) == ("", True)
    assert {row["pm2_env"]["pm_cwd"] for row in pm2.rows("web")} == {str(releases / "a")}
    assert set(pids(pm2, "web")) == ids
    assert not pm2.rows("web-trial")
    again = reload_into(options(pm2), str(releases / "a"), only_others=True)
    assert (again.actions, again.results["proven"]) == ([], True)


@pytest.mark.parametrize("fault", ["fail", "never"])
def test_a_bad_version_is_not_let_near_the_app(pm2: Pm2, releases: Path, fault: str) -> None:
    port = start(pm2, releases)
    before = pids(pm2, "web")
    (releases / "b" / fault).touch()
    with clients(port) as seen:
        outcome = reload_into(options(pm2), str(releases / "b"))
    said = {"fail": "Error: no configuration, password=***", "never": "did not report that it is"}
    assert said[fault] in outcome.problem
    assert SECRET not in outcome.problem
    assert outcome.results == {"proven": False, "untouched": True}
    assert pids(pm2, "web") == before
    assert set(seen) == {"200"}, seen


def test_users_never_reach_a_trial_with_a_port_of_its_own(pm2: Pm2, releases: Path) -> None:
    port = start(pm2, releases)
    (releases / "b" / "status").write_text("500")
    own = free_port()
    trial = {"trial_env": {"PORT": str(own)}, "trial_url": f"http://127.0.0.1:{own}/"}
    with clients(port) as seen:
        outcome = reload_into(options(pm2, **trial), str(releases / "b"))
    assert f"http://127.0.0.1:{own}/ answers 500" in outcome.problem
    assert outcome.results["untouched"] is True
    assert set(seen) == {"200"}, seen
    shared = reload_into(options(pm2, url=f"http://127.0.0.1:{port}/"), str(releases / "b"))
    assert "answers 500" in shared.problem
    assert shared.results["untouched"] is True


def test_in_fork_mode_the_old_version_is_put_back(pm2: Pm2, releases: Path) -> None:
    start(pm2, releases, "fork", 1)
    moved = recreate(options(pm2), str(releases / "b"))
    assert (moved.problem, moved.results["proven"]) == ("", True)
    assert directories(pm2) == {str(releases / "b")}
    (releases / "a" / "fail").touch()
    failed = recreate(options(pm2), str(releases / "a"))
    assert "The old version was started again and is up" in failed.problem
    assert SECRET not in failed.problem
    assert directories(pm2) == {str(releases / "b")}
    assert not list(pm2.home.glob("runbook-*"))


def test_killed_at_any_moment_the_next_run_completes(pm2: Pm2, releases: Path) -> None:
    port = start(pm2, releases)
    given = {"pm2_home": str(pm2.home), "name": "web", "state": "present", "stable_for": 0.3}
    names = ["a", "b"]
    for number, seconds in enumerate((0.7, 1.6)):
        target = str(releases / names[1 - number % 2])
        run = start_module("pm2_process", {**given, "cwd": target})
        time.sleep(seconds)
        run.kill()
        run.communicate()
        assert fetch(port) in (f"{releases}/a", f"{releases}/b"), "it answers"
        time.sleep(1.0)  # what PM2 was told to do
        completed = reload_into(options(pm2), target, only_others=True)
        assert (completed.problem, completed.results["proven"]) == ("", True)
        assert directories(pm2) == {target}
        assert not pm2.rows("web-trial")


def fetch(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def test_present_follows_a_link(pm2: Pm2, releases: Path, restart: Restart) -> None:
    start(pm2, releases, instances=1)
    link = str(releases / "current")
    assert restart("web", state="present", cwd=link)["changed"] is False
    point(releases / "current", "b")
    answer = restart("web", state="present", cwd=link)
    assert answer["proven"] is True, answer
    assert answer["actions"][1]["reason"] == f"{link} leads to another directory by now"
    assert directories(pm2) == {str(releases / "b")}
    assert restart("web", state="present", cwd=link)["changed"] is False


def test_a_folder_that_is_missing(pm2: Pm2) -> None:
    for given in ("relative", "/missing"):
        with pytest.raises(UsageError, match="is not the absolute path of a folder"):
            reload_into(options(pm2), given)
