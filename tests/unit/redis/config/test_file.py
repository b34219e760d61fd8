"""The configuration file is read as Redis reads it, without its secrets."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.config.file import (
    NONE,
    parse,
    read_config_file,
)


def test_a_file_with_everything(tmp_path: Path) -> None:
    (tmp_path / "more.conf").write_text("hz 20\n")
    file = tmp_path / "redis.conf"
    file.write_text(
        f"# a comment\n\nSAVE 3600 1\nsave 300 100\nmaxmemory \"1gb\"\nlogfile '/tmp/a b'\n"
        f"requirepass secret\nuser app on >secret\nmaxmemory 2gb\ninclude {tmp_path}/more.conf\n"
        'dir "/tmp/\\x41 b"\nslave-read-only yes\nwords\n'
    )
    assert parse(str(file)) == {
        "save": "3600 1 300 100",
        "maxmemory": "2gb",
        "logfile": "/tmp/a b",
        "hz": "20",
        "dir": "/tmp/A b",
        "replica-read-only": "yes",
    }


def test_snapshots_are_off(tmp_path: Path) -> None:
    file = tmp_path / "redis.conf"
    file.write_text('save 3600 1\nsave ""\n')
    assert parse(str(file)) == {"save": ""}


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert read_config_file("", 1).problem == NONE
    assert "another host" in read_config_file("/etc/redis.conf", None).problem
    assert "No such file" in read_config_file(str(tmp_path / "none"), 1).problem
