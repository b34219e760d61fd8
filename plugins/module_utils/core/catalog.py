# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check by name, with its limits and remedy.

The limits are those of the runbook's tables "System Metrics to Monitor" and "Performance Benchmarks". Where a table gives
one limit it is the warning, and the critical limit is a default beyond it; where it gives Target and Acceptable, these are
warning and critical. A limit that the runbook does not give names its source.
"""

from __future__ import annotations

from dataclasses import dataclass

from .check import CRITICAL, OK, WARNING

METRICS = "runbook, System Metrics to Monitor"
BENCHMARKS = "runbook, Performance Benchmarks"


@dataclass(frozen=True)
class Limit:
    """The limits of one check; a missing one never applies."""

    warning: float | None = None
    critical: float | None = None
    below: bool = False
    """Values below the limits are bad, and not those above."""

    def judge(self, value: float) -> str:
        for status, limit in ((CRITICAL, self.critical), (WARNING, self.warning)):
            if limit is not None and (value < limit if self.below else value > limit):
                return status
        return OK


@dataclass(frozen=True)
class Definition:
    """What is known of a check before anything is measured."""

    meaning: str
    remedy: str
    unit: str = ""
    limit: Limit = Limit()
    source: str = ""
    """Where the limits come from; empty for a check that is a plain yes or no."""


def _above(warning: float | None, critical: float | None) -> Limit:
    return Limit(warning, critical)


def _below(warning: float, critical: float) -> Limit:
    return Limit(warning, critical, below=True)


CATALOG: dict[str, Definition] = {
    # --- the host -------------------------------------------------------------------------------------------------
    "host.reachable": Definition(
        "Ansible can log in to the host and run Python there.",
        "Check that the machine is up, its network, and the SSH login: 'ansible -m ansible.builtin.ping HOST'.",
    ),
    "host.cpu": Definition(
        "Share of all processors that was busy during the sample.",
        "Scale up or optimize: find the busiest processes with 'top' and slow endpoints in the logs.",
        "percent",
        _above(80, 95),
        METRICS,
    ),
    "host.memory": Definition(
        "Share of memory that is not available to programs, of the machine's or the container's own limit.",
        "Check for memory leaks: the largest processes are in the evidence; 'pm2 restart' of a leaking app gives time.",
        "percent",
        _above(85, 95),
        METRICS,
    ),
    "host.disk_used": Definition(
        "Share of a mounted file system that is used, as unprivileged programs see it.",
        "Clean logs, increase storage: 'du -xh --max-depth=2 MOUNT | sort -h' shows what fills it.",
        "percent",
        _above(80, 90),
        METRICS,
    ),
    "host.inodes_used": Definition(
        "Share of a mounted file system's inodes that is used.",
        "Find the folder with very many small files (sessions, caches, mail queues) and clean it.",
        "percent",
        _above(80, 90),
        f"{METRICS} (Disk Space)",
    ),
    "host.load": Definition(
        "Five-minute load average for each processor.",
        "See what runs or waits for the disk: 'top', 'ps -eo stat,pid,cmd | grep ^D', then scale up or optimize.",
        "",
        _above(2, 4),
        "two waiting tasks a processor make everything take twice as long",
    ),
    "host.swap": Definition(
        "Share of swap space in use.",
        "Memory is or was short: check for memory leaks, give the machine more memory.",
        "percent",
        _above(50, 90),
        "swap half full leaves little between a leak and the OOM killer",
    ),
    "host.oom_kills": Definition(
        "Processes that the kernel killed for lack of memory in the window.",
        "See who was killed with 'journalctl -k | grep -i oom'; limit or fix that process, or add memory.",
        "count",
        _above(0, 5),
        "every OOM kill takes a process that someone needed",
    ),
    "host.failed_units": Definition(
        "systemd units in the state failed.",
        "Read 'systemctl status UNIT' and 'journalctl -u UNIT'; when mended, 'systemctl reset-failed UNIT'.",
        "count",
        _above(0, None),
        "a failed unit is work that is not being done",
    ),
    "host.clock": Definition(
        "Largest error of the system clock that its synchronisation allows for.",
        "Start time synchronisation: 'timedatectl set-ntp true', then 'timedatectl timesync-status' or 'chronyc tracking'.",
        "seconds",
        _above(2, None),
        "between two looks at its servers, half an hour apart, systemd-timesyncd lets the kernel's bound grow by one second",
    ),
    # --- the app --------------------------------------------------------------------------------------------------
    "app.process": Definition(
        "All wanted instances of the app are online under PM2, and none is in a crash loop.",
        "Read the app's error log, then 'pm2 restart APP'; if it fails again, roll back the last deployment.",
        "count",
    ),
    "app.restarts": Definition(
        "Restarts of the instance that restarted most in the window, those by hand and by deployments included.",
        "Read the app's error log around the restarts; a restart for memory is in PM2's own log, pm2.log.",
        "count",
        _above(5, 15),
        "more than a day's deployments; PM2 itself gives up after 16 unstable restarts",
    ),
    "app.memory": Definition(
        "Memory of the largest instance, of the limit at which PM2 restarts it.",
        "Check for memory leaks: restart the app as immediate fix, profile it to find the leak.",
        "percent",
        _above(85, 95),
        f"{METRICS} (Memory Usage)",
    ),
    "app.errors": Definition(
        "Messages in the app's error log in the window, counted by shape.",
        "Investigate the most frequent message first; compare its first appearance with the last deployment.",
        "count",
        _above(10, 100),
        "the runbook asks to review them and gives no limit",
    ),
    # --- the web --------------------------------------------------------------------------------------------------
    "web.endpoint": Definition(
        "The URL answers with the expected status and content over verified TLS.",
        "Check the app's process, its error log and nginx: 'pm2 status', 'nginx -t', 'systemctl status nginx'.",
    ),
    "web.response_time_p95": Definition(
        "95th percentile of the time from request to the complete answer of an API endpoint.",
        "Check slow queries, then the app's processor use and its connection pool.",
        "seconds",
        _above(0.5, 1.0),
        f"{BENCHMARKS} (API Response); its critical limit is that of System Metrics to Monitor",
    ),
    "web.page_load_time": Definition(
        "95th percentile of the time from request to the complete answer of a page.",
        "Check slow queries and the size of the page; add caching where appropriate.",
        "seconds",
        _above(1.0, 2.0),
        f"{BENCHMARKS} (Homepage Load)",
    ),
    # --- PostgreSQL -----------------------------------------------------------------------------------------------
    "postgres.reachable": Definition(
        "PostgreSQL accepts a connection and answers.",
        "Check PostgreSQL: 'systemctl status postgresql', its log and its disk; restart it if it does not run.",
        "seconds",
    ),
    "postgres.connections": Definition(
        "Client connections, of the slots that ordinary users can take.",
        "Check connection pool: see which app holds them in the evidence; end leaked sessions (playbooks/relieve_connections.yml), lower its pool size.",
        "percent",
        _above(80, 90),
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
        _above(60, 300),
        "an open transaction holds locks and keeps vacuum from cleaning",
    ),
    "postgres.long_transactions": Definition(
        "Age of the oldest running transaction of a client.",
        "Look at the statement in the evidence; cancel it with pg_cancel_backend(PID) if nobody needs it.",
        "seconds",
        _above(300, 1800),
        "a transaction this old keeps vacuum from cleaning and blocks migrations",
    ),
    "postgres.cache_hit": Definition(
        "Share of block reads that were found in shared buffers in the window.",
        "Look for what reads much (sequential scans, a dump, maintenance, a restart); raise shared_buffers if the working set has grown.",
        "percent",
        _below(90, 80),
        f"{BENCHMARKS} (Cache Hit Rate)",
    ),
    "postgres.query_time_mean": Definition(
        "Mean execution time of a statement in the window.",
        "Optimize the statements in the evidence, those with the largest total time first.",
        "seconds",
        _above(0.05, 0.1),
        f"{BENCHMARKS} (Database Query)",
    ),
    "postgres.wraparound": Definition(
        "Age of the oldest unfrozen transaction id or multixact.",
        "Find what holds the horizon (old transaction, slot, prepared transaction), then VACUUM FREEZE the oldest table.",
        "count",
        _above(1_300_000_000, 1_400_000_000),
        "check_postgres txn_wraparound; PostgreSQL's own failsafe starts at 1.6 thousand million",
    ),
    "postgres.replication": Definition(
        "How far the slowest standby is behind, in time.",
        "Check the standby's log, its disk and the network; an inactive slot keeps WAL until the disk is full.",
        "seconds",
        _above(30, 300),
        "beyond five minutes a failover loses or delays too much",
    ),
    "postgres.archiver": Definition(
        "The archive command's last attempt worked, and few WAL segments wait for it.",
        "Read PostgreSQL's log for the archive command's error; WAL is kept until it works, so watch the disk.",
        "count",
        _above(10, 100),
        "check_postgres archive_ready warns from 10 segments; a hundred are 1.6 GB that a lost disk takes along",
    ),
    "postgres.deadlocks": Definition(
        "Deadlocks that PostgreSQL had to break in the window.",
        "PostgreSQL's log names both statements; make the code take its locks in one order.",
        "count",
        _above(0, 10),
        "each deadlock is one failed request",
    ),
    "postgres.blocked": Definition(
        "How long a session has waited for a lock that another one holds.",
        "Look at the session at the root in the evidence; end it with pg_terminate_backend(PID) if nobody needs it.",
        "seconds",
        _above(60, 120),
        "check_postgres (locks): one and two minutes",
    ),
    "postgres.vacuum_horizon": Definition(
        "Transactions since the oldest snapshot that vacuum has to respect; dead rows younger than it stay.",
        "End what the evidence names first: a session, a prepared transaction, a replication slot or a standby's query.",
        "count",
        _above(10_000_000, 100_000_000),
        "half of autovacuum_freeze_max_age (200 million) is critical, a tenth of that a warning",
    ),
    "postgres.prepared_transactions": Definition(
        "Age of the oldest prepared transaction, which outlives its session and every restart.",
        "Ask the transaction manager what became of it, then COMMIT PREPARED or ROLLBACK PREPARED it by its name.",
        "seconds",
        _above(300, 1800),
        "as for any other open transaction",
    ),
    "postgres.vacuum_due": Definition(
        "Tables with more dead rows, or older ones, than autovacuum is to let pile up, without a vacuum for an hour and due at the last run, too.",
        "Run playbooks/database_maintenance.yml; if it happens again, look why autovacuum does not get there (workers, cost limit, locks).",
        "count",
        _above(0, None),
        "autovacuum's own formula, with the parameters of each table",
    ),
    "postgres.statistics_due": Definition(
        "Tables whose statistics are missing or older than autovacuum is to let them become, for an hour at least and at the last run, too.",
        "Run playbooks/database_maintenance.yml; partitioned tables are never analyzed by autovacuum.",
        "count",
        _above(0, None),
        "autovacuum's own formula, with the parameters of each table",
    ),
    "postgres.table_sizes": Definition(
        "How much the tables of a database have grown since the last run, and which are the largest.",
        "See in the evidence which table grows; delete or archive what is not needed, and plan the disk.",
        "percent",
        _above(50, None),
        "half as much again in one run is worth a look; switch it off where that is usual",
    ),
    "postgres.table_bloat": Definition(
        "Room in large tables, TOAST not included, that holds no row and that only a rewrite gives back.",
        "Plan pg_repack, or on PostgreSQL 19 REPACK (CONCURRENTLY), for the tables in the evidence. VACUUM FULL locks everybody out.",
        "bytes",
        _above(1024**3, 5 * 1024**3),
        "check_postgres (bloat)",
    ),
    "postgres.sequences": Definition(
        "How much of a sequence, or of the column that it fills, is used up.",
        "Make the column bigint and raise the sequence's MAXVALUE before the last number is given out.",
        "percent",
        _above(85, 95),
        "check_postgres (sequence)",
    ),
    "postgres.index_bloat": Definition(
        "Room in B-tree indexes that a rebuild would give back; what is not worth a rebuild does not count.",
        "Run playbooks/database_maintenance.yml, which rebuilds them without blocking anyone.",
        "bytes",
        _above(100 * 1024**2, None),
        "PgHero (index bloat)",
    ),
    "postgres.invalid_indexes": Definition(
        "Indexes whose build was cut off, not those at which somebody works: each write pays for them and no query uses them.",
        "Run playbooks/database_maintenance.yml, which drops leftovers and rebuilds the others.",
        "count",
        _above(0, None),
        "any",
    ),
    "postgres.unused_indexes": Definition(
        "Size of indexes that no query has used since they were seen first and statistics began, a month ago at least, and that nothing else needs.",
        "Drop them as the evidence says (for a partitioned table CONCURRENTLY is not possible), and keep their definition.",
        "bytes",
        _above(100 * 1024**2, None),
        "pgwatch (unused indexes)",
    ),
    "postgres.duplicate_indexes": Definition(
        "Indexes that another index of the same table makes superfluous.",
        "Drop the one that the evidence names with the statement there (for a partitioned table CONCURRENTLY is not possible).",
        "count",
        _above(0, None),
        "any",
    ),
    "postgres.missing_indexes": Definition(
        "Large tables that are read from end to end 50 times a day and more: a hint that an index may be missing, not a proof.",
        "EXPLAIN the statements in the evidence; create an index with CREATE INDEX CONCURRENTLY if the plan shows that it helps.",
        "count",
        _above(0, None),
        "runbook, Performance Review (10,000 rows for each sequential scan); PgHero (under 95 % by index)",
    ),
    "postgres.slow_statements": Definition(
        "Statements that take longer than a database query may take, of the 50 with the most time in the window.",
        "EXPLAIN (ANALYZE, BUFFERS) the statements in the evidence, those with the largest share of time first.",
        "count",
        _above(0, None),
        f"{BENCHMARKS} (Database Query, 100 ms), statements that were called at least 20 times",
    ),
    "postgres.rollbacks": Definition(
        "Share of transactions that were rolled back in the window.",
        "Look for the errors in PostgreSQL's log and the app's; an app that rolls back on purpose wants another limit.",
        "percent",
        _above(10, None),
        "the alerts of postgres_exporter (rollbacks)",
    ),
    "postgres.temp_files": Definition(
        "What sorts and hashes that found no room in work_mem have written to disk, a day.",
        "Find the statements with the most temp_blks_written in pg_stat_statements; give them an index or their role a larger work_mem.",
        "bytes",
        _above(10 * 1024**3, None),
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
        _above(None, 0),
        "any",
    ),
    "postgres.inspection": Definition(
        "Every database that was asked for could be looked into.",
        "Grant CONNECT on the database to the role, or leave the database out.",
    ),
    # --- Redis ----------------------------------------------------------------------------------------------------
    "redis.reachable": Definition(
        "Redis answers PING; the value is the slowest of a few.",
        "Check Redis: 'systemctl status redis', its log and memory; restart it if it does not run.",
        "seconds",
        _above(0.1, 1.0),
        "a healthy local Redis answers in less than a millisecond",
    ),
    "redis.memory": Definition(
        "Memory in use, of maxmemory, or of the machine's where maxmemory is 0.",
        "Find large or never-expiring keys; raise maxmemory if the machine has room for it.",
        "percent",
        _above(75, 90),
        "redis_exporter's alert at 90 %, with time to act before it",
    ),
    "redis.eviction_policy": Definition(
        "maxmemory-policy fits what this Redis is for.",
        "Set the policy for the role: allkeys-lru for a cache; noeviction for a queue; volatile-* or noeviction for sessions.",
    ),
    "redis.evictions": Definition(
        "Keys that were evicted for lack of memory in the window.",
        "Raise maxmemory or store less; a queue or session store must never evict.",
        "count",
        _above(0, None),
        "applies to a queue or session store; a cache may evict",
    ),
    "redis.hit_rate": Definition(
        "Share of key look-ups that found their key in the window.",
        "Check whether keys expire too early or are evicted, and whether a deployment changed the key names.",
        "percent",
        _below(90, 80),
        f"{BENCHMARKS} (Cache Hit Rate)",
    ),
    "redis.clients": Definition(
        "Connected clients, of maxclients.",
        "See 'CLIENT LIST' for the address that holds them; look for an app that opens one connection a request.",
        "percent",
        _above(80, 90),
        f"{METRICS} (Database Connections)",
    ),
    "redis.rejected_connections": Definition(
        "Connections refused because maxclients was reached, in the window.",
        "Raise maxclients (and the service's LimitNOFILE), or find the app that leaks connections.",
        "count",
        _above(0, 100),
        "each is a failed request",
    ),
    "redis.persistence": Definition(
        "The last snapshot and the last append-only writes worked.",
        "Read Redis' log; check the disk's space and rights, then run BGSAVE and look again.",
    ),
    "redis.replication": Definition(
        "A replica is linked to its primary; a primary has the replicas it should have.",
        "Check the network and password between replica and primary, and the log of both.",
        "count",
    ),
    "redis.fragmentation": Definition(
        "Resident memory for each byte that Redis allocated.",
        "Above the limit: 'CONFIG SET activedefrag yes' or a planned restart. Below 1: Redis is swapped out, add memory.",
        "",
        _above(1.5, 3),
        "Redis' documentation calls 1.5 excessive",
    ),
    # --- certificates ---------------------------------------------------------------------------------------------
    "certificate.expiry": Definition(
        "Days until the certificate expires. The limits shrink to the shares in certificate.lifetime_left for short lifetimes.",
        "Renew it ('certbot renew') and reload what serves it ('nginx -t && systemctl reload nginx').",
        "days",
        _below(21, 7),
        "after the renewal that ACME clients start at a third of a 90-day lifetime",
    ),
    "certificate.lifetime_left": Definition(
        "Share of its lifetime that a certificate has left; gives certificate.expiry its limits for short lifetimes.",
        "See certificate.expiry.",
        "percent",
        _below(25, 10),
        "ACME clients renew at a third, or at half for lifetimes up to ten days",
    ),
    "certificate.chain": Definition(
        "Clients can build a chain from the served certificates to a trusted root.",
        "Serve the full chain (certbot's fullchain.pem, not cert.pem) and reload.",
    ),
    "certificate.hostname": Definition(
        "The certificate is made out for the name that clients use.",
        "Issue it for that name, or serve the right certificate for it (server_name, SNI), and reload.",
    ),
    "certificate.key": Definition(
        "Key and signature are strong enough, and the key file belongs to the certificate.",
        "Issue the certificate anew with an ECDSA P-256 or RSA 2048 key or stronger, and SHA-256.",
    ),
    "certificate.served_is_file": Definition(
        "What the endpoint serves is what lies on disk.",
        "Reload what serves it: 'nginx -t && systemctl reload nginx'.",
    ),
    # --- the run itself -------------------------------------------------------------------------------------------
    "runbook.step": Definition(
        "The step of the playbook could be carried out.",
        "Put right what the message says, then run the playbook again.",
    ),
}
