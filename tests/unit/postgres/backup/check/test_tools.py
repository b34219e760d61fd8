"""What pgBackRest and Barman say, in the form that their programs have on Debian 12."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.check import (
    tools,
)

HELD_NOT = {"backup": {"held": False}}


def stanza(name: str = "main", code: int = 0, message: str = "ok", **backup: Any) -> dict[str, Any]:
    plain = {
        "label": "20261128-030000F",
        "type": "full",
        "timestamp": {"start": 1795834800, "stop": 1795834900},
        "error": False,
        "info": {"size": 9000, "delta": 9000, "repository": {"size": 1000, "delta": 1000}},
    }
    backups = [] if code else [{**plain, **backup}]
    status = {"code": code, "message": message, "lock": HELD_NOT}
    return {"name": name, "status": status, "backup": backups, "archive": [], "db": [], "repo": []}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a program into PATH that prints for each subcommand what it is told to."""

    def put(name: str, answers: dict[str, Any], code: int = 0) -> None:
        cases = ""
        for word, answer in answers.items():
            (tmp_path / f"{name}-{word}").write_text(json.dumps(answer))
            cases += f"*' {word} '*) cat {tmp_path / name}-{word};;\n"
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\ncase " $* " in\n{cases}esac\nexit {code}\n')
        path.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return put


def test_the_backups_of_a_stanza(program: Any) -> None:
    program("pgbackrest", {"info": [stanza(), stanza("other", error=True)]})
    main, other = tools.pgbackrest("", Deadline(9))
    assert (main.subject, main.tool, main.failure, main.busy) == ("main", "pgBackRest", "", False)
    assert [(copy.started, copy.bytes, copy.kind) for copy in main.verified] == [
        (1795834800.0, 1000, "full")
    ]
    assert other.verified == []
    assert "page checksums" in other.copies[0].problem


def test_a_stanza_that_does_not_exist_is_a_failure_whatever_the_exit_code(program: Any) -> None:
    program("pgbackrest", {"info": [stanza("nope", 1, "missing stanza path")]})
    assert tools.pgbackrest("nope", Deadline(9))[0].failure == "missing stanza path"
    program("pgbackrest", {"info": []})
    assert tools.pgbackrest("", Deadline(9))[0].failure == "it knows no stanza"


def test_an_answer_that_is_not_understood_is_unknown(program: Any) -> None:
    for answer in ("no", {"a": 1}, [{"name": "x"}], [1], 7):
        program("pgbackrest", {"info": answer}, code=1)
        assert tools.pgbackrest("", Deadline(9))[0].error is not None


def test_a_tool_that_is_not_installed_is_unknown(program: Any) -> None:
    for read, name in ((tools.pgbackrest, "pgBackRest"), (tools.barman, "Barman")):
        error = read("", Deadline(9))[0].error
        assert str(error).startswith(f"{name} is not installed")
        assert "backup_tools" in (error.remedy if error else "")


def test_the_backups_of_a_server_in_barman(program: Any) -> None:
    listed = [
        {
            "backup_id": "20261128T090000",
            "status": "WAITING_FOR_WALS",
            "end_time_timestamp": "1795856500",
            "size_bytes": 9,
        },
        {
            "backup_id": "20261128T030000",
            "status": "DONE",
            "end_time_timestamp": "1795834900",
            "size_bytes": 1000,
        },
        {"backup_id": "20261127T030000", "status": "FAILED"},
    ]
    checks = {"ssh": {"status": "FAILED", "hint": "no key"}, "wal_level": {"status": "OK"}}
    program(
        "barman",
        {
            "list-servers": {"main": {"description": "x"}, "_INFO": ["hello"]},
            "list-backup": {"main": listed},
            "check": {"main": checks},
        },
        code=1,
    )
    (main,) = tools.barman("", Deadline(9))
    assert [copy.label for copy in main.copies] == [
        "20261127T030000",
        "20261128T030000",
        "20261128T090000",
    ]
    assert [copy.label for copy in main.verified] == ["20261128T030000"]
    assert main.copies[0].problem == "Barman calls it failed"
    assert main.failure == "its check fails (ssh: no key)"


def test_an_error_of_barman_is_unknown_with_its_words(program: Any) -> None:
    program("barman", {"list-backup": {"_ERROR": ["Unknown server 'x'"]}}, code=1)
    (one,) = tools.barman("x", Deadline(9))
    assert "Unknown server 'x'" in str(one.error)
