# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of PostgreSQL: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import BENCHMARKS, METRICS, Definition, above, below

CHECKS: dict[str, Definition] = {
    "postgres.reachable": Definition(
        "PostgreSQL accepts a connection and answers.",
        "Check PostgreSQL: 'systemctl status postgresql', its log and its disk; restart it if it does not run.",
        "seconds",
    ),
    "postgres.connections": Definition(
        "Client connections, of the slots that ordinary users can take.",
        "Check connection pool: see which app holds them in the evidence; end leaked sessions (playbooks/relieve_connections.yml), lower its pool size.",
        "percent",
        above(80, 90),
        f"{METRICS} (Database Connections, 80 of PostgreSQL's default of 100)",
    ),
    "postgres.relief": Definition(
        "No more slots than wanted are in use, and none had to be freed by ending idle sessions.",
        "End what nobody needs by hand, lower the pools of the apps in the evidence, or raise max_connections.",
    ),
    "postgres.maintenance": Definition(
        "Every table and index has the vacuum, statistics and room that it needs.",
        "See in the actions what was skipped or failed and why; run playbooks/database_maintenance.yml again when that has gone.",
    ),
    "postgres.idle_in_transaction": Definition(
        "Age of the oldest session that is idle inside an open transaction.",
        "Find the code path that forgets COMMIT; set idle_in_transaction_session_timeout for its role.",
        "seconds",
        above(60, 300),
        "an open transaction holds locks and keeps vacuum from cleaning",
    ),
    "postgres.long_transactions": Definition(
        "Age of the oldest running transaction of a client.",
        "Look at the statement in the evidence; cancel it with pg_cancel_backend(PID) if nobody needs it.",
        "seconds",
        above(300, 1800),
        "a transaction this old keeps vacuum from cleaning and blocks migrations",
    ),
    "postgres.cache_hit": Definition(
        "Share of block reads that were found in shared buffers in the window.",
        "Look for what reads much (sequential scans, a dump, maintenance, a restart); raise shared_buffers if the working set has grown.",
        "percent",
        below(90, 80),
        f"{BENCHMARKS} (Cache Hit Rate)",
    ),
    "postgres.query_time_mean": Definition(
        "Mean execution time of a statement in the window.",
        "Optimize the statements in the evidence, those with the largest total time first.",
        "seconds",
        above(0.05, 0.1),
        f"{BENCHMARKS} (Database Query)",
    ),
    "postgres.wraparound": Definition(
        "Age of the oldest unfrozen transaction id or multixact.",
        "Find what holds the horizon (old transaction, slot, prepared transaction), then VACUUM FREEZE the oldest table.",
        "count",
        above(1_300_000_000, 1_400_000_000),
        "check_postgres txn_wraparound; PostgreSQL's own failsafe starts at 1.6 thousand million",
    ),
    "postgres.replication": Definition(
        "How far the slowest standby is behind, in time.",
        "Check the standby's log, its disk and the network; an inactive slot keeps WAL until the disk is full.",
        "seconds",
        above(30, 300),
        "beyond five minutes a failover loses or delays too much",
    ),
    "postgres.archiver": Definition(
        "The archive command's last attempt worked, and few WAL segments wait for it.",
        "Read PostgreSQL's log for the archive command's error; WAL is kept until it works, so watch the disk.",
        "count",
        above(10, 100),
        "check_postgres archive_ready warns from 10 segments; a hundred are 1.6 GB that a lost disk takes along",
    ),
    "postgres.deadlocks": Definition(
        "Deadlocks that PostgreSQL had to break in the window.",
        "PostgreSQL's log names both statements; make the code take its locks in one order.",
        "count",
        above(0, 10),
        "each deadlock is one failed request",
    ),
    "postgres.blocked": Definition(
        "How long a session has waited for a lock that another one holds.",
        "Look at the session at the root in the evidence; end it with pg_terminate_backend(PID) if nobody needs it.",
        "seconds",
        above(60, 120),
        "check_postgres (locks): one and two minutes",
    ),
    "postgres.vacuum_horizon": Definition(
        "Transactions since the oldest snapshot that vacuum has to respect; dead rows younger than it stay.",
        "End what the evidence names first: a session, a prepared transaction, a replication slot or a standby's query.",
        "count",
        above(10_000_000, 100_000_000),
        "half of autovacuum_freeze_max_age (200 million) is critical, a tenth of that a warning",
    ),
    "postgres.prepared_transactions": Definition(
        "Age of the oldest prepared transaction, which outlives its session and every restart.",
        "Ask the transaction manager what became of it, then COMMIT PREPARED or ROLLBACK PREPARED it by its name.",
        "seconds",
        above(300, 1800),
        "as for any other open transaction",
    ),
    "postgres.vacuum_due": Definition(
        "Tables with more dead rows, or older ones, than autovacuum is to let pile up, without a vacuum for an hour and due at the last run, too.",
        "Run playbooks/database_maintenance.yml; if it happens again, look why autovacuum does not get there (workers, cost limit, locks).",
        "count",
        above(0, None),
        "autovacuum's own formula, with the parameters of each table",
    ),
    "postgres.statistics_due": Definition(
        "Tables whose statistics are missing or older than autovacuum is to let them become, for an hour at least and at the last run, too.",
        "Run playbooks/database_maintenance.yml; partitioned tables are never analyzed by autovacuum.",
        "count",
        above(0, None),
        "autovacuum's own formula, with the parameters of each table",
    ),
    "postgres.table_sizes": Definition(
        "How much the tables of a database have grown since the last run, and which are the largest.",
        "See in the evidence which table grows; delete or archive what is not needed, and plan the disk.",
        "percent",
        above(50, None),
        "half as much again in one run is worth a look; switch it off where that is usual",
    ),
    "postgres.table_bloat": Definition(
        "Room in large tables, TOAST not included, that holds no row and that only a rewrite gives back.",
        "Plan pg_repack, or on PostgreSQL 19 REPACK (CONCURRENTLY), for the tables in the evidence. VACUUM FULL locks everybody out.",
        "bytes",
        above(1024**3, 5 * 1024**3),
        "check_postgres (bloat)",
    ),
    "postgres.sequences": Definition(
        "How much of a sequence, or of the column that it fills, is used up.",
        "Make the column bigint and raise the sequence's MAXVALUE before the last number is given out.",
        "percent",
        above(85, 95),
        "check_postgres (sequence)",
    ),
    "postgres.index_bloat": Definition(
        "Room in B-tree indexes that a rebuild would give back; what is not worth a rebuild does not count.",
        "Run playbooks/database_maintenance.yml, which rebuilds them without blocking anyone.",
        "bytes",
        above(100 * 1024**2, None),
        "PgHero (index bloat)",
    ),
    "postgres.invalid_indexes": Definition(
        "Indexes whose build was cut off, not those at which somebody works: each write pays for them and no query uses them.",
        "Run playbooks/database_maintenance.yml, which drops leftovers and rebuilds the others.",
        "count",
        above(0, None),
        "any",
    ),
    "postgres.unused_indexes": Definition(
        "Size of indexes that no query has used since they were seen first and statistics began, a month ago at least, and that nothing else needs.",
        "Drop them as the evidence says (for a partitioned table CONCURRENTLY is not possible), and keep their definition.",
        "bytes",
        above(100 * 1024**2, None),
        "pgwatch (unused indexes)",
    ),
    "postgres.duplicate_indexes": Definition(
        "Indexes that another index of the same table makes superfluous.",
        "Drop the one that the evidence names with the statement there (for a partitioned table CONCURRENTLY is not possible).",
        "count",
        above(0, None),
        "any",
    ),
    "postgres.missing_indexes": Definition(
        "Large tables that are read from end to end 50 times a day and more: a hint that an index may be missing, not a proof.",
        "EXPLAIN the statements in the evidence; create an index with CREATE INDEX CONCURRENTLY if the plan shows that it helps.",
        "count",
        above(0, None),
        "runbook, Performance Review (10,000 rows for each sequential scan); PgHero (under 95 % by index)",
    ),
    "postgres.slow_statements": Definition(
        "Statements that take longer than a database query may take, of the 50 with the most time in the window.",
        "EXPLAIN (ANALYZE, BUFFERS) the statements in the evidence, those with the largest share of time first.",
        "count",
        above(0, None),
        f"{BENCHMARKS} (Database Query, 100 ms), statements that were called at least 20 times",
    ),
    "postgres.rollbacks": Definition(
        "Share of transactions that were rolled back in the window.",
        "Look for the errors in PostgreSQL's log and the app's; an app that rolls back on purpose wants another limit.",
        "percent",
        above(10, None),
        "the alerts of postgres_exporter (rollbacks)",
    ),
    "postgres.temp_files": Definition(
        "What sorts and hashes that found no room in work_mem have written to disk, a day.",
        "Find the statements with the most temp_blks_written in pg_stat_statements; give them an index or their role a larger work_mem.",
        "bytes",
        above(10 * 1024**3, None),
        "as much as all the memory of a small server; raise it where reports are built",
    ),
    "postgres.settings": Definition(
        "No parameter endangers data or switches off what the server needs, and none waits for a restart.",
        "Put right in postgresql.conf what the evidence names, then reload or restart PostgreSQL.",
    ),
    "postgres.collations": Definition(
        "The collations that indexes are sorted by are those of the operating system's libraries.",
        "REINDEX the indexes on text in the database, then ALTER DATABASE ... REFRESH COLLATION VERSION or ALTER COLLATION ... REFRESH VERSION.",
    ),
    "postgres.checksum_failures": Definition(
        "Reads of a page whose checksum was wrong: the disk has damaged data.",
        "Do not restart. Take a copy of the data, look at the disk and the kernel's log, restore what is damaged from a backup.",
        "count",
        above(None, 0),
        "any",
    ),
    "postgres.inspection": Definition(
        "Every database that was asked for could be looked into.",
        "Grant CONNECT on the database to the role, or leave the database out.",
    ),
}
