"""A database with a little in it, and its backups in a folder of the test's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from demo.stack import Stack
from tests.conftest import RunModule
from tests.support.backups import Module
from tests.support.postgres import Server, run_sql


def assert_no_secret(server: Server, answer: dict[str, Any]) -> None:
    said = json.dumps(answer)
    assert server.own["password"] not in said
    assert server.own["admin_password"] not in said


@pytest.fixture
def server(stack: Stack) -> Server:
    return Server(stack)


@pytest.fixture
def programs(stack: Stack) -> Path:
    return Path(stack.settings["bin"]["postgres"])


@pytest.fixture
def shop(url: str) -> str:
    """The URL of a database with 1,000 orders."""
    run_sql(
        url,
        "CREATE TABLE orders (id int PRIMARY KEY, text text)",
        "INSERT INTO orders SELECT g, md5(g::text) FROM generate_series(1, 1000) g",
    )
    return url


@pytest.fixture
def take(
    shop: str, programs: Path, server: Server, tmp_path: Path, run_module: RunModule
) -> Module:
    """Back up the database, in one file unless told otherwise."""

    def run(url: str = shop, **options: Any) -> dict[str, Any]:
        given = {"database_url": url, "backup_dir": str(tmp_path / "backups"), "form": "custom"}
        given |= {"bin_dir": str(programs), "keep_free": "0", **options}
        answer = run_module("pg_backup", given)
        assert_no_secret(server, answer)
        return answer

    return run


@pytest.fixture
def look(
    shop: str, programs: Path, server: Server, tmp_path: Path, run_module: RunModule
) -> Module:
    """Check the backups; returns the checks by name, without component, subjects ignored."""

    def run(url: str | None = shop, **options: Any) -> dict[str, Any]:
        given = {"database_url": url, "backup_dir": str(tmp_path / "backups"), "keep_free": "0"}
        given |= {"bin_dir": str(programs), **options}
        answer = run_module(
            "backup_check", {key: value for key, value in given.items() if value is not None}
        )
        assert_no_secret(server, answer)
        assert answer.get("changed") is False, answer
        return {
            check["name"].partition(".")[2]: check
            for check in answer["checks"]
            if check["subject"] != "roles and other globals"
        }

    return run
