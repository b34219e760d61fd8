"""A run that is killed at any moment leaves a version that answers, and the next run repairs."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.compose_app import ComposeApp, killer
from tests.support.postgres import eventually

#: What docker was told when the run was killed, and whether it had been done.
POINTS = [
    ("pull", "during"),
    ("run", "during"),
    ("rm", "before"),
    ("up", "before"),
    ("up", "during"),
    ("up", "after"),
]


@pytest.mark.parametrize(("at", "when"), POINTS)
def test_a_deployment_is_killed(app: ComposeApp, tmp_path: Path, at: str, when: str) -> None:
    # That one is not on this host yet.
    fresh = at == "pull"
    version = app.images.make(f"v6.1.0-{at}") if fresh else "v1.1.0"
    run = app.start("deployed", killer(tmp_path / "bin", at, when), version=version)
    run.communicate(timeout=120)
    assert run.returncode < 0
    if at == "rm":  # what was on trial is gone before the next run
        eventually(lambda: len(app.containers()) == 2)
    require_repaired(app, version)


def test_a_way_back_is_killed(app: ComposeApp, tmp_path: Path) -> None:
    """The next run goes back, and says why."""
    version = app.images.make("v6.0.0", "dies")
    env = killer(tmp_path / "bin", "up", "before")
    # The first 'up' is let through: it is the one of the switch.
    program = tmp_path / "bin" / "docker"
    passed = tmp_path / "passed"
    guard = f'case " $* " in *" up "*) [ -e {passed} ] || KILL_AT=nothing; : > {passed} ;; esac\n'
    program.write_text(program.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{guard}"))
    run = app.start("deployed", env, version=version, bake=5)
    run.communicate(timeout=120)
    assert run.returncode < 0
    assert (app.records / "pending.json").exists()
    answer = app.roll_back()
    assert answer["proven"], answer
    (action,) = answer["actions"]
    assert "killed" in action["reason"]
    assert app.serving() == "1.0.0"
    assert app.statuses()[version] == "bad"


def test_a_deployment_is_killed_at_random(app: ComposeApp) -> None:
    seed = time.time_ns()
    chance = random.Random(seed)
    for _ in range(2):
        run = app.start("deployed", version="v1.1.0")
        try:
            run.communicate(timeout=chance.uniform(0.5, 8))
        except subprocess.TimeoutExpired:
            run.kill()
            run.communicate()
        assert app.serving() in ("1.0.0", "1.1.0"), f"seed {seed}"
    require_repaired(app)


def require_repaired(app: ComposeApp, version: str = "v1.1.0") -> None:
    answer = app.deploy(version)
    assert answer["proven"], answer
    assert f"v{app.serving()}" == version
    assert not (app.records / "pending.json").exists()
    assert len(app.containers()) == 2, "the app, and the service that has run once"
    assert app.statuses() == {"v1.0.0": "good", version: "good"}
