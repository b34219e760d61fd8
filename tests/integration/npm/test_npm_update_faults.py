"""npm_update that is killed, disturbed, late or without space: the live app is as it was."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.conftest import start_module
from tests.support.mounts import mounted, mounts_of_its_own, needs_mount
from tests.support.npm_app import App, checksums


def wait_for(path: Path) -> str:
    """What a command of the update writes there."""
    end = time.monotonic() + 60
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < end, path
        time.sleep(0.05)
    return path.read_text().strip()


def has_ended(pid: str) -> bool:
    end = time.monotonic() + 30
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def start(app: App, **options: Any) -> subprocess.Popen[str]:
    return start_module("npm_update", app.update_options(**options))


def test_two_at_once_and_a_kill(app: App, tmp_path: Path) -> None:
    app.seed()
    before = checksums(app.path)
    marker = tmp_path / "pid"
    stuck = f"sleep 600 & echo $! > {marker}; wait"
    run = start(app, commands=[stuck], owner="night shift")
    pid = wait_for(marker)
    second = app.run_module("npm_update", app.update_options(commands=["true"]))
    assert second["failed"]
    assert "Another run (process" in second["msg"]
    assert "of 'night shift'" in second["msg"]
    assert (app.place / "work").exists(), "the first one is not disturbed"
    run.kill()
    run.communicate()
    assert checksums(app.path) == before
    assert list(app.place.glob("*.patch")) == []

    answer = app.update(commands=["true"])
    assert [action["name"] for action in answer["actions"]] == [
        "npm.remove_copy",
        "npm.update",
        "npm.offer",
    ]
    assert has_ended(pid)


def test_kills_at_any_moment(app: App) -> None:
    """``RUNBOOK_KILLS=40`` tries more of them. A patch is there as a whole, or not at all."""
    app.seed()
    before = checksums(app.path)
    began = time.monotonic()
    whole = Path(app.update(commands=["true"])["patch"]).read_text()
    lasts = time.monotonic() - began
    kills = int(os.environ.get("RUNBOOK_KILLS", "3"))
    for number in range(kills):
        for offer in app.place.glob("*.patch"):
            offer.unlink()
        run = start(app, commands=["true"])
        time.sleep(lasts * (number + 0.5) / kills)
        run.kill()
        run.communicate()
        assert checksums(app.path) == before
        assert [offer.read_text() for offer in app.place.glob("*.patch")] in ([], [whole])
    answer = app.update(commands=["true"])
    assert Path(answer["patch"]).read_text() == whole
    assert sorted(path.suffix for path in app.place.iterdir()) == ["", ".json", ".patch"]


def test_a_kill_while_the_offer_is_made(app: App, tmp_path: Path) -> None:
    """The patch is the last that is written, as a whole; without it, all is done again."""
    app.seed()
    marker = tmp_path / "pid"
    program = tmp_path / "slow" / "npm"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
        case "$*" in *sbom*) echo $$ > {marker}; kill -STOP $$;; esac
        exec {app.npm} "$@"
        """
    )
    program.chmod(0o755)
    run = start(app, commands=["true"], npm=str(program))
    wait_for(marker)
    run.kill()
    run.communicate()
    assert list(app.place.glob("*.patch")) == []
    answer = app.update(commands=["true"])
    assert Path(answer["patch"]).exists()


def test_a_command_that_does_not_end_is_ended_with_its_processes(app: App, tmp_path: Path) -> None:
    app.seed()
    marker = tmp_path / "pid"
    stuck = f"sleep 600 & echo $! >> {marker}; wait"
    answer = app.update(commands=[stuck], command_timeout=1, find_cause=False)
    assert answer["failed"]
    assert "has not ended after 1 s" in answer["actions"][0]["reason"]
    assert all(map(has_ended, marker.read_text().split()))


def test_no_space_is_left(app: App) -> None:
    app.seed()
    answer = app.update(free_disk=1 << 20)
    assert "TiB must stay free" in answer["msg"]


@needs_mount
def test_a_disk_that_becomes_full(app: App) -> None:
    app.seed()
    with mounts_of_its_own(), mounted(app.place, "tmpfs", "tmpfs", "size=1m"):
        answer = app.update(commands=["head -c 4m /dev/zero > large"])
        assert answer["failed"]
        assert "because of the host or the registry" in answer["msg"]
        assert list(app.place.glob("*.patch")) == []
        (app.path / "large").write_bytes(b"x" * (2 << 20))
        assert "and the copy takes 2 MiB" in app.update()["msg"]


def test_nonsense_in_the_app(app: App) -> None:
    answer = app.update()
    assert "has no package.json" in answer["msg"]
    (app.path / "package.json").write_text("{}")
    assert "has no package-lock.json" in app.update()["msg"]
    (app.path / "package-lock.json").write_text("<<<<<<< HEAD\n")
    assert "package-lock.json is missing, or is no JSON" in app.update()["msg"]
    assert not app.place.exists()
    answer = app.update(npm="/nowhere/npm")
    assert "package-lock.json is missing" in answer["msg"]
    assert not app.place.exists()
    (app.path / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": {}}))
    answer = app.update(npm="/nowhere/npm")
    assert "/nowhere/npm cannot be started" in answer["msg"]
    assert os.listdir(app.place) == [".lock"]
