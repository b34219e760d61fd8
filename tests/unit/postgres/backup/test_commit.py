"""The final name of a backup: what a kill at any step leaves, and how the next run goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup import commit
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.manifest import (
    Manifest,
    Proof,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.naming import Name
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.repository import (
    list_backups,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.sweep import sweep

NAME = Name("20261128T030000Z", "dir")
MANIFEST = Manifest(
    str(NAME), "shop", 0.0, 0.0, 1, (), "none", "18", 180000, "", 1, proofs=(Proof(3, 1.0, 1.0, 3),)
)
RUN = "0a1b2c3d"


class Killed(BaseException):
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the data of a backup that is not yet complete."""
    data = tmp_path / "shop" / NAME.partial(RUN)
    data.mkdir(parents=True)
    (data / "toc.dat").touch()
    return data.parent


def die_at(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """Be killed instead of the rename or removal of that number."""
    calls = [0]

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object, **more: object) -> object:
            calls[0] += 1
            if calls[0] == call:
                raise Killed
            return real(*arguments, **more)

        return run

    for module, name in ((os, "rename"), (os, "unlink"), (shutil, "rmtree")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))


def after_sweep(folder: Path) -> list[str]:
    """The complete backups after the next run's sweep, which leaves nothing else."""
    sweep([list_backups(str(folder.parent), "shop")], check_mode=False)
    listing = list_backups(str(folder.parent), "shop")
    assert (listing.partial, listing.foreign) == ([], [])
    assert all(backup.verified for backup in listing.backups)
    return [str(backup.name) for backup in listing.backups]


def test_a_commit_is_complete(folder: Path) -> None:
    commit.commit(str(folder), RUN, NAME, MANIFEST)
    assert after_sweep(folder) == [str(NAME)]


@pytest.mark.parametrize(("call", "left"), [(1, []), (2, [str(NAME)])])
def test_a_commit_is_killed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: int, left: list[str]
) -> None:
    with monkeypatch.context() as patch:
        die_at(patch, call)
        with pytest.raises(Killed):
            commit.commit(str(folder), RUN, NAME, MANIFEST)
    assert after_sweep(folder) == left


@pytest.mark.parametrize(("call", "left"), [(1, [str(NAME)]), (2, [str(NAME)]), (3, []), (4, [])])
def test_a_removal_is_killed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: int, left: list[str]
) -> None:
    commit.commit(str(folder), RUN, NAME, MANIFEST)
    with monkeypatch.context() as patch:
        die_at(patch, call)
        with pytest.raises(Killed):
            commit.remove(str(folder), RUN, NAME)
    assert after_sweep(folder) == left


def test_only_partial_names_are_removed(folder: Path) -> None:
    with pytest.raises(ValueError, match="not partial"):
        commit.discard(str(folder))


def test_what_others_put_there_stays(folder: Path) -> None:
    (folder / "notes.txt").touch()
    (folder / "link").symlink_to("/etc")
    sweep([list_backups(str(folder.parent), "shop")], check_mode=False)
    assert sorted(os.listdir(folder)) == ["link", "notes.txt"]


def test_check_mode_sweeps_nothing(folder: Path) -> None:
    (action,) = sweep([list_backups(str(folder.parent), "shop")], check_mode=True)
    assert action.status == "planned"
    assert os.listdir(folder) == [NAME.partial(RUN)]
