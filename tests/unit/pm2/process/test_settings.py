"""The settings that PM2 starts an app with: moved, compared, and as PM2 must be told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.settings import (
    Settings,
)

ROW: dict[str, Any] = {
    "pm2_env": {
        "name": "web",
        "namespace": "default",
        "pm_cwd": "/srv/a",
        "pm_exec_path": "/srv/a/server.js",
        "exec_mode": "cluster_mode",
        "instance_var": "NODE_APP_INSTANCE",
        "NODE_APP_INSTANCE": 1,
        "status": "online",
        "restart_time": 4,
        "SECRET": "hunter2",
        "env": {"SECRET": "hunter2", "PWD": "/srv/a", "unique_id": "1-2"},
    }
}
SETTINGS = Settings.of_row(ROW)


def test_state_and_copies_of_the_environment_are_no_settings() -> None:
    assert set(SETTINGS.fields) == {
        *("name", "namespace", "pm_cwd", "pm_exec_path", "exec_mode", "instance_var")
    }
    assert SETTINGS.env == {"SECRET": "hunter2", "PWD": "/srv/a"}
    assert "hunter2" not in repr(SETTINGS)


def test_a_script_moves_along_with_its_directory() -> None:
    moved = SETTINGS.moved_to("/srv/b")
    assert (moved.cwd, moved.script, moved.env["PWD"]) == ("/srv/b", "/srv/b/server.js", "/srv/b")
    outside = SETTINGS.with_fields(pm_exec_path="/usr/bin/npm").moved_to("/srv/b")
    assert outside.script == "/usr/bin/npm"


def test_a_script_below_a_link_moves_along(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.symlink("a", tmp_path / "current")
    linked = SETTINGS.with_fields(
        pm_cwd=str(tmp_path / "current"), pm_exec_path=str(tmp_path / "a" / "server.js")
    )
    assert linked.moved_to("/srv/b").script == "/srv/b/server.js"


def test_pm2_is_told_what_differs() -> None:
    assert SETTINGS.request_to(SETTINGS) == {}
    conf = SETTINGS.request_to(SETTINGS.moved_to("/srv/b"))["env"]["current_conf"]
    assert conf == {
        "pm_cwd": "/srv/b",
        "pm_exec_path": "/srv/b/server.js",
        "env": {"SECRET": "hunter2", "PWD": "/srv/b"},
    }


def test_what_is_gone_is_removed() -> None:
    wanted = Settings(SETTINGS.fields, {"PWD": "/srv/a"})
    conf = SETTINGS.request_to(wanted)["env"]["current_conf"]
    assert conf == {"SECRET": "null", "env": {"PWD": "/srv/a"}}
    assert SETTINGS.changes_to(wanted) == ["env.SECRET"]
    limited = SETTINGS.with_fields(max_memory_restart=1)
    assert limited.request_to(SETTINGS)["env"]["current_conf"] == {"max_memory_restart": "null"}
