"""The file ``.env`` is changed in one line, and its values stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.compose.dotenv import DotEnv

TEXT = """# by hand
TOKEN='swordfish-and-chips'
export TAG = v1 # the live one
  # TAG=v0
PORT=3000
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text(TEXT)
    path.chmod(0o640)
    return path


def test_values_as_they_are_read(file: Path) -> None:
    env = DotEnv(str(file))
    assert (env.get("TAG"), env.get("TOKEN")) == ("v1", "swordfish-and-chips")
    assert env.get("NONE") == ""
    assert DotEnv(f"{file}.none").get("TAG") == ""


def test_one_line_is_changed(file: Path) -> None:
    DotEnv(str(file)).set("TAG", "v2@sha256:ab")
    assert file.read_text() == TEXT.replace("export TAG = v1 # the live one", "TAG=v2@sha256:ab")
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_variable_that_is_new(file: Path) -> None:
    DotEnv(str(file)).set("COMPOSE_FILE", "a:b")
    assert file.read_text() == f"{TEXT}COMPOSE_FILE=a:b\n"


def test_a_file_that_is_new_or_a_link(file: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    DotEnv(str(fresh)).set("TAG", "v2")
    assert (fresh.read_text(), fresh.stat().st_mode & 0o777) == ("TAG=v2\n", 0o600)
    link = tmp_path / "link"
    link.symlink_to(file)
    DotEnv(str(link)).set("PORT", "1")
    assert link.is_symlink()
    assert "PORT=1" in file.read_text()


def test_what_may_be_a_secret(file: Path) -> None:
    env = DotEnv(str(file))
    env.set("IMAGE", "registry/app:v1")
    env.set("COMPOSE_FILE", "compose.yaml:more.yaml")
    assert env.secrets(["IMAGE"]) == ["swordfish-and-chips"]
