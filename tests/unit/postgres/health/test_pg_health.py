"""The module: usage errors, a missing library, and where its URL comes from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpt_agent.runbook.plugins.modules import pg_health


def failure(capsys: pytest.CaptureFixture[str], arguments: dict[str, Any]) -> str:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        pg_health.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer["failed"] is True
    return str(answer["msg"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "database_url: missing"),
        ({"database_url": "http://u:hunter2@h/"}, "must start with 'postgresql://'"),
        (
            {"database_url": "postgresql://u:hunter2@h/x", "replicas": -1},
            "replicas: -1 is not a number of standbys",
        ),
        (
            {"database_url": "postgresql://u:hunter2@h/x", "timeout": 0},
            "timeout: 0 is not a number of seconds",
        ),
        (
            {
                "database_url": "postgresql://u:hunter2@h/x",
                "thresholds": {"postgres.connection": {"warning": 1}},
            },
            "did you mean 'postgres.connections'?",
        ),
        (
            {"database_url": "postgresql://u:hunter2@127.0.0.1:1/x?sslmode=hunter2"},
            "sslmode has a value that libpq does not know",
        ),
    ],
)
def test_misuse_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, Any],
    sentence: str,
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    said = failure(capsys, arguments)
    assert sentence in said
    assert "hunter2" not in said
    assert "\n" not in said


def test_a_missing_library_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pg_health, "PSYCOPG2_ERROR", "No module named 'psycopg2'")
    said = failure(capsys, {"database_url": "postgresql://u@h/x"})
    assert "'psycopg2-binary' is missing" in said
    assert "'python3-psycopg2'" in said


@pytest.mark.parametrize(
    ("option", "address"),
    [("postgresql://u@127.0.0.1:1/x", "127.0.0.1:1 "), (None, "127.0.0.1:2 ")],
)
def test_the_option_comes_before_the_environment(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str | None,
    address: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@127.0.0.1:2/x")
    with patch_module_args({"database_url": option} if option else {}), pytest.raises(SystemExit):
        pg_health.main()
    [check] = json.loads(capsys.readouterr().out)["checks"]
    assert address in check["summary"]
    assert check["status"] == "critical"
