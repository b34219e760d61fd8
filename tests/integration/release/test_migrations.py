"""Deployments of versions that need a migration, which is applied before they are tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import Server, run_sql
from tests.support.releases import Releases

UP = "node scripts/migrate.js up"
NAME = "20260413090000_create_settings"
#: Ends at once if the database has no such table.
NEEDS = """
const { Client } = require('pg');
(async () => {
  const client = new Client({ connectionString: require('./src/config').read().databaseUrl });
  await client.connect();
  await client.query('SELECT 1 FROM settings');
  await client.end();
})().catch((error) => { console.error(error); process.exit(4); });
"""


@pytest.fixture
def migrated(releases: Releases) -> Iterator[Releases]:
    """The database is as it was afterwards."""
    yield releases
    run_sql(
        Server(releases.stack).url(),
        "DROP TABLE IF EXISTS settings",
        f"DELETE FROM schema_migrations WHERE name = '{NAME}'",
        counted=False,
    )


def version_with(releases: Releases, version: str, statement: str) -> str:
    folder = releases.repository / "db" / "migrations"
    (folder / f"{NAME}.down.sql").write_text("DROP TABLE settings;\n")
    (folder / f"{NAME}.up.sql").write_text(statement)
    program = (releases.repository / "server.js").read_text()
    return releases.works(version, server_js=NEEDS + program)


def statuses(answer: dict[str, object]) -> list[tuple[str, str]]:
    actions = answer["actions"]
    assert isinstance(actions, list)
    return [(action["name"].removeprefix("release."), action["status"]) for action in actions]


def test_the_migration_comes_before_the_trial(migrated: Releases) -> None:
    version = version_with(migrated, "v1.3.0", "CREATE TABLE settings (name text);\n")
    refused = migrated.deploy(version)
    assert f"the database lacks 1 migration: {NAME}. Apply them, or set migrate" in refused["msg"]
    planned = migrated.deploy(version, migrate=UP, check=True)
    with migrated.requests() as requests:
        answer = migrated.deploy(version, migrate=UP)
    assert answer["proven"], answer
    assert migrated.serving() == (200, "1.3.0")
    assert requests.failures == []
    steps = ["build", "migrate", "trial", "switch"]
    assert statuses(planned) == [(name, "planned") for name in steps]
    assert statuses(answer) == [(name, "done") for name in steps]
    assert answer["actions"][1]["reason"].startswith(f"{NAME}; the running release must work")
    again = migrated.deploy(version, migrate=UP)
    assert (again["changed"], again["actions"]) == (False, [])
    back = migrated.roll_back()
    assert f"the database has 1 migration that it does not know: {NAME}" in back["msg"]
    back = migrated.roll_back(compatible_migrations=[NAME], migrate=UP)
    assert back["proven"], back
    assert statuses(back) == [("trial", "done"), ("switch", "done")]
    assert migrated.serving() == (200, "1.1.0")


def test_a_migration_that_fails_leaves_the_old_version(migrated: Releases) -> None:
    version = version_with(migrated, "v1.3.1", "CREATE TABLE settings (name nonsense);\n")
    before = migrated.pids()
    answer = migrated.deploy(version, migrate=UP)
    assert answer["failed"]
    assert answer["msg"].startswith(f"Nothing was switched: '{UP}' failed with exit code 1: ")
    assert 'type "nonsense" does not exist' in answer["msg"]
    assert answer["msg"].endswith("may have migrations now that v1.1.0 does not know")
    assert dict(statuses(answer))["trial"] == "skipped"
    assert (migrated.serving(), migrated.pids()) == ((200, "1.1.0"), before)
    found = "SELECT 1 FROM pg_class WHERE relname = 'settings'"
    assert run_sql(Server(migrated.stack).url(), found, counted=False) == []
