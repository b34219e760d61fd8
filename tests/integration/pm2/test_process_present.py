"""pm2_process: an app as described is present, stopped or absent, by the least that it takes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule, by_name
from tests.support.pm2 import SECRET, Pm2, Restart, own_pm2, pids

#: Options that describe the app; all tests start from here.
WEB: dict[str, Any] = {
    "exec_mode": "cluster",
    "instances": 2,
    "listen_timeout": 0.5,
    "max_memory_restart": "300M",
    "env": {"COLOUR": "blue", "DATABASE_PASSWORD": SECRET},
}


@pytest.fixture
def present(pm2: Pm2, restart: Restart) -> Restart:
    """Runs pm2_process with state present for the app of the tests."""

    def run(name: str = "web", **options: Any) -> dict[str, Any]:
        given = {
            "state": "present",
            "script": "app.js",
            "cwd": str(pm2.folder),
            "pm2_executable": str(pm2.package / "bin" / "pm2"),
            **WEB,
            **options,
        }
        return restart(name, **given)

    return run


def done(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["name"], action["status"]) for action in answer["actions"]]


def environment(pm2: Pm2, name: str) -> dict[str, str]:
    pid = pm2.rows(name)[0]["pid"]
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def stored(pm2: Pm2, name: str = "web") -> dict[str, Any]:
    found: dict[str, Any] = pm2.rows(name)[0]["pm2_env"]
    return found


def test_an_app_is_started_then_left_alone(pm2: Pm2, present: Restart) -> None:
    pm2.cli("ping")
    plan = present(check=True, save=True)
    assert done(plan) == [("app.start", "planned"), ("pm2.save", "planned")], plan
    assert pm2.everything() == []
    answer = present(save=True)
    assert done(answer) == [("app.start", "done"), ("pm2.save", "done")], answer
    assert (answer["changed"], answer["proven"]) == (True, True)
    assert len(pm2.rows("web")) == 2
    assert stored(pm2)["max_memory_restart"] == 300 << 20
    assert stored(pm2)["env"]["COLOUR"] == "blue"
    assert "ANSIBLE" not in json.dumps(stored(pm2)["env"])
    dump = pm2.home / "dump.pm2"
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    for check in (True, False):
        again = present(check=check, save=True)
        assert (again["changed"], again["actions"]) == (False, []), again
    assert again["proven"] is True


def test_differences_take_the_least(pm2: Pm2, present: Restart) -> None:
    present(instances=1, merge_logs=False)
    (first,) = pids(pm2, "web").values()
    grown = present(instances=2)
    assert done(grown) == [("app.scale", "done")], grown
    assert first in pids(pm2, "web").values(), "the first is not touched"
    warmer = {"COLOUR": "red", "DATABASE_PASSWORD": SECRET}
    plan = present(check=True, env=warmer, max_memory_restart="400M")
    assert [name for name, status in done(plan)] == ["app.trial", "app.reload", "app.reload"]
    reason = plan["actions"][1]["reason"]
    assert reason == "max_memory_restart 314572800 → 419430400, env.COLOUR changed"
    before = set(pids(pm2, "web"))
    changed = present(env=warmer, max_memory_restart="400M")
    assert changed["proven"] is True, changed
    assert set(pids(pm2, "web")) == before, "the instances keep their ids"
    assert {row["pm2_env"]["COLOUR"] for row in pm2.rows("web")} == {"red"}
    assert present(env=warmer, max_memory_restart="400M")["changed"] is False
    shrunk = present(env=warmer, max_memory_restart="400M", instances=1)
    assert done(shrunk) == [("app.scale", "done")]
    assert list(pids(pm2, "web")) == [min(before)]


def test_variables_are_merged_or_exact(pm2: Pm2, present: Restart) -> None:
    present(exec_mode="fork", instances=1)
    only = {"COLOUR": "blue"}
    assert present(exec_mode="fork", instances=1, env=only)["changed"] is False
    answer = present(exec_mode="fork", instances=1, env=only, env_mode="exact")
    assert answer["actions"][0]["reason"].startswith("env.DATABASE_PASSWORD removed")
    assert "DATABASE_PASSWORD" not in environment(pm2, "web")
    assert environment(pm2, "web")["COLOUR"] == "blue"
    assert present(exec_mode="fork", instances=1, env=only, env_mode="exact")["changed"] is False


def test_another_mode_needs_a_new_start(pm2: Pm2, present: Restart) -> None:
    present()
    answer = present(exec_mode="fork")
    assert done(answer) == [("app.recreate", "done")], answer
    assert answer["actions"][0]["reason"].startswith("exec_mode cluster_mode → fork_mode")
    assert {row["pm2_env"]["exec_mode"] for row in pm2.rows("web")} == {"fork_mode"}
    assert not list(pm2.home.glob("runbook-*"))
    (pm2.folder / "fail").write_text("Error: cannot open the port")
    failed = present(exec_mode="fork", cwd=str(pm2.folder), args=["--new"])
    assert failed["failed"] is True
    assert "Error: cannot open the port" in failed["msg"]
    (pm2.folder / "fail").unlink()


def test_a_version_that_does_not_start_leaves_the_old_one(pm2: Pm2, present: Restart) -> None:
    present()
    before = pids(pm2, "web")
    (pm2.folder / "fail").write_text(f"Error: no configuration, password={SECRET}")
    answer = present(args=["--new"], stable_for=5)
    assert done(answer) == [
        ("app.trial", "failed"),
        ("app.reload", "skipped"),
        ("app.reload", "skipped"),
    ]
    assert "Error: no configuration, password=***" in answer["msg"]
    assert "No instance that serves was changed" in answer["msg"]
    assert pids(pm2, "web") == before
    assert not pm2.rows("web-trial")
    assert answer["proven"] is False


def test_an_ecosystem_file(pm2: Pm2, restart: Restart) -> None:
    file = pm2.folder / "ecosystem.config.js"
    app = {"name": "web", "script": "app.js", "max_memory_restart": "1G", "env": {"PORT": 3000}}

    def run(check: bool = False, **more: Any) -> dict[str, Any]:
        apps = json.dumps({"apps": [{**app, **more}]})
        file.write_text(f"module.exports = {apps}")
        given = {"config": str(file), "pm2_executable": str(pm2.package / "bin" / "pm2")}
        return restart("web", state="present", check=check, **given)

    assert done(run()) == [("app.start", "done")]
    assert run()["changed"] is False
    assert stored(pm2)["max_memory_restart"] == 1 << 30
    plan = run(check=True, env={"PORT": 3001})
    assert plan["actions"][0]["reason"].startswith("env.PORT changed")
    moved = run(instances=2, exec_mode="cluster")
    assert [action["name"] for action in moved["actions"]] == ["app.recreate", "app.scale"]
    wrong = restart(
        "wbe", state="present", config=str(file), pm2_executable=str(pm2.package / "bin" / "pm2")
    )
    assert wrong["msg"] == f"config: {file} has no app wbe, only web"


def test_one_started_by_hand_is_taken_over(pm2: Pm2, present: Restart) -> None:
    """Started by PM2's command, from another definition: only the difference is changed."""
    pm2.start({"name": "web", "exec_mode": "cluster", "instances": 2, "wait_ready": False})
    answer = present()
    assert done(answer)[0] == ("app.trial", "done"), answer
    assert present()["changed"] is False


