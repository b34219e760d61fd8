# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The in-depth checks of PostgreSQL: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ...core.definition import BENCHMARKS, Definition, above

CHECKS: dict[str, Definition] = {
    "postgres.blocked": Definition(
        "The longest wait of a session for a lock that another session holds.",
        "Check the session at the root in the evidence; if it is not needed, end it with "
        "pg_terminate_backend(PID).",
        "seconds",
        above(60, 120),
        "check_postgres (locks): one and two minutes",
    ),
    "postgres.vacuum_horizon": Definition(
        "Age of the xmin horizon in transactions; vacuum cannot remove rows that died since.",
        "End what the evidence names first: a session, a prepared transaction, a replication slot "
        "or a standby's query.",
        "count",
        above(10_000_000, 100_000_000),
        "half of autovacuum_freeze_max_age (200 million) is critical, a tenth of that a warning",
    ),
    "postgres.prepared_transactions": Definition(
        "Age of the oldest prepared transaction, which outlives its session and every restart.",
        "Ask the transaction manager for its outcome, then COMMIT PREPARED or ROLLBACK PREPARED it "
        "by its name.",
        "seconds",
        above(300, 1800),
        "as for any other open transaction",
    ),
    "postgres.vacuum_due": Definition(
        "Tables with more dead rows, or older ones, than autovacuum should leave, not vacuumed for "
        "an hour and due at the last run as well.",
        "Run playbooks/database_maintenance.yml; if it happens again, find out why autovacuum does "
        "not keep up (workers, cost limit, locks).",
        "count",
        above(0, None),
        "autovacuum's own formula, with the parameters of each table",
    ),
    "postgres.statistics_due": Definition(
        "Tables whose statistics are missing or older than autovacuum should leave them, for at "
        "least an hour and at the last run as well.",
        "Run playbooks/database_maintenance.yml; autovacuum never analyzes partitioned tables.",
        "count",
        above(0, None),
        "autovacuum's own formula, with the parameters of each table",
    ),
    "postgres.table_sizes": Definition(
        "Growth of a database's tables since the last run, and the largest tables.",
        "The evidence shows which table grows; delete or archive what is not needed, and plan the "
        "disk.",
        "percent",
        above(50, None),
        "growth by half in one run deserves attention; switch it off where that is usual",
    ),
    "postgres.table_bloat": Definition(
        "Empty space in large tables, without TOAST, that only a rewrite gives back.",
        "Plan pg_repack, or on PostgreSQL 19 REPACK (CONCURRENTLY), for the tables in the "
        "evidence. VACUUM FULL blocks all access while it runs.",
        "bytes",
        above(1024**3, 5 * 1024**3),
        "check_postgres (bloat)",
    ),
    "postgres.sequences": Definition(
        "How much of a sequence, or of the column that it fills, is used up.",
        "Make the column bigint and raise the sequence's MAXVALUE before it reaches its last "
        "number.",
        "percent",
        above(85, 95),
        "check_postgres (sequence)",
    ),
    "postgres.index_bloat": Definition(
        "Empty space in B-tree indexes that are worth a rebuild.",
        "Run playbooks/database_maintenance.yml, which rebuilds them without blocking anyone.",
        "bytes",
        above(100 * 1024**2, None),
        "PgHero (index bloat)",
    ),
    "postgres.invalid_indexes": Definition(
        "Indexes whose build was interrupted and is not running: every write pays for them and no "
        "query uses them.",
        "Run playbooks/database_maintenance.yml, which drops leftovers and rebuilds the others.",
        "count",
        above(0, None),
        "any",
    ),
    "postgres.unused_indexes": Definition(
        "Size of indexes that no query has used since they were first seen and statistics began, "
        "at least a month ago, and that nothing else needs.",
        "Drop them with the statements in the evidence (not CONCURRENTLY for a partitioned table), "
        "and keep their definitions.",
        "bytes",
        above(100 * 1024**2, None),
        "pgwatch (unused indexes)",
    ),
    "postgres.duplicate_indexes": Definition(
        "Indexes that another index of the same table makes redundant.",
        "Drop the one that the evidence names with the statement there (not CONCURRENTLY for a "
        "partitioned table). Keep a constraint that a statement names (ON CONFLICT ON CONSTRAINT).",
        "count",
        above(0, None),
        "any",
    ),
    "postgres.missing_indexes": Definition(
        "Large tables with 50 sequential scans a day or more: a hint that an index may be missing, "
        "not proof.",
        "EXPLAIN the statements in the evidence; if the plan shows that an index helps, create it "
        "with CREATE INDEX CONCURRENTLY.",
        "count",
        above(0, None),
        "runbook, Performance Review (10,000 rows for each sequential scan); PgHero (under 95 % "
        "by index)",
    ),
    "postgres.slow_statements": Definition(
        "Statements slower than a database query should be, of the 50 with the most time in the "
        "window.",
        "EXPLAIN (ANALYZE, BUFFERS) the statements in the evidence, those with the largest share "
        "of time first.",
        "count",
        above(0, None),
        f"{BENCHMARKS} (Database Query, 100 ms), statements that were called at least 20 times",
    ),
    "postgres.rollbacks": Definition(
        "Share of transactions that were rolled back in the window.",
        "Find the errors in PostgreSQL's log and the app's; if the app rolls back on purpose, "
        "raise the threshold.",
        "percent",
        above(10, None),
        "the alerts of postgres_exporter (rollbacks)",
    ),
    "postgres.temp_files": Definition(
        "Bytes a day that sorts and hashes larger than work_mem have written to disk.",
        "Find the statements with the most temp_blks_written in pg_stat_statements; give them an "
        "index or their role a larger work_mem.",
        "bytes",
        above(10 * 1024**3, None),
        "as much as all the memory of a small server; raise it where reports are built",
    ),
    "postgres.settings": Definition(
        "No parameter endangers data or disables what the server needs, and none waits for a "
        "restart.",
        "Correct in postgresql.conf what the evidence names, then reload or restart PostgreSQL.",
    ),
    "postgres.collations": Definition(
        "The collations that indexes are sorted by are those of the operating system's libraries.",
        "REINDEX the indexes on text in the database, then ALTER DATABASE ... REFRESH COLLATION "
        "VERSION or ALTER COLLATION ... REFRESH VERSION.",
    ),
    "postgres.inspection": Definition(
        "Every requested database could be inspected.",
        "Grant CONNECT on the database to the role, or leave the database out.",
    ),
}
