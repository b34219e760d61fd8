"""The copy of a folder: without what npm makes anew, secrets of the live app, and the rest."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import (
    NotCollected,
    UsageError,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.place import (
    make_copy,
    prepare,
    remove_copy,
    require_app,
    require_own,
)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    live = tmp_path / "releases" / "v1"
    for name in ("node_modules/a", ".git", "src", "packages/one/node_modules"):
        (live / name).mkdir(parents=True)
    for name in ("package.json", ".env", ".env.production", ".env.example", "src/a.js", ".npmrc"):
        (live / name).write_text("{}")
    (tmp_path / "outside").write_text("outside")
    (live / "packages/one/outside").symlink_to(tmp_path / "outside")
    (live / "inside").symlink_to("src/a.js")
    os.mkfifo(live / "src/pipe")
    (tmp_path / "current").symlink_to(live)
    return tmp_path


def options(app: Path, **given: Any) -> Options:
    return Options(path=str(app / "current"), free_disk=0, **given)


def test_what_is_copied(app: Path) -> None:
    place = app / "place"
    place.mkdir(mode=0o755)
    prepare(str(place))
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    copy = Path(make_copy(options(app), str(place)).path)
    found = sorted(str(path.relative_to(copy)) for path in copy.rglob("*"))
    assert found == [
        ".env.example",
        ".npmrc",
        "inside",
        "package.json",
        "packages",
        "packages/one",
        "src",
        "src/a.js",
    ]
    (place / ".partial-1").touch()
    assert remove_copy(str(place))
    assert not remove_copy(str(place))
    assert list(place.iterdir()) == []


def test_a_copy_needs_space_and_a_folder_outside_the_app(app: Path) -> None:
    live = app / "releases" / "v1"
    with pytest.raises(NotCollected, match=r"only .* are free in .*, and the copy takes"):
        make_copy(Options(path=str(live), free_disk=1e9), str(app))
    with pytest.raises(UsageError, match="dest: must be outside"):
        require_own(str(live / "src" / "new"), str(app / "current"))
    (live / "package.json").unlink()
    with pytest.raises(NotCollected, match=r"has no package\.json"):
        make_copy(options(app), str(app))


def test_a_folder_of_something_else_is_not_taken(app: Path) -> None:
    place = app / "place"
    require_own(str(place), str(app / "current"))
    (place / "work").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"dest: .*place has other files"):
        require_own(str(place), str(app / "current"))
    (place / ".lock").touch()
    require_own(str(place), str(app / "current"))


def test_files_that_the_live_app_removes_meanwhile(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.copy2

    def copy(source: str, target: str, **more: bool) -> None:
        if source.endswith("a.js"):
            os.unlink(source)
        real(source, target, **more)

    monkeypatch.setattr(shutil, "copy2", copy)
    prepare(str(app / "place"))
    copied = make_copy(options(app), str(app / "place"))
    assert not os.path.exists(f"{copied.path}/src/a.js")
    assert os.path.exists(f"{copied.path}/package.json")


def test_a_file_that_cannot_be_copied(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str, **more: bool) -> None:
        raise PermissionError(13, "Permission denied", source)

    monkeypatch.setattr(shutil, "copy2", refuse)
    prepare(str(app / "place"))
    with pytest.raises(NotCollected, match=r"v1 cannot be copied: .*Permission denied"):
        make_copy(options(app), str(app / "place"))


def test_a_folder_is_another_one_once_a_file_was_changed(app: Path) -> None:
    prepare(str(app / "place"))

    def state() -> str:
        return make_copy(options(app), str(app / "place")).state

    first = state()
    assert state() == first
    (app / "releases/v1/.env").write_text("is left out")
    assert state() == first
    (app / "releases/v1/src/a.js").write_text("other")
    assert state() != first


def test_the_commit_of_a_repository_around_the_app_is_not_the_apps(app: Path) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    for command in (["init", "--quiet"], [*who, "commit", "--allow-empty", "--quiet", "-m", "x"]):
        subprocess.run(["git", *command], cwd=app, check=True)
    (app / "releases/v1/.git").rmdir()
    prepare(str(app / "place"))
    copied = make_copy(options(app, repository="/nowhere"), str(app / "place"))
    assert (copied.commit, copied.git) == ("", None)
    assert copied.note.startswith("the repository was not used")
    assert make_copy(options(app), str(app / "place")).note == ""


def test_an_app_that_cannot_be_updated_is_refused_before_anything_is_made(app: Path) -> None:
    live = app / "releases" / "v1"
    with pytest.raises(NotCollected, match=r"no package-lock\.json"):
        require_app(options(app))
    (live / "package-lock.json").write_text('{"packages": {}}')
    require_app(options(app))
    with pytest.raises(UsageError, match=r"repository: .* is no git repository"):
        require_app(options(app, repository=str(live / "src")))
    (live / "package.json").unlink()
    with pytest.raises(NotCollected, match=r"has no package\.json"):
        require_app(options(app))


def test_a_folder_that_may_not_be_made(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, **more: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "makedirs", refuse)
    with pytest.raises(NotCollected, match="may not make") as error:
        prepare(str(app / "place"))
    assert "app_update_dest" in error.value.remedy
