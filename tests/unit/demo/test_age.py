"""The programs age and age-keygen that come with the demo, run as backups run them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from demo import age

SECRET = "AGE-SECRET-KEY-"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    age.install(tmp_path / "bin")
    return tmp_path


def call(
    folder: Path, *argv: str, given: bytes = b"", program: str = "age"
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [folder / "bin" / program, *argv], input=given, capture_output=True, cwd=folder, check=False
    )


def key(folder: Path, name: str) -> str:
    """Make an identity; returns its recipient."""
    made = call(folder, "-o", name, program="age-keygen")
    assert made.returncode == 0, made.stderr
    recipient = made.stderr.decode().partition("Public key: ")[2].strip()
    again = call(folder, "-y", name, program="age-keygen")
    assert again.stdout.decode().strip() == recipient
    return recipient


def test_what_is_encrypted_for_two_is_read_by_each(folder: Path) -> None:
    plain = os.urandom(200_000)
    one, two = key(folder, "one"), key(folder, "two")
    (folder / "recipients").write_text(f"# the second\n{two}\n")
    sealed = call(folder, "-r", one, "-R", "recipients", given=plain)
    assert plain[:100] not in sealed.stdout
    for name in ("one", "two"):
        assert call(folder, "-d", "-i", name, given=sealed.stdout).stdout == plain


def test_an_identity_is_closed_to_others_and_not_written_over(folder: Path) -> None:
    key(folder, "one")
    assert (folder / "one").stat().st_mode & 0o777 == 0o600
    before = (folder / "one").read_text()
    assert SECRET in before
    assert call(folder, "-o", "one", program="age-keygen").returncode == 1
    assert (folder / "one").read_text() == before


def test_the_wrong_key_a_flipped_byte_and_a_cut_file_are_errors(folder: Path) -> None:
    recipient, _ = key(folder, "one"), key(folder, "other")
    sealed = call(folder, "-r", recipient, given=os.urandom(300_000)).stdout
    wrong = call(folder, "-d", "-i", "other", given=sealed)
    assert (wrong.returncode, wrong.stdout) == (1, b"")
    assert b"no identity matched" in wrong.stderr
    flipped = bytearray(sealed)
    flipped[200_000] ^= 1
    for damaged in (bytes(flipped), sealed[:-1], sealed[:200_000]):
        assert call(folder, "-d", "-i", "one", given=damaged).returncode == 1


def test_a_full_disk_and_a_reader_that_is_gone_are_errors(folder: Path) -> None:
    recipient = key(folder, "one")
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            [folder / "bin" / "age", "-r", recipient],
            input=b"x" * 100_000,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ended.returncode == 1
    assert call(folder).returncode == 1  # no recipient


@pytest.mark.skipif(not shutil.which("age"), reason="the distribution's age is not installed")
def test_the_real_program_reads_what_ours_writes_and_the_other_way_round(folder: Path) -> None:
    plain, recipient = os.urandom(200_000), key(folder, "one")
    real = shutil.which("age") or ""
    theirs = subprocess.run([real, "-r", recipient], input=plain, capture_output=True, check=True)
    assert call(folder, "-d", "-i", "one", given=theirs.stdout).stdout == plain
    ours = call(folder, "-r", recipient, given=plain).stdout
    argv = [real, "-d", "-i", str(folder / "one")]
    assert subprocess.run(argv, input=ours, capture_output=True, check=True).stdout == plain