def test_stopped_and_absent(pm2: Pm2, present: Restart, restart: Restart) -> None:
    present()
    command = {"pm2_executable": str(pm2.package / "bin" / "pm2"), "save": True}
    assert done(restart("web", state="stopped", check=True))[0] == ("app.stop", "planned")
    stopped = restart("web", state="stopped", **command)
    assert done(stopped) == [("app.stop", "done"), ("pm2.save", "done")]
    assert by_name(stopped, "app.process")["status"] == "ok"
    assert restart("web", state="stopped", **command)["changed"] is False
    assert present()["proven"] is True, "it is started again"
    removed = restart("web", state="absent", **command)
    assert done(removed) == [("app.remove", "done"), ("pm2.save", "done")]
    assert pm2.everything() == []
    again = restart("web", state="absent", **command)
    assert (again["changed"], again["proven"]) == (False, True)


def test_reloaded_takes_over_one_by_one(pm2: Pm2, present: Restart, restart: Restart) -> None:
    present()
    before = pids(pm2, "web")
    answer = restart("web", state="reloaded")
    assert done(answer) == [("app.trial", "done"), ("app.reload", "done"), ("app.reload", "done")]
    after = pids(pm2, "web")
    assert set(after) == set(before)
    assert not set(after.values()) & set(before.values())


def test_a_daemon_is_started_if_there_is_none(run_module: RunModule) -> None:
    with own_pm2() as own:
        own.home.mkdir()
        given = {
            "name": "web",
            "state": "present",
            "script": "app.js",
            "cwd": str(own.folder),
            "pm2_home": str(own.home),
            "pm2_executable": str(own.package / "bin" / "pm2"),
            "stable_for": 0.5,
        }
        plan = run_module("pm2_process", given, check=True)
        assert done(plan) == [("pm2.start", "planned"), ("app.start", "planned")], plan
        assert not list(own.home.iterdir())
        answer = run_module("pm2_process", given)
        assert done(answer) == [("pm2.start", "done"), ("app.start", "done")], answer
        assert answer["daemon_version"] == answer["command_version"]
        assert set(own.rows("web")[0]["pm2_env"]["env"]) <= {
            *("PATH", "HOME", "PM2_HOME", "PWD", "unique_id", "web", "PM2_USAGE"),
            *os.environ,
        }
