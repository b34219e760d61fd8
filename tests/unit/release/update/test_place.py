"""The copy of a folder: without what npm makes anew, secrets of the live app, and the rest."""

from __future__ import annotations

import os
import stat
from pathlib import Path

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


def options(app: Path, **given: object) -> Options:
    return Options(path=str(app / "current"), free_disk=0, **given)  # type: ignore[arg-type]


def test_what_is_copied(app: Path) -> None:
    place = app / "place"
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
        make_copy(options(app), str(live / "src"))
    (live / "package.json").unlink()
    with pytest.raises(NotCollected, match=r"has no package\.json"):
        make_copy(options(app), str(app))
