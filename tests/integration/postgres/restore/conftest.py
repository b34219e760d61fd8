"""A server with a database, a backup of it, and the module to restore it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.postgres import Server, Throwaway, throwaway
from tests.support.restores import Restore, address, made_backup


@pytest.fixture(scope="module")
def own(request: pytest.FixtureRequest) -> Iterator[Throwaway]:
    """A server with the roles of the tests, which a test may stop."""
    folder = getattr(request, "param", "")
    programs = Path(folder or request.getfixturevalue("stack").settings["bin"]["postgres"])
    with throwaway(programs, autovacuum="off", max_prepared_transactions=5) as server:
        Server(server).admin("CREATE ROLE reader", "CREATE ROLE passing")
        yield server


@pytest.fixture(scope="session")
def client(stack: Any) -> Path:
    """Programs that are new enough for every server."""
    return Path(stack.settings["bin"]["postgres"])


@pytest.fixture
def server(own: Throwaway) -> Iterator[Server]:
    """The server without what earlier tests have restored."""
    made = Server(own)
    yield made
    names = "SELECT datname FROM pg_database WHERE datname ~ '^(live|copy|other)'"
    for (name,) in made.admin("ROLLBACK", names):
        made.admin(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def restore(run_module: RunModule, server: Server, client: Path, tmp_path: Path) -> Restore:
    """Run the module on the database ``live``."""

    def run(*, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {
            "database_url": address(server, "live"),
            "backup_dir": str(tmp_path / "backups"),
            "bin_dir": str(client),
            "safety_backup": False,
            **options,
        }
        return run_module("pg_restore", given, check=check)

    return run


@pytest.fixture
def backup(server: Server, run_module: RunModule, client: Path, tmp_path: Path) -> Path:
    return made_backup(server, run_module, client, tmp_path)
