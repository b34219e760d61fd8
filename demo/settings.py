# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack decides once and keeps: where it lives, names, ports, passwords."""

from __future__ import annotations

import random
import secrets
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from demo import age, certificates, packages
from demo.certificates import write_private
from demo.processes import Identity, StackError, remove_tree
from demo.repository import point

Settings = dict[str, Any]
LONGEST_SOCKET_HOME = 80
"""A socket's path holds at most 107 bytes, and 'pm2/interactor.sock' comes behind it."""
PORTS = range(20_000, 32_000)
"""Below the ports that the system gives to outgoing connections, so that a stopped service finds
its own again.
"""
PORT_KEYS = (
    ("postgres", "port"),
    ("redis", "port"),
    ("nginx", "http_port"),
    ("nginx", "https_port"),
    ("app", "port"),
)


def database_url(
    settings: Settings,
    user: str = "user",
    password: str = "password",  # noqa: S107 - names of settings
) -> str:
    own = settings["postgres"]
    credentials = f"{quote(own[user])}:{quote(own[password])}"
    return f"postgresql://{credentials}@{own['host']}:{own['port']}/{own['database']}"


def redis_url(settings: Settings) -> str:
    own = settings["redis"]
    return f"redis://:{quote(own['password'])}@{own['host']}:{own['port']}"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def settle(home: Path, earlier: Settings, programs: packages.Programs) -> Settings:
    """Names and secrets, keeping what an earlier run decided; ports are chosen apart."""

    def password(section: str, key: str = "password") -> str:
        kept: str = earlier.get(section, {}).get(key) or secrets.token_urlsafe(24)
        return kept

    return {
        "directory": str(home),
        "root": str(home.resolve()),
        "bin": {
            "postgres": str(programs.postgres),
            "node": str(home / "bin" / "node"),
            "npm": str(home / "bin" / "npm"),
            "pm2": str(home / "bin" / "pm2"),
            "nginx": str(programs.nginx),
            "valkey": str(programs.valkey),
        },
        "postgres": {
            **_postgres(home),
            "password": password("postgres"),
            "admin_password": password("postgres", "admin_password"),
        },
        "redis": {
            "host": "127.0.0.1",
            "port": 0,
            "socket": str(home / "run" / "redis.sock"),
            "password": password("redis"),
            "log": str(home / "redis" / "valkey.log"),
        },
        "nginx": _nginx(home),
        "certificates": certificates.ensure(home / "certificates"),
        "pm2": {"home": str(home / "pm2")},
        "app": _app(home),
    }


def _postgres(home: Path) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": 0,
        "socket_dir": str(home / "run"),
        "database": "gpt_agent",
        "user": "gpt_agent",
        "admin_user": "postgres",
        "data": str(home / "postgres" / "data"),
        "log": str(home / "logs" / "postgres.log"),
    }


def _nginx(home: Path) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "http_port": 0,
        "https_port": 0,
        "prefix": str(home / "nginx"),
        "conf": str(home / "nginx" / "nginx.conf"),
        "access_log": str(home / "logs" / "nginx-access.log"),
        "error_log": str(home / "logs" / "nginx-error.log"),
        "pid_file": str(home / "nginx" / "nginx.pid"),
    }


def _app(home: Path) -> dict[str, Any]:
    return {
        "name": "gpt-agent",
        "host": "127.0.0.1",
        "port": 0,
        "instances": 2,
        "repository": str(home / "repository"),
        "releases": str(home / "releases"),
        "current": str(home / "current"),
        "fault": str(home / "shared" / "fault.json"),
        "out_log": str(home / "logs" / "gpt-agent-out.log"),
        "error_log": str(home / "logs" / "gpt-agent-error.log"),
    }


def choose_home(directory: Path, earlier: Settings, identity: Identity) -> Path:
    """Where the services live: in the directory, if its path is short enough for sockets and they
    may go there.

    Else its name is a link, or, the last resort, a folder, in the system's folder for temporary
    files.
    """
    identity.own(directory)
    usable = identity.may("-w", directory)
    if usable and len(str(directory)) <= LONGEST_SOCKET_HOME:
        return directory
    before = Path(earlier.get("directory", directory))
    if before != directory and before.exists() and (before.is_symlink() == usable):
        return before
    parent = Path(tempfile.mkdtemp(prefix="gpt-agent-demo-"))
    home = parent / "stack"
    if usable:
        home.symlink_to(directory)
    else:
        home.mkdir(mode=0o700)
    identity.own(parent, home)
    if not identity.may("-w", home):
        raise StackError(
            f"neither {directory} nor {home} can be used by an unprivileged user: name another "
            "directory with --dir, or set TMPDIR"
        )
    return home


def choose_ports(settings: Settings, earlier: Settings, runs: Callable[[str], bool]) -> None:
    """Each service's port of before, where it runs on it or can have it again; else one that is
    free.
    """
    taken: set[int] = set()
    for section, key in PORT_KEYS:
        port = earlier.get(section, {}).get(key, 0)
        keep = port and (runs(section) or is_free(port))
        while not keep or port in taken:
            port = random.choice(PORTS)  # noqa: S311 - no secret
            keep = is_free(port)
        taken.add(port)
        settings[section][key] = port


def within_reach(folder: Path, home: Path, identity: Identity) -> Path:
    """The folder itself, or a copy where the services' user may not read it."""
    if identity.may("-r", folder):
        return folder
    copy = home / "programs" / folder.parent.name / folder.name
    if not copy.exists():
        fresh = copy.with_name(f".{copy.name}.new")
        remove_tree(fresh)
        packages.link_tree(folder, fresh)
        fresh.rename(copy)
    return copy


def make_folders(settings: Settings, programs: packages.Programs, pm2: Path) -> None:
    """Make the folders; ``bin`` is first on the PATH of everything in the stack."""
    home = Path(settings["directory"])
    for name in ("bin", "home", "logs", "shared", "run", "logrotate.d", "log-archive"):
        (home / name).mkdir(mode=0o700, exist_ok=True)
    write_private(home / "logrotate.conf", f"include {home / 'logrotate.d'}\n")
    folder = home / "bin"
    point(folder / "node", programs.node)
    wrappers = {
        "npm": f'exec "{folder}/node" "{programs.npm}" "$@"',
        "pm2": f'PM2_HOME="{settings["pm2"]["home"]}" exec "{folder}/node" "{pm2}" "$@"',
    }
    for name, command in wrappers.items():
        write_private(folder / name, f"#!/bin/sh\n{command}\n")
        (folder / name).chmod(0o700)
    age.install(folder)
