"""backup_check and each major version of PostgreSQL that is at hand.

``POSTGRES_PROGRAMS`` names folders with initdb and pg_ctl, separated by colons.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunModule, by_name
from tests.support.postgres import FOLDERS, Server, throwaway

pytestmark = pytest.mark.skipif(
    not FOLDERS, reason="POSTGRES_PROGRAMS names no folders with other versions of PostgreSQL"
)


@pytest.fixture(params=FOLDERS or [""], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with throwaway(Path(request.param)) as own:
        yield Server(own)


def test_any_role_learns_how_old_the_server_is(
    server: Server, run_module: RunModule, tmp_path: Path
) -> None:
    given = {"backup_dir": str(tmp_path), "databases": ["*"], "exclude": ["postgres"]}
    answer = run_module("backup_check", {"database_url": server.url(), **given})
    age = by_name(answer, "backup.age", server.own["database"])
    assert (age["status"], "the server is" in age["not_judged"]) == ("ok", True)
