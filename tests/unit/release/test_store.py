"""What is recorded of releases, and the link to the current one."""

import json
import os
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import (
    GOOD,
    FailedBuild,
    Release,
    Switch,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.store import (
    Pending,
    Store,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path))
    made.prepare()
    return made


def release(store: Store, name: str) -> Release:
    path = Path(store.releases_folder, name)
    path.mkdir(parents=True)
    return Release(name, name, str(path), migrations=("001_first",), status=GOOD, verified=2.0)


def test_records_are_read_as_they_are_written(store: Store) -> None:
    first = release(store, "v1")
    store.write(first)
    assert store.releases() == {"v1": first}


def test_a_release_without_its_folder_is_none(store: Store) -> None:
    gone = release(store, "v1")
    store.write(gone)
    Path(gone.path).rmdir()
    assert store.releases() == {}


def test_an_empty_root_has_no_releases(tmp_path: Path) -> None:
    empty = Store(str(tmp_path))
    assert (empty.releases(), empty.history(), empty.pending()) == ({}, [], None)
    assert empty.current() == ""


def test_the_history_survives_a_cut_line(store: Store) -> None:
    switch = Switch(1.0, "deploy", "", "v1", owner="ada")
    store.append(switch)
    with Path(store.records, "history.jsonl").open("a") as stream:
        stream.write('{"at": 2.0, "ki')
    assert store.history() == [switch]


def test_what_is_in_progress_is_known_until_it_ends(store: Store) -> None:
    pending = Pending("rollback", "v2", "v1", 3.0, "ada", "verify")
    store.begin(pending)
    assert store.pending() == pending
    store.finish()
    assert store.pending() is None
    store.finish()


@pytest.mark.parametrize("content", ["{", "[]", '{"id": "v1"}', '{"status": "splendid"}'])
def test_a_damaged_record_is_not_overlooked(store: Store, content: str) -> None:
    Path(store.records, "releases", "v1.json").write_text(content)
    with pytest.raises(NotCollected, match=r"v1\.json is damaged"):
        store.releases()
    Path(store.records, "pending.json").write_text(content)
    with pytest.raises(NotCollected, match=r"pending\.json is damaged"):
        store.pending()


def test_the_link_moves_in_one_step(store: Store) -> None:
    first, second = release(store, "v1"), release(store, "v2")
    store.point(first.path)
    assert store.current() == os.path.realpath(first.path)
    Path(store.root, ".partial-current").symlink_to("nowhere")  # a killed run's
    store.point(second.path)
    assert store.current() == os.path.realpath(second.path)
    assert str(Path(store.link).readlink()) == "releases/v2"


def test_records_are_for_their_owner_alone(store: Store) -> None:
    store.write(release(store, "v1"))
    store.append(Switch(1.0, "deploy", "", "v1"))
    files = [Path(store.records, "releases", "v1.json"), Path(store.records, "history.jsonl")]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
    assert json.loads(files[0].read_text())["id"] == "v1"


def test_the_last_failed_build_is_kept_until_it_works(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.prepare()
    assert store.failed_build() is None
    failed = FailedBuild("v2", "v2", "abc", 1.0, "npm ci", "npm error code E401")
    store.keep_failed_build(failed)
    assert store.failed_build() == failed
    store.forget_failed_build("v1")
    assert store.failed_build() == failed
    store.forget_failed_build("v2")
    assert store.failed_build() is None
    store.keep_failed_build(failed)
    store.forget_failed_build()
    assert store.failed_build() is None
    (tmp_path / ".runbook" / "failed-build.json").write_text("{")
    assert store.failed_build() is None
