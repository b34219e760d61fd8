"""The manifest: read as it was written, and never believed once it was changed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.manifest import (
    File,
    Manifest,
    Proof,
    Table,
    read_manifest,
    write_manifest,
)

MANIFEST = Manifest(
    name="20261128T030000Z.dir",
    database="Größe",
    started=1795834800.0,
    finished=1795834812.5,
    bytes=1234,
    files=(File("toc.dat", 1234, "ab" * 32),),
    compression="gzip:1",
    client_version="15.19",
    server_version=150019,
    system_identifier="7300000000000000001",
    database_bytes=8_000_000,
    tables=(Table("public", "users", "r", 20_167),),
    sequences=(("public", "users_id_seq", None),),
    extensions=(("plpgsql", "1.0", "pg_catalog"),),
    roles=("gpt_agent",),
    properties={"encoding": "UTF8", "settings": ["work_mem=4MB"]},
    toc_entries=12,
    proofs=(Proof(3, 1795834813.0, 0.4, 3),),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "20261128T030000Z.manifest.json"
    write_manifest(str(written), MANIFEST)
    return written


def test_it_is_read_as_it_was_written(path: Path) -> None:
    assert read_manifest(str(path)) == MANIFEST
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: text.replace("20167", "20168"), "edited or damaged"),
        (lambda text: text[:-20], "not JSON"),
        (lambda text: "[]", "not written by this collection"),
        (lambda text: '{"a": 1}', "not written by this collection"),
        (lambda text: text.replace('"format": 1', '"format": 2'), "has format 2"),
    ],
    ids=["edited", "cut", "another kind", "another's", "newer"],
)
def test_a_changed_one_is_not_believed(path: Path, change: object, problem: str) -> None:
    assert callable(change)
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before
    with pytest.raises(NotCollected, match=problem):
        read_manifest(str(path))


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotCollected, match="No such file"):
        read_manifest(str(tmp_path / "none.json"))


def test_other_fields_are_refused(path: Path) -> None:
    content = json.loads(path.read_text())
    write_manifest(str(path), MANIFEST)
    assert json.loads(path.read_text()) == content


@pytest.mark.parametrize(
    ("proofs", "level", "verified"),
    [
        ((), 0, False),
        ((Proof(2, 1.0, 0.1, 2),), 2, False),
        ((Proof(3, 1.0, 0.1, 3),), 3, True),
        ((Proof(6, 1.0, 0.1, 6), Proof(3, 2.0, 0.1, 3)), 6, True),
        ((Proof(6, 1.0, 0.1, 6), Proof(0, 2.0, 0.1, 3, problem="a byte is wrong")), 0, False),
    ],
)
def test_the_last_proof_decides(proofs: tuple[Proof, ...], level: int, verified: bool) -> None:
    manifest = replace(MANIFEST, proofs=proofs)
    assert (manifest.level, manifest.verified) == (level, verified)
