"""A server, a folder for backups, and the module that fills it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.backup_runs import Take
from tests.support.postgres import Server, Throwaway, throwaway


@pytest.fixture(scope="session")
def clients(stack: Any) -> str:
    """The folder of the newest client programs, which are not older than any server."""
    return str(stack.settings["bin"]["postgres"])


@pytest.fixture(scope="session")
def own(request: pytest.FixtureRequest) -> Iterator[Throwaway]:
    folder = getattr(request, "param", "")
    programs = Path(folder or request.getfixturevalue("clients"))
    with throwaway(programs, autovacuum="off") as server:
        yield server


@pytest.fixture
def server(own: Throwaway) -> Server:
    """The server with an empty database 'shop'."""
    made = Server(own)
    made.admin("DROP DATABASE IF EXISTS shop WITH (FORCE)", "CREATE DATABASE shop OWNER app")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def admin_url(server: Server) -> str:
    own = server.own
    return server.url(own["admin_user"], own["admin_password"], "shop")


@pytest.fixture
def options(admin_url: str, folder: Path, clients: str) -> dict[str, Any]:
    """The options of a run that backs up 'shop' and no globals."""
    return {
        "database_url": admin_url,
        "backup_dir": str(folder),
        "bin_dir": clients,
        "globals": False,
        "keep_free": "10M",
    }


@pytest.fixture
def take(run_module: RunModule, options: dict[str, Any]) -> Take:
    def run(*, check: bool = False, **more: Any) -> dict[str, Any]:
        return run_module("pg_backup", {**options, **more}, check=check)

    return run
