"""Names of rotated logs and of their archives."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.naming import (
    Rotated,
    archive_folder,
    archive_name,
    log_of,
    rotated_of,
)


@pytest.mark.parametrize(
    ("name", "is_rotated"),
    [
        ("app.log", False),
        ("app.log-20261128-1795824000", True),
        ("app.log-20261128-1795824000.gz", True),
        ("app.log-20261128-1795824000.gz.archiving", True),
        ("app.log-20261128", True),
        ("app.log.1", True),
        ("app.log.12.gz", True),
        ("app.log.bak", False),
        ("app.log-20261128-1795824000.gz-2026112803.backup", False),
        ("app.log.2026", True),
        ("app.log-notes", False),
        ("my-app.log.1", False),
        ("app.log2", False),
    ],
)
def test_which_files_were_split_off_a_log(tmp_path: Path, name: str, is_rotated: bool) -> None:
    (tmp_path / name).write_text("x")
    found = rotated_of(str(tmp_path / "app.log"), [name])
    assert [each.place for each in found] == ([str(tmp_path / name)] if is_rotated else [])


@pytest.mark.parametrize(
    ("name", "archive"),
    [
        ("app.log-20261128-1795824000", "app.log-20261128-1795824000.gz"),
        ("app.log-20261128-1795824000.gz", "app.log-20261128-1795824000.gz"),
        ("app.log-20261128", "app.log-20261128-19700102-0000086400.gz"),
        ("app.log.3.gz", "app.log.3-19700102-0000086400.gz"),
    ],
)
def test_an_archive_is_dated_and_compressed(name: str, archive: str) -> None:
    rotated = Rotated("/var/log/a/app.log", f"/var/log/a/{name}", 1, 86400.0)
    assert archive_name(rotated) == archive


def test_archives_are_in_folders_named_as_those_of_the_logs() -> None:
    assert archive_folder("/backups/logs", "/var/log/a/app.log") == "/backups/logs/var/log/a"


def test_a_link_is_no_rotated_log(tmp_path: Path) -> None:
    (tmp_path / "app.log.1").symlink_to("/etc/passwd")
    (tmp_path / "app.log.2").mkdir()
    assert rotated_of(str(tmp_path / "app.log"), ["app.log.1", "app.log.2"]) == []


def test_the_log_of_a_rotated_one() -> None:
    assert log_of("app.log-20261128-1795824000.gz") == "app.log"
    assert log_of("app.log-20261128-1795824000.archiving") == "app.log"
    assert log_of("app.log") == ""
