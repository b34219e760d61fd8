"""Whether an answer of the version endpoint names the release that is meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import Release
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.versions import (
    expected_versions,
    mismatch,
)

COMMIT = "0e219da72ad4c1b1f0a95f1c5c1d1a7f9be2a0c3"
RELEASE = Release("v1.1.0-0e219da", "v1.1.0", "/none", COMMIT)


@pytest.mark.parametrize(
    "content",
    [
        {"version": "1.1.0"},
        {"version": "v1.1.0"},
        {"version": "1.1.0", "commit": None},
        {"commit": COMMIT},
        {"commit": COMMIT[:7].upper()},
        {"version": "0.0.0", "commit": COMMIT},  # the commit decides
    ],
)
def test_it_names_the_release(content: dict[str, str]) -> None:
    assert mismatch(content, RELEASE) == ""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"version": "1.2.0"}, "it says version 1.2.0, not 1.1.0"),
        ({"version": "1.1.0", "commit": "b" * 40}, "it says commit bbbbbbbbbbbb, not 0e219da72ad4"),
        ({}, "it names neither a version nor a commit"),
        ({"version": 3}, "it names neither a version nor a commit"),
        ({"commit": "0e2"}, "it names neither a version nor a commit"),
    ],
)
def test_it_names_another_one(content: dict[str, str], problem: str) -> None:
    assert mismatch(content, RELEASE) == problem


def test_a_branch_is_known_by_the_version_of_its_package(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"version": "1.3.0-rc.1"}))
    release = Release("main-0e219da", "main", str(tmp_path))
    assert expected_versions(release) == {"main", "1.3.0-rc.1"}
    assert mismatch({"version": "1.3.0-rc.1"}, release) == ""


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', "{"])
def test_a_package_file_that_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "package.json").write_text(text)
    assert expected_versions(Release("x", "v1.1.0", str(tmp_path))) == {"1.1.0"}
