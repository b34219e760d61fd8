# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daily checks of PostgreSQL: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ...core.definition import BENCHMARKS, METRICS, Definition, above, below

#: The checks of the modules pg_review, pg_sessions, pg_maintenance and pg_recovery, which validate
#: overrides of their thresholds. Only names, so that the daily probe does not carry their texts.
OTHER_CHECKS = tuple(
    f"postgres.{name}"
    for name in [
        "blocked",
        "collations",
        "duplicate_indexes",
        "index_bloat",
        "inspection",
        "invalid_indexes",
        "maintenance",
        "missing_indexes",
        "prepared_transactions",
        "recovery",
        "relief",
        "rollbacks",
        "sequences",
        "settings",
        "slow_statements",
        "statistics_due",
        "table_bloat",
        "table_sizes",
        "temp_files",
        "unused_indexes",
        "vacuum_due",
        "vacuum_horizon",
    ]
)

CHECKS: dict[str, Definition] = {
    "postgres.reachable": Definition(
        "PostgreSQL accepts a connection and answers.",
        "Check PostgreSQL: 'systemctl status postgresql', its log and its disk; restart it if it "
        "is not running.",
        "seconds",
    ),
    "postgres.writable": Definition(
        "Seconds that the oldest commit has waited for a synchronous standby. Critical at once "
        "if every write would fail or hang: read-only, no standby that must confirm, no "
        "transaction IDs left, a test write (canary) that fails.",
        "Read PostgreSQL's log around this time.",
        "seconds",
        above(5, 30),
        "a commit normally waits for milliseconds; callers give up after 30 seconds at the latest",
    ),
    "postgres.connections": Definition(
        "Client connections, as a share of the slots that ordinary users can take.",
        "Check connection pool: the evidence shows which app holds them; end leaked sessions "
        "(playbooks/relieve_connections.yml), lower its pool size.",
        "percent",
        above(80, 90),
        f"{METRICS} (Database Connections, 80 of PostgreSQL's default of 100)",
    ),
    "postgres.idle_in_transaction": Definition(
        "Age of the oldest session that is idle inside an open transaction.",
        "Find the code path that does not COMMIT; set idle_in_transaction_session_timeout for its "
        "role.",
        "seconds",
        above(60, 300),
        "an open transaction holds locks and keeps vacuum from removing dead rows",
    ),
    "postgres.long_transactions": Definition(
        "Age of the oldest running transaction of a client.",
        "Check the statement in the evidence; if it is not needed, cancel it with "
        "pg_cancel_backend(PID).",
        "seconds",
        above(300, 1800),
        "a transaction this old keeps vacuum from removing dead rows and blocks migrations",
    ),
    "postgres.cache_hit": Definition(
        "Share of block reads that were found in shared buffers in the window.",
        "Find what reads much (sequential scans, a dump, maintenance, a restart); raise "
        "shared_buffers if the working set has grown.",
        "percent",
        below(90, 80),
        f"{BENCHMARKS} (Cache Hit Rate)",
    ),
    "postgres.query_time_mean": Definition(
        "Mean execution time of the queries that apps repeat, in the window; without utility "
        "statements, bulk loads and what was called fewer than 10 times.",
        "Optimize the statements in the evidence, those with the largest total time first.",
        "seconds",
        above(0.05, 0.1),
        f"{BENCHMARKS} (Database Query)",
    ),
    "postgres.wraparound": Definition(
        "Age of the oldest unfrozen transaction ID or multixact ID.",
        "Find what holds back the xmin horizon (old transaction, slot, prepared transaction), then "
        "VACUUM FREEZE the oldest table.",
        "count",
        above(1_300_000_000, 1_400_000_000),
        "check_postgres txn_wraparound; PostgreSQL's own failsafe starts at 1.6 billion",
    ),
    "postgres.replication": Definition(
        "How far the slowest standby is behind, in time.",
        "Check the standby's log, its disk and the network; an inactive slot keeps WAL until the "
        "disk is full.",
        "seconds",
        above(30, 300),
        "beyond five minutes a failover loses or delays too much",
    ),
    "postgres.archiver": Definition(
        "The archive command's last attempt succeeded, and few WAL segments wait for it.",
        "Read PostgreSQL's log for the archive command's error; WAL is kept until it succeeds, so "
        "watch the disk.",
        "count",
        above(10, 100),
        "check_postgres archive_ready warns from 10 segments; if the disk fails, 100 waiting "
        "segments are 1.6 GB of lost changes",
    ),
    "postgres.deadlocks": Definition(
        "Deadlocks that PostgreSQL had to break in the window.",
        "PostgreSQL's log names both statements; make the code take its locks in one order.",
        "count",
        above(0, 10),
        "each deadlock is one failed request",
    ),
    "postgres.checksum_failures": Definition(
        "Reads of a page whose checksum was wrong: the disk has damaged data.",
        "Do not restart. Copy the data, check the disk and the kernel's log, restore what is "
        "damaged from a backup. Once repaired, SELECT pg_stat_reset() in that database sets the "
        "count to zero.",
        "count",
        above(None, 0),
        "any",
    ),
}
