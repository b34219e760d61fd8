"""What the tests of restores share: a database with everything in it, and what it holds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import RunModule
from tests.support.postgres import Server
from tests.support.postgres import run_sql as run_counted

#: Runs the module on the database ``live``: ``restore(state="restored", confirm="live")``.
Restore = Callable[..., dict[str, Any]]

#: Statements for a database that holds one of everything that a dump can lose.
EVERYTHING = [
    'CREATE SCHEMA "Übung"',
    'CREATE EXTENSION pgstattuple SCHEMA "Übung"',
    "CREATE TYPE mood AS ENUM ('sad', 'ok')",
    "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
    'CREATE TABLE "Übung"."Mixed Case" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,'
    " n numeric, f float8, t text, b bytea, j jsonb, a int[], m mood, p positive, r int4range,"
    " ts timestamptz, d date, i interval, u uuid, ip inet, bits bit(3), x money, v tsvector,"
    " twice numeric GENERATED ALWAYS AS (n * 2) STORED)",
    'INSERT INTO "Übung"."Mixed Case" (n, f, t, b, j, a, m, p, r, ts, d, i, u, ip, bits, x, v)'
    " SELECT g / 3.0, sqrt(g), 'ü\t\\' || g || E'\\n', decode(md5(g::text), 'hex'),"
    " jsonb_build_object('k', g), ARRAY[g, NULL], 'ok', g, int4range(g, g + 5),"
    " '2026-01-01'::timestamptz + g * interval '1 min', '2026-01-01'::date + g % 999,"
    " g * interval '1 day', md5(g::text)::uuid, '10.0.0.1', B'101', '12.30', to_tsvector('a b')"
    " FROM generate_series(1, 3000) g",
    "CREATE TABLE events (id int, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
    "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-07-01')",
    "CREATE TABLE events_2 PARTITION OF events DEFAULT",
    "INSERT INTO events SELECT g, '2026-01-01'::date + g FROM generate_series(1, 400) g",
    "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (extra text) INHERITS (parent)",
    "INSERT INTO parent SELECT generate_series(1, 10); INSERT INTO child SELECT 99, 'x'",
    "CREATE TABLE hen (id int PRIMARY KEY, egg int)",
    "CREATE TABLE egg (id int PRIMARY KEY, hen int REFERENCES hen DEFERRABLE INITIALLY DEFERRED)",
    "ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg DEFERRABLE INITIALLY DEFERRED",
    "BEGIN; INSERT INTO hen VALUES (1, 1); INSERT INTO egg VALUES (1, 1); COMMIT",
    "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN NEW.egg := NEW.egg; RETURN NEW; END$$",
    "CREATE TRIGGER shouts BEFORE UPDATE ON hen FOR EACH ROW EXECUTE FUNCTION shout()",
    "CREATE VIEW few AS SELECT * FROM parent WHERE id < 5",
    "CREATE MATERIALIZED VIEW many AS SELECT * FROM parent",
    "INSERT INTO parent VALUES (11)",  # the view is outdated from now on
    "CREATE SEQUENCE counter START 5; SELECT nextval('counter'), nextval('counter')",
    "CREATE SEQUENCE unused",
    "SELECT lo_from_bytea(0, '\\x0102'), lo_from_bytea(0, '\\x03')",
    'CREATE INDEX ON "Übung"."Mixed Case" USING gin (v)',
    'CREATE INDEX ON "Übung"."Mixed Case" (lower(t) text_pattern_ops) WHERE p > 10',
    "CREATE STATISTICS both_columns ON id, at FROM events",
    "ALTER TABLE hen ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON hen USING (id > 0)",
    "COMMENT ON TABLE hen IS 'it''s \\ a hen'",
    'GRANT SELECT ON hen TO reader WITH GRANT OPTION; GRANT USAGE ON SCHEMA "Übung" TO PUBLIC',
    "ALTER TABLE events OWNER TO app",
]


def run_sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements, without waiting for the statistics."""
    return run_counted(url, *statements, counted=False)


def address(server: Server, database: str) -> str:
    """A URL of the administrator."""
    own = server.own
    return server.url(own["admin_user"], own["admin_password"], database)


def properties(name: str) -> list[str]:
    """Statements that give a database what belongs to it and not into it."""
    return [
        f"ALTER DATABASE {name} SET search_path = '$user', public, \"Übung\"",
        f"ALTER DATABASE {name} SET work_mem = '7MB'",
        f"ALTER ROLE reader IN DATABASE {name} SET statement_timeout = '5s'",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {name} TO reader WITH GRANT OPTION",
        f"ALTER DATABASE {name} CONNECTION LIMIT 40",
        f"COMMENT ON DATABASE {name} IS 'the app''s own\ndatabase'",
    ]


def content(url: str) -> dict[str, str]:
    """A hash of the rows of every table."""
    tables = run_sql(
        url,
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE relkind IN ('r', 'p') AND nspname !~ '^pg_' AND nspname <> 'information_schema'",
    )
    return {
        table: str(
            run_sql(
                url,
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"
                f" FROM ONLY {table} t",
            )[0][0]
        )
        for (table,) in tables
    } | {
        "large objects": str(
            run_sql(url, "SELECT md5(string_agg(data, '' ORDER BY loid)) FROM pg_largeobject")[0][0]
        )
    }


def schema(url: str, programs: Path) -> str:
    """The schema as pg_dump writes it, without what differs from one dump to the next."""
    dump = [programs / "pg_dump", f"--dbname={url}", "--schema-only"]
    text = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith("\\"))


def flip(path: Path) -> None:
    """Change one byte in the middle of the largest file."""
    file = max(path.iterdir(), key=lambda each: each.stat().st_size)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x55
    file.write_bytes(data)


def made_backup(
    server: Server, run_module: RunModule, client: Path, folder: Path, more: str = ""
) -> Path:
    """The backup of a small database ``live``, whose rows have changed since."""
    server.admin("CREATE DATABASE live OWNER app")
    url = address(server, "live")
    run_sql(
        url,
        f"CREATE TABLE t (id int PRIMARY KEY, word text) {more}",
        "INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 20000) g",
    )
    backups = folder / "backups"
    options = {"database_url": url, "backup_dir": str(backups), "bin_dir": str(client)}
    answer = run_module("pg_backup", {**options, "globals": False})
    assert not answer.get("failed"), answer
    run_sql(url, "DELETE FROM t WHERE id > 5")
    return next((backups / "live").glob("*.dir"))


def rows(server: Server) -> int:
    return int(run_sql(address(server, "live"), "SELECT count(*) FROM t")[0][0])


def others(server: Server) -> list[str]:
    """Databases that a restore has made."""
    found = server.admin("SELECT datname FROM pg_database WHERE datname LIKE 'live!_%' ESCAPE '!'")
    return [name for (name,) in found]


def unfinished(server: Server) -> list[str]:
    """New databases that are not in use yet."""
    return [name for name in others(server) if "_restore_" in name]


def arguments(server: Server, backup: Path, client: Path) -> dict[str, Any]:
    return {
        "database_url": address(server, "live"),
        "backup_dir": str(backup.parent.parent),
        "bin_dir": str(client),
        "safety_backup": False,
        "state": "restored",
        "confirm": "live",
    }


def proofs(backup: Path) -> list[tuple[int, str]]:
    """Every proof in its manifest, and what was wrong."""
    manifest = json.loads(next(backup.parent.glob("*.json")).read_text())
    return [(proof["level"], proof["problem"]) for proof in manifest["proofs"]]
