# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How PM2 starts an app, so that a release can be tried in the same way beside it."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ...core.deadline import Deadline
from ...core.errors import NotCollected
from ...linux.proc import read_text
from ...pm2.client import Client
from ...pm2.daemon import default_home
from ..options import Options
from ..record import Release

#: Variables that belong to one process of PM2's, and not to the app.
_OF_A_PROCESS = ("NODE_APP_INSTANCE", "NODE_CHANNEL_FD", "NODE_UNIQUE_ID", "pm_id", "OLDPWD")


@dataclass(frozen=True)
class Start:
    """What starts a release."""

    argv: tuple[str, ...]
    cwd: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Its values are secrets."""
    node: bool = False
    """Whether it is Node.js, which talks with PM2 over a channel of its own."""
    wait_ready: bool = False
    """Whether PM2 waits until the app says that it is ready."""
    user: int | None = None
    """Id of the user to start it as; none for the one that this process runs as."""


def start_of(release: Release, options: Options) -> Start:
    """How PM2 would start the app in this release; raises `NotCollected` or `Unreachable`."""
    home = options.pm2_home or default_home()
    with Client(home, Deadline(options.timeout)) as client:
        answer = client.call("getMonitorData", {})
        daemon = client.daemon_pid
    rows = [row for row in _rows(answer) if _is_wanted(row, options)]
    if not rows:
        raise NotCollected(
            f"PM2 has no app {options.name}",
            "Check the name with 'pm2 list', and start the app first.",
        )
    return _start(rows, release, daemon)


def _rows(answer: list[Any]) -> list[dict[str, Any]]:
    rows = answer[0] if answer and isinstance(answer[0], list) else []
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("pm2_env"), dict)]


def _is_wanted(row: Mapping[str, Any], options: Options) -> bool:
    space = row["pm2_env"].get("namespace")
    return row.get("name") == options.name and options.namespace in (None, space)


def _start(rows: list[dict[str, Any]], release: Release, daemon: int) -> Start:
    env = rows[0]["pm2_env"]
    interpreter = str(env.get("exec_interpreter") or "none")
    node = env.get("exec_mode") == "cluster_mode" or interpreter == "node"
    program = [] if interpreter == "none" else [interpreter]
    if node:
        program = [_node(rows, daemon)]
    script = _in_release(str(env.get("pm_exec_path") or ""), str(env.get("pm_cwd") or ""), release)
    argv = (*program, *_texts(env.get("node_args")), script, *_texts(env.get("args")))
    return Start(
        argv=argv,
        cwd=release.path,
        environment=_environment(env, len(rows), daemon, release),
        node=node,
        wait_ready=env.get("wait_ready") in (True, "true"),
        user=_user(env, daemon),
    )


def _node(rows: list[dict[str, Any]], daemon: int) -> str:
    """The Node.js that the app runs with; the daemon's where no process of the app runs."""
    for pid in (*(row.get("pid") for row in rows), daemon):
        if pid:
            with suppress(OSError):
                program = os.readlink(f"/proc/{pid}/exe")
                if os.access(program, os.X_OK):
                    return program
    return shutil.which("node") or "node"


def _in_release(script: str, cwd: str, release: Release) -> str:
    """The script in this release; a program outside the app's folder stays what it is."""
    for folder in (cwd, os.path.realpath(cwd)):
        if folder and script.startswith(f"{folder}/"):
            return os.path.join(release.path, os.path.relpath(script, folder))
    return script


def _environment(
    env: Mapping[str, Any], instances: int, daemon: int, release: Release
) -> dict[str, str]:
    """What PM2 gives the app: the daemon's environment, and above it the app's own."""
    given = env.get("env")
    given = given if isinstance(given, dict) else {}
    merged = {**_of_daemon(daemon), **{str(name): value for name, value in given.items()}}
    found = {
        name: str(value)
        for name, value in merged.items()
        if isinstance(value, (str, int, float)) and "\0" not in str(value) and name
    }
    for name in _OF_A_PROCESS:
        found.pop(name, None)
    # The number of no instance that runs: the jobs of the first one are not done twice.
    found[str(env.get("instance_var") or "NODE_APP_INSTANCE")] = str(instances)
    found["PWD"] = release.path
    return found


def _of_daemon(pid: int) -> dict[str, str]:
    try:
        entries = read_text(f"/proc/{pid}/environ").split("\0")
    except OSError:
        return dict(os.environ)
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def _user(env: Mapping[str, Any], daemon: int) -> int | None:
    """The user of the app, where this process may and must become another one."""
    if os.geteuid() != 0:
        return None
    wanted = env.get("uid")
    with suppress(KeyError, ValueError, OSError):
        if isinstance(wanted, str) and wanted and not wanted.isdecimal():
            return pwd.getpwnam(wanted).pw_uid
        uid = int(wanted) if wanted not in (None, "") else os.stat(f"/proc/{daemon}").st_uid
        return uid or None
    return None


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [str(one) for one in value] if isinstance(value, list) else []
