"""pm2_process and what is around the app: the dump, the versions of PM2, and whose PM2 it is."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.daemon import other_daemons
from tests.conftest import RunModule
from tests.support.pm2 import Pm2, Restart, own_pm2

NOBODY = 65534


def done(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["name"], action["status"]) for action in answer["actions"]]


@pytest.fixture
def present(pm2: Pm2, restart: Restart) -> Restart:
    """Runs pm2_process with state present for one app."""

    def run(**options: Any) -> dict[str, Any]:
        given = {"script": "app.js", "cwd": str(pm2.folder)}
        command = {"pm2_executable": str(pm2.package / "bin" / "pm2"), "stable_for": 0.2}
        return restart("web", state="present", **{**given, **command, **options})

    return run


def test_a_dump_out_of_step_is_told_and_saved(pm2: Pm2, present: Restart) -> None:
    assert present(save=True)["dump_problem"] == ""
    pm2.start({"name": "by-hand"})
    answer = present()
    assert (answer["changed"], answer["proven"]) == (False, True)
    assert answer["dump_problem"] == "it differs from PM2's list: by-hand"
    plan = present(save=True, check=True)
    assert done(plan) == [("pm2.save", "planned")]
    assert plan["actions"][0]["reason"] == "PM2's dump: it differs from PM2's list: by-hand"
    saved = present(save=True)
    assert (done(saved), saved["dump_problem"]) == ([("pm2.save", "done")], "")
    assert present(save=True)["changed"] is False
    (pm2.home / "dump.pm2").write_text("[{")
    assert present()["dump_problem"] == "it cannot be read"
    assert done(present(save=True)) == [("pm2.save", "done")]


def another_version(pm2: Pm2, folder: Path) -> Path:
    """PM2's command as after an update, while the daemon is still the one from before."""
    modules = folder / "node_modules"
    modules.mkdir()
    for package in pm2.package.parent.iterdir():
        if package.name != "pm2":
            (modules / package.name).symlink_to(package)
    shutil.copytree(pm2.package, modules / "pm2", symlinks=True)
    about = modules / "pm2" / "package.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "version": "99.0.1"}))
    return modules / "pm2" / "bin" / "pm2"


def test_a_daemon_of_another_version_than_the_command(
    pm2: Pm2, present: Restart, run_module: RunModule, tmp_path: Path
) -> None:
    version = present()["daemon_version"]
    command = str(another_version(pm2, tmp_path))
    given = {"name": "web", "pm2_home": str(pm2.home), "pm2_executable": command}
    answer = run_module("pm2_process", {**given, "state": "present", "stable_for": 0})
    assert (answer["changed"], answer["proven"]) == (False, True)
    assert (answer["daemon_version"], answer["command_version"]) == (version, "99.0.1")
    (warning,) = answer["warnings"]
    assert f"PM2's daemon is version {version}, its command is version 99.0.1" in str(warning)


def test_the_app_is_in_another_pm2(pm2: Pm2, present: Restart, restart: Restart) -> None:
    present()
    with own_pm2() as foreign:
        foreign.start({"name": "theirs"})
        there = restart("web", pm2_home=str(foreign.home))
        nowhere = restart("web", pm2_home=str(foreign.folder / "none"))
    assert there["msg"].startswith(
        "Nothing was restarted: web is not in PM2's list, which contains theirs"
    )
    assert nowhere["msg"].startswith("Nothing was restarted: PM2 is not running")
    shown = nowhere["msg"].partition("; PM2 is running in ")[2]
    # Of many, as when other tests run, it names some.
    known = str(pm2.home) in dict(other_daemons("/nowhere")) and " more" in shown
    assert str(pm2.home) in shown or known, "where a PM2 does run"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts on the PM2 of another user")
def test_root_leaves_no_file_in_the_pm2_of_another_user(run_module: RunModule) -> None:
    with own_pm2() as own:
        own.start({"name": "web"})
        os.chown(own.home, NOBODY, NOBODY)
        given = {"pm2_home": str(own.home), "name": "web", "stable_for": 0.2}
        command = {"pm2_executable": str(own.package / "bin" / "pm2")}
        before = sorted(path.name for path in own.home.iterdir())
        restarted = run_module("pm2_process", {**given, "state": "restarted"})
        refused = run_module("pm2_process", {**given, **command, "state": "present", "save": True})
        after = sorted(path.name for path in own.home.iterdir())
        os.chown(own.home, 0, 0)
    assert restarted["proven"] is True, restarted
    assert refused["failed"] is True
    assert "belongs to user nobody: run this as that user (become_user)" in refused["msg"]
    assert after == before
