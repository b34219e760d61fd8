"""PostgreSQL: whether WAL is archived."""

from __future__ import annotations

import os
import time

from tests.support.postgres import Server, eventually
from tests.support.postgres_truth import ask, own_server
from tests.support.truth import Answer, Bed, situation

ARCHIVER = "postgres.archiver"
SEGMENT = ("SELECT pg_logical_emit_message(false, 'a', 'b')", "SELECT pg_switch_wal()")
LAST = "SELECT last_archived_wal FROM pg_stat_archiver WHERE last_archived_wal IS NOT NULL"


def archiving(bed: Bed, command: str, segments: int = 1) -> Server:
    server = own_server(bed, archive_mode="on", archive_command=f"'{command}'")
    for _ in range(segments):
        server.admin(*SEGMENT)
    return server


def age(server: Server, seconds: float) -> None:
    """Let the segments that wait have waited for some time."""
    folder = server.stack.home / "data" / "pg_wal" / "archive_status"
    then = time.time() - seconds
    for file in folder.glob("*.ready"):
        os.utime(file, (then, then))


@situation(
    "postgres",
    "the program of archive_command is not installed, which PostgreSQL counts nowhere",
    {ARCHIVER: "warning"},
    says="neither succeeded nor failed for 20 min(?s:.*)not installed",
)
def not_installed(bed: Bed) -> Answer:
    server = archiving(bed, "/usr/local/bin/gone")
    age(server, 1200)
    return ask(bed, server)


@situation(
    "postgres",
    "archive_command works, and a segment waits since a moment ago",
    {ARCHIVER: "ok"},
    says="WAL archiving works",
)
def archives(bed: Bed) -> Answer:
    server = archiving(bed, "true")
    eventually(lambda: server.admin(LAST))
    return ask(bed, server)


@situation(
    "postgres",
    "archive_command cannot be started, and the role lacks permission to see what waits",
    {ARCHIVER: "unknown"},
    says="GRANT pg_monitor",
    never="no segment has had to be archived",
)
def not_visible(bed: Bed) -> Answer:
    server = archiving(bed, "/usr/local/bin/gone")
    return ask(bed, server, server.url())


@situation(
    "postgres",
    "archive_command hangs, seen by a role that lacks permission to count what waits",
    {ARCHIVER: "warning"},
    says="1[0-9] WAL segments wait",
)
def hangs(bed: Bed) -> Answer:
    server = archiving(bed, "true")
    eventually(lambda: server.admin(LAST))
    stop = ("ALTER SYSTEM SET archive_command = 'sleep 5; false'", "SELECT pg_reload_conf()")
    server.stack.arguments = server.stack.arguments.replace("archive_command='true'", "fsync=off")
    server.stack.stop("fast")
    server.stack.start()
    server.admin(*stop)
    for _ in range(13):
        server.admin(*SEGMENT)
    return ask(bed, server, server.url())


@situation(
    "postgres",
    "archive_command works, seen by a role that lacks permission to count what waits",
    {ARCHIVER: "ok"},
    says="WAL archiving works",
)
def works_unseen(bed: Bed) -> Answer:
    server = archiving(bed, "true", 3)
    [(before,)] = server.admin("SELECT pg_walfile_name(pg_current_wal_lsn() - 1)")
    eventually(lambda: server.admin(LAST)[0][0] >= before if server.admin(LAST) else False)
    return ask(bed, server, server.url())
