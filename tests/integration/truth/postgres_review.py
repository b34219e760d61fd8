"""PostgreSQL's review: duplicate indexes, databases that are not one's own, first runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from tests.conftest import by_name
from tests.support.postgres import Server, database, eventually, run_sql, throwaway
from tests.support.truth import NOT_JUDGED, Answer, Bed, situation

DUPLICATES = "postgres.duplicate_indexes database pairs"
TABLE = "CREATE TABLE t (a int NOT NULL, b int, c text, d int)"


def ask(bed: Bed, url: str, **options: object) -> Answer:
    state = str(bed.folder / "state")
    return bed.run("pg_review", {"database_url": url, "state_dir": state, **options})


def with_indexes(bed: Bed, *statements: str) -> Answer:
    url = bed.enter(database(Server(bed.fixture("stack")), "pairs"))
    run_sql(url, TABLE, "CREATE TABLE other (a int)", *statements)
    answer = ask(bed, url, areas=["indexes"])
    if drop := [row["statement"] for row in duplicates(answer)["evidence"]]:
        run_sql(url, *drop)
        assert duplicates(ask(bed, url, areas=["indexes"]))["value"] == 0
    return answer


def duplicates(answer: Answer) -> dict[str, Any]:
    return by_name(answer, *DUPLICATES.split(" ", 1))


def pair(words: str, verdict: str, *statements: str, says: str = "") -> None:
    """Enter a table with a pair of indexes."""

    @situation("review", words, {DUPLICATES: verdict}, says=says)
    def look(bed: Bed) -> Answer:
        return with_indexes(bed, *statements)


def on(*columns: str) -> list[str]:
    """Statements that create indexes ``i1``, ``i2`` … on these columns."""
    return [f"CREATE INDEX i{number} ON t {text}" for number, text in enumerate(columns, 1)]


def unique(*columns: str) -> list[str]:
    return [statement.replace("INDEX", "UNIQUE INDEX") for statement in on(*columns)]


for words, verdict, statements in (
    ("equal indexes", "warning", on("(b)", "(b)")),
    ("equal unique indexes", "warning", unique("(a)", "(a)")),
    (
        "equal unique indexes, one with a fillfactor",
        "warning",
        unique("(a)", "(a) WITH (fillfactor = 70)"),
    ),
    ("equal indexes, one with a fillfactor", "warning", on("(b)", "(b) WITH (fillfactor = 70)")),
    (
        "equal indexes, one that does not deduplicate",
        "warning",
        on("(b)", "(b) WITH (deduplicate_items = off)"),
    ),
    ("(b) beside (b DESC)", "warning", on("(b)", "(b DESC)")),
    ("(b) beside (b DESC NULLS LAST)", "ok", on("(b)", "(b DESC NULLS LAST)")),
    ("(b) beside (b NULLS FIRST)", "ok", on("(b)", "(b NULLS FIRST)")),
    ("(b DESC) beside (b, d)", "warning", on("(b DESC)", "(b, d)")),
    ("(b, d DESC) beside (b DESC, d)", "warning", on("(b, d DESC)", "(b DESC, d)")),
    ("(b, d DESC) beside (b, d)", "ok", on("(b, d DESC)", "(b, d)")),
    ("(b, d) beside (d, b)", "ok", on("(b, d)", "(d, b)")),
    ("another operator class", "ok", on("(c)", "(c text_pattern_ops)")),
    ("another collation", "ok", on('(c COLLATE "C")', '(c COLLATE "POSIX")')),
    ("equal partial indexes", "warning", on("(b) WHERE d > 1", "(b) WHERE d > 1")),
    ("a partial index beside a whole one", "ok", on("(b) WHERE d > 1", "(b)")),
    ("equal expressions", "warning", on("(lower(c))", "(lower(c))")),
    ("an expression that another index begins with", "warning", on("(lower(c))", "(lower(c), b)")),
    ("different expressions", "ok", on("(lower(c))", "(upper(c))")),
    ("(b) beside (b) INCLUDE (d)", "warning", on("(b)", "(b) INCLUDE (d)")),
    ("(b) INCLUDE (d) beside (b, d)", "warning", on("(b) INCLUDE (d)", "(b, d)")),
    ("(b) INCLUDE (d) beside (b)", "warning", on("(b) INCLUDE (d)", "(b)")),
    ("(b) INCLUDE (c) beside (b) INCLUDE (d)", "ok", on("(b) INCLUDE (c)", "(b) INCLUDE (d)")),
    ("a unique index beside a wider unique one", "ok", unique("(a)", "(a, b)")),
    ("an index beside a unique one", "warning", [*on("(a)"), "CREATE UNIQUE INDEX u ON t (a)"]),
    ("a hash index beside a B-tree", "ok", on("USING hash (b)", "(b)")),
    (
        "a unique index beside one that takes NULLs as equal",
        "warning",
        unique("(b)", "(b) NULLS NOT DISTINCT"),
    ),
    ("the primary key alone", "ok", ["ALTER TABLE t ADD PRIMARY KEY (a)"]),
    (
        "a unique index beside the primary key",
        "warning",
        ["ALTER TABLE t ADD PRIMARY KEY (a)", *unique("(a)")],
    ),
    (
        "a unique constraint beside one that is deferrable",
        "ok",
        [
            "ALTER TABLE t ADD CONSTRAINT x UNIQUE (a)",
            "ALTER TABLE t ADD CONSTRAINT y PRIMARY KEY (a) DEFERRABLE",
        ],
    ),
    (
        "a unique index that a foreign key needs beside the primary key",
        "ok",
        [
            *unique("(a)"),
            "ALTER TABLE other ADD FOREIGN KEY (a) REFERENCES t (a)",
            "ALTER TABLE t ADD PRIMARY KEY (a)",
        ],
    ),
    (
        "a unique index beside the one that is the replica identity",
        "warning",
        [*unique("(a)", "(a)"), "ALTER TABLE t REPLICA IDENTITY USING INDEX i1"],
    ),
):
    pair(f"{words} on one table", verdict, *statements)

pair(
    "a unique constraint beside the primary key on one table",
    "warning",
    "ALTER TABLE t ADD PRIMARY KEY (a)",
    "ALTER TABLE t ADD CONSTRAINT again UNIQUE (a)",
    says="t_pkey covers public.again",
)


def own_server(bed: Bed, **settings: str | int) -> Server:
    programs = Path(bed.fixture("stack").settings["bin"]["postgres"])
    return Server(bed.enter(throwaway(programs, **settings)))


@situation(
    "review",
    "databases of the provider, which nobody else may open, and one that is left out by name",
    {"postgres.inspection": "ok"},
    says="2 databases inspected: shop, postgres",
)
def provider(bed: Bed) -> Answer:
    server = own_server(bed)
    for name in ("rdsadmin", "cloudsqladmin", "azure_maintenance", "_dodb", "scratch_1"):
        server.admin(f"CREATE DATABASE {name}", f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
    more = {"databases": ["*"], "ignore_databases": ["scratch*"]}
    answer = ask(bed, server.url(), areas=["tables"], **more)
    refused = [check for check in answer["checks"] if check["subject"] == "database rdsadmin"]
    assert refused == []
    return answer


@situation(
    "review",
    "a database of the provider that is named in full",
    {"postgres.inspection database rdsadmin": "unknown"},
    says="GRANT CONNECT",
)
def provider_by_name(bed: Bed) -> Answer:
    server = own_server(bed)
    server.admin("CREATE DATABASE rdsadmin", "REVOKE CONNECT ON DATABASE rdsadmin FROM PUBLIC")
    return ask(bed, server.url(), areas=["tables"], databases=["rdsadmin"])


@situation(
    "review",
    "a DROP DATABASE was interrupted",
    {"postgres.inspection database half": "unknown", "postgres.inspection ": "ok"},
    says='is invalid: a DROP DATABASE was interrupted(?s:.*)DROP DATABASE "half"',
    never="ALLOW_CONNECTIONS",
)
def invalid_database(bed: Bed) -> Answer:
    server = own_server(bed)
    server.admin(
        "CREATE DATABASE half",
        "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half'",
    )
    return ask(bed, server.admin_url, areas=["tables"], databases=["*"])


@contextmanager
def prepared(server: Server) -> Iterator[None]:
    """A prepared transaction that holds a lock on a row, which a session waits for."""
    run_sql(server.url(), "CREATE TABLE stock (n int)", "INSERT INTO stock VALUES (1)")
    with closing(psycopg2.connect(server.url())) as first:
        first.tpc_begin("order-7")
        first.cursor().execute("UPDATE stock SET n = 2")
        first.tpc_prepare()
    with server.running("UPDATE stock SET n = 3"):
        # Times are judged to a tenth of a second.
        waits = "SELECT pid FROM pg_locks WHERE clock_timestamp() - waitstart > '0.2 s'"
        eventually(lambda: server.admin(waits))
        yield
        run_sql(server.url(), "ROLLBACK PREPARED 'order-7'")


@situation(
    "review",
    "a session waits for a prepared transaction",
    {
        "postgres.blocked": "warning",
        "postgres.prepared_transactions": "warning",
    },
    says="at the root: prepared transaction 'order-7'(?s:.*)ROLLBACK PREPARED 'order-7'",
    never=r"pg_terminate_backend|-\d+ m?s\b",
)
def blocked_by_prepared(bed: Bed) -> Answer:
    server = own_server(bed, max_prepared_transactions=5)
    bed.enter(prepared(server))
    limits = {name: {"warning": 0} for name in ("blocked", "prepared_transactions")}
    thresholds = {f"postgres.{name}": levels for name, levels in limits.items()}
    return ask(bed, server.admin_url, areas=["locks"], thresholds=thresholds)


FIRST = {
    "postgres.rollbacks": NOT_JUDGED,
    "postgres.temp_files": "ok",
    "postgres.table_sizes database shop": NOT_JUDGED,
    "postgres.unused_indexes database shop": NOT_JUDGED,
    "postgres.vacuum_due database shop": "ok",
    "postgres.missing_indexes database shop": "ok",
    "postgres.duplicate_indexes database shop": "ok",
    "postgres.blocked": "ok",
    "postgres.prepared_transactions": "ok",
}


@situation("review", "the first review of a healthy server that nobody has used yet", FIRST)
def first_review(bed: Bed) -> Answer:
    server = own_server(bed)
    run_sql(
        server.url(),
        "CREATE TABLE big (id int PRIMARY KEY, a int)",
        "INSERT INTO big SELECT g, g FROM generate_series(1, 900000) g",
        "CREATE INDEX big_a ON big (a)",
        "VACUUM ANALYZE big",
    )
    own = server.own
    url = server.url(own["admin_user"], own["admin_password"], own["database"])
    return ask(bed, url, thresholds={"postgres.unused_indexes": {"warning": 0}})
