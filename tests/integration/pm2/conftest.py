"""The PM2s that the tests share, and the modules run against them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.pm2 import SECRET, STABLE, Health, Pm2, Restart, own_pm2

#: One app of each kind; each starts with the state that its name says.
APPS: list[dict[str, Any]] = [
    {
        "name": "web",
        "exec_mode": "cluster",
        "instances": 2,
        "max_memory_restart": "300M",
        "time": True,
    },
    {
        "name": "mixed",
        "exec_mode": "cluster",
        "instances": 2,
        "max_restarts": 2,
        "min_uptime": 20000,
        "env": {"FAILING": "1"},
    },
    {"name": "stopped"},
    {
        "name": "job",
        "autorestart": False,
        "cron_restart": "0 3 * * *",
        "env": {"LIFE": "1", "CODE": "0"},
    },
    # Waits after its first crash for longer than the tests last.
    {"name": "backoff", "exp_backoff_restart_delay": 600000, "env": {"LIFE": "1"}},
    {"name": "worker", "namespace": "blue", "time": True},
    {"name": "untimed", "env": {"SAY": "cannot read 1|cannot read 2|other"}},
    {"name": "json", "log_type": "json", "env": {"SAY": "cannot read 1|cannot read 2"}},
    {"name": "silenced", "error_file": "/dev/null"},
    {
        "name": "mingled",
        "out_file": "all.log",
        "error_file": "all.log",
        "time": True,
        "env": {"SAY": "something"},
    },
]


def pino() -> dict[str, Any]:
    """An app that logs JSON as pino does, with the time of now."""
    line = {"level": 50, "time": int(time.time() * 1000), "msg": "cannot read 'x'"}
    return {"name": "pino", "env": {"SAY": json.dumps({**line, "password": SECRET})}}


@pytest.fixture(scope="session")
def apps() -> Iterator[Pm2]:
    """A PM2 with an app of each kind; tests leave them as they found them."""
    with own_pm2() as own:
        own.start(*APPS, pino())
        own.cli("stop", "stopped")
        own.wait("job", lambda rows: rows[0]["pm2_env"]["status"] == "stopped")
        own.wait("backoff", lambda rows: rows[0]["pm2_env"]["status"] == "waiting restart")
        own.wait(
            "mixed",
            lambda rows: sorted(row["pm2_env"]["status"] for row in rows) == ["errored", "online"],
        )
        own.said("untimed", "other")
        own.said("json", "read 2")
        own.said("pino", "read 'x'")
        own.said("mingled", "something")
        yield own


@pytest.fixture
def health(run_module: RunModule, tmp_path: Path) -> Health:
    """Runs pm2_health on a PM2; nothing it returns or keeps may hold the apps' secret."""

    def run(home: Path, *names: str, check: bool = False, **options: Any) -> dict[str, Any]:
        state = tmp_path / "state"
        answer = run_module(
            "pm2_health",
            {"pm2_home": str(home), "app": list(names), "state_dir": str(state), **options},
            check=check,
        )
        kept = "".join(path.read_text() for path in state.rglob("*")) if state.exists() else ""
        assert SECRET not in json.dumps(answer) + kept
        assert "failed" not in answer, answer
        assert "warnings" not in answer, answer
        return answer

    return run


@pytest.fixture(scope="session")
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
    """Runs pm2_process on that PM2; nothing it returns may hold the apps' secret."""

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
