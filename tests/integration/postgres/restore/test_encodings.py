"""Databases with another encoding or collation than the server's own come back with it."""

from __future__ import annotations

from pathlib import Path

import psycopg2
import pytest

from tests.conftest import RunModule, by_name
from tests.support.postgres import Server
from tests.support.restores import Restore, address, content, run_sql

WORDS = ["Öl", "zäh", "ÿ", "Éa", "ea", "z", "ß", "A", "a"]
MARKS = "ENCODING '{}' LC_COLLATE 'C' LC_CTYPE 'C'"
ICU = "ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER icu "
#: How the databases are created.
KINDS = {
    "latin1": MARKS.format("LATIN1"),
    "sql-ascii": MARKS.format("SQL_ASCII"),
    "euc-jp": MARKS.format("EUC_JP"),
    "icu": ICU + "ICU_LOCALE 'de-u-co-phonebk'",
    "icu-rules": ICU + "ICU_LOCALE 'en' ICU_RULES '&a < z'",
    "builtin": "ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'",
}
#: The oldest version that knows them.
SINCE = {"icu": 150000, "icu-rules": 160000, "builtin": 170000}
FACTS = """
SELECT pg_encoding_to_char(encoding), datcollate, datctype, to_jsonb(d) ->> 'datlocprovider',
  coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
  to_jsonb(d) ->> 'daticurules' FROM pg_database d WHERE datname = 'live'
"""


def requires(server: Server, kind: str) -> None:
    """Skip what the server does not know, or was not built with."""
    ((version,),) = server.admin("SELECT current_setting('server_version_num')::int")
    if version < SINCE.get(kind, 0):
        pytest.skip(f"PostgreSQL {version // 10000} has no {kind}")
    if kind.startswith("icu"):
        try:
            server.admin("CREATE COLLATION found_icu (provider = icu, locale = 'und')")
        except psycopg2.errors.FeatureNotSupported:
            pytest.skip("this PostgreSQL was built without ICU")
        server.admin("DROP COLLATION found_icu")


def words_of(kind: str) -> list[str]:
    """What the encoding can hold."""
    if kind == "euc-jp":
        return ["漢字", "かな", "a"]
    return WORDS


def statements(kind: str) -> list[str]:
    """Statements for what only comes back in the same encoding and collation."""
    name = words_of(kind)[0]
    values = ", ".join(f"('{word}')" for word in words_of(kind))
    found = [f'CREATE TABLE "{name}" (w text PRIMARY KEY)', f'INSERT INTO "{name}" VALUES {values}']
    if kind.startswith("icu"):
        found += [
            "CREATE COLLATION blind"
            " (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
            "CREATE TABLE collated (w text COLLATE blind UNIQUE)",
            "INSERT INTO collated VALUES ('x')",
        ]
    return found


@pytest.mark.every_version
@pytest.mark.parametrize("kind", KINDS)
def test_encoding_and_collation_come_back(
    server: Server,
    run_module: RunModule,
    restore: Restore,
    client: Path,
    tmp_path: Path,
    kind: str,
) -> None:
    requires(server, kind)
    server.admin(f"CREATE DATABASE live OWNER app TEMPLATE template0 {KINDS[kind]}")
    url = f"{address(server, 'live')}?client_encoding=utf8"
    name = words_of(kind)[0]
    run_sql(url, *statements(kind))
    query = f'SELECT w FROM "{name}" ORDER BY w'
    before = (server.admin(FACTS), run_sql(url, query), content(url))
    options = {"database_url": url, "backup_dir": str(tmp_path / "backups"), "globals": False}
    answer = run_module("pg_backup", {**options, "bin_dir": str(client)})
    assert not answer.get("failed"), answer
    answer = restore()
    assert by_name(answer, "backup.restorable", "live")["evidence"][0]["level"] == 6, answer
    run_sql(url, f'DELETE FROM "{name}"')
    answer = restore(state="restored", confirm="live")
    assert not answer.get("failed"), answer
    answer = restore(state="restored", tables=[name])
    assert not answer.get("failed"), answer
    copied = [table for table in content(url) if "_restored_" in table]
    assert len(copied) == 1
    run_sql(url, f"DROP TABLE {copied[0]}")
    after = (server.admin(FACTS), run_sql(url, query), content(url))
    assert after == before
