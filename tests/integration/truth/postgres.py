"""PostgreSQL: alive, and whether a write would succeed."""

from __future__ import annotations

from contextlib import suppress

import psycopg2
import pytest

from tests.support.postgres import Server, eventually
from tests.support.postgres_truth import (
    Follower,
    ask,
    follower,
    own_server,
    until_delay_known,
    use_up_transaction_ids,
)
from tests.support.truth import NOT_JUDGED, Answer, Bed, situation

WRITABLE, REPLICATION = "postgres.writable", "postgres.replication"


@situation("postgres", "a healthy primary", {WRITABLE: "ok"})
def healthy(bed: Bed) -> Answer:
    return ask(bed, own_server(bed))


@situation(
    "postgres",
    "a healthy primary takes a test write, of which nothing is left",
    {WRITABLE: "ok"},
    says="test write was committed in",
)
def written(bed: Bed) -> Answer:
    server = own_server(bed)
    answer = ask(bed, server, server.url(), canary=True)
    left = "SELECT relname FROM pg_class WHERE relname ~ 'canary'"
    assert server.admin(left, database="shop") == []
    return answer


@situation(
    "postgres",
    "synchronous_standby_names names a standby that is not there",
    {WRITABLE: "critical", "postgres.replication": "critical"},
    says="Every commit hangs: .*'s1' wants 1 standby",
    never="none is expected",
)
def without_standby(bed: Bed) -> Answer:
    server = own_server(bed)
    server.admin("ALTER SYSTEM SET synchronous_standby_names = 's1'", "SELECT pg_reload_conf()")
    return ask(bed, server)


@situation(
    "postgres",
    "a commit waits for a standby that is not there",
    {WRITABLE: "critical"},
    says="1 commit waits for a standby, .*'shop'",
)
def waiting(bed: Bed) -> Answer:
    server = own_server(bed)
    server.admin(
        "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (s1, s2)'", "SELECT pg_reload_conf()"
    )
    bed.enter(server.running("CREATE TABLE written ()", "shop"))
    eventually(
        lambda: server.admin("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"), 10
    )
    return ask(bed, server, canary=True)


@situation(
    "postgres",
    "a synchronous standby is missing, but commits are set not to wait",
    {WRITABLE: "warning"},
    says="synchronous_commit = local commits do not wait",
)
def not_waiting(bed: Bed) -> Answer:
    server = own_server(bed, synchronous_commit="local")
    server.admin("ALTER SYSTEM SET synchronous_standby_names = 's1'", "SELECT pg_reload_conf()")
    return ask(bed, server)


@situation(
    "postgres",
    "a provider has made the server read-only",
    {WRITABLE: "critical"},
    says="read-only by default",
)
def read_only(bed: Bed) -> Answer:
    server = own_server(bed)
    server.admin("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    return ask(bed, server, canary=True)


@situation(
    "postgres",
    "the database is set to read-only",
    {WRITABLE: "critical"},
    says="Transactions on this database are read-only",
)
def read_only_database(bed: Bed) -> Answer:
    server = own_server(bed)
    server.admin("ALTER DATABASE shop SET default_transaction_read_only = on")
    return ask(bed, server, server.url())


@situation(
    "postgres", "only the role that checks is set to read-only", {WRITABLE: "ok"}, says="role 'app'"
)
def read_only_role(bed: Bed) -> Answer:
    server = own_server(bed)
    server.admin("ALTER ROLE app SET default_transaction_read_only = on", "GRANT pg_monitor TO app")
    return ask(bed, server, server.url())


@situation(
    "postgres",
    "a test write by a role that is set to read-only",
    {WRITABLE: "critical"},
    says="A test write was refused: cannot execute CREATE TABLE AS",
)
def canary_of_a_read_only_role(bed: Bed) -> Answer:
    server = own_server(bed)
    server.admin("ALTER ROLE app SET default_transaction_read_only = on", "GRANT pg_monitor TO app")
    return ask(bed, server, server.url(), canary=True)


@situation(
    "postgres",
    "a synchronous standby that confirms",
    {WRITABLE: "ok", f"{REPLICATION} follower": "ok"},
    says="A test write was committed .* 1 synchronous standby of 1 must confirm",
)
def confirming(bed: Bed) -> Answer:
    server = own_server(bed)
    follower(bed, server)
    server.admin(
        "ALTER SYSTEM SET synchronous_standby_names = 'follower'", "SELECT pg_reload_conf()"
    )
    eventually(lambda: server.admin("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"))
    until_delay_known(server)
    return ask(bed, server, canary=True)


@situation(
    "postgres",
    "a synchronous standby is connected but frozen, which a test write shows",
    {WRITABLE: "critical"},
    says="not committed within .* and was canceled",
)
def canary_waits(bed: Bed) -> Answer:
    server = own_server(bed)
    standby = follower(bed, server)
    server.admin(
        "ALTER SYSTEM SET synchronous_standby_names = 'follower'", "SELECT pg_reload_conf()"
    )
    eventually(lambda: server.admin("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"))
    standby.freeze(bed)
    answer = ask(bed, server, canary=True, timeout=4)
    assert server.admin("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == []
    return answer


@situation(
    "postgres",
    "a standby where the inventory says there is a primary",
    {WRITABLE: "critical"},
    says="server_role says primary",
)
def not_a_primary(bed: Bed) -> Answer:
    return ask(bed, follower(bed, own_server(bed)).server, server_role="primary")


MEAN = "postgres.query_time_mean"


def counting(bed: Bed) -> Server:
    server = own_server(bed, shared_preload_libraries="pg_stat_statements")
    server.admin(
        "CREATE EXTENSION pg_stat_statements",
        "SELECT pg_stat_statements_reset()",
        database="shop",
    )
    return server


@situation(
    "postgres",
    "a server that was only filled with data",
    {MEAN: NOT_JUDGED},
    says="No repeated queries",
)
def filled(bed: Bed) -> Answer:
    server = counting(bed)
    load = "INSERT INTO loaded SELECT g FROM generate_series(1, 100000) AS g"
    server.admin(
        "CREATE DATABASE other",
        "CREATE TABLE loaded (id int)",
        *[load] * 15,
        *["COPY loaded TO PROGRAM 'cat > /dev/null'"] * 12,
        "SELECT pg_sleep(1)",
    )
    return ask(bed, server)


@situation("postgres", "an app whose queries are fast", {MEAN: "ok"})
def fast(bed: Bed) -> Answer:
    server = counting(bed)
    server.admin("CREATE DATABASE other", *["SELECT 1"] * 30)
    return ask(bed, server)


@situation(
    "postgres",
    "an app whose queries are slow, among many short transactions",
    {MEAN: "critical"},
    says="SELECT pg_sleep",
)
def slow(bed: Bed) -> Answer:
    server = counting(bed)
    server.admin(*["BEGIN", "COMMIT"] * 100, *["SELECT pg_sleep(0.15)"] * 20)
    return ask(bed, server)


@situation(
    "postgres",
    "nobody has used the server yet",
    {"postgres.deadlocks": "ok", MEAN: NOT_JUDGED},
)
def unused(bed: Bed) -> Answer:
    return ask(bed, counting(bed))


DAMAGE = """
CREATE TABLE damaged AS SELECT g AS id FROM generate_series(1, 1000) AS g;
CHECKPOINT;
SELECT pg_relation_filepath('damaged')
"""


@situation(
    "postgres",
    "a page on the disk is damaged",
    {"postgres.checksum_failures": "critical"},
    says="1 read failed the checksum, the last .* ago, .* 'shop'",
)
def damaged(bed: Bed) -> Answer:
    server = own_server(bed)
    [(path,)] = server.admin(*DAMAGE.split(";"), database="shop")
    server.stack.stop("fast")
    with (server.stack.home / "data" / path).open("r+b") as file:
        file.seek(200)
        file.write(b"rust")
    server.stack.start()
    with suppress(psycopg2.errors.DataCorrupted):
        server.admin("SELECT count(*) FROM damaged", database="shop")
    failed = "SELECT 1 FROM pg_stat_database WHERE checksum_failures > 0"
    eventually(lambda: server.admin(failed))
    return ask(bed, server)


@situation(
    "postgres",
    "recovery has reached its target and waits for a decision",
    {WRITABLE: "critical", REPLICATION: "warning"},
    says=r"reached its target \(immediate\) and is paused",
)
def at_its_target(bed: Bed) -> Answer:
    server = own_server(bed)
    standby = Follower(bed, server)
    standby.start(recovery_target="immediate")
    paused = "SELECT 1 WHERE pg_get_wal_replay_pause_state() = 'paused'"
    eventually(lambda: standby.server.admin(paused))
    return ask(bed, standby.server)


@situation(
    "postgres",
    "no transaction IDs are left",
    {WRITABLE: "critical", "postgres.wraparound": "critical"},
    says="PostgreSQL assigns no new transaction IDs",
)
def out_of_ids(bed: Bed) -> Answer:
    server = own_server(bed, autovacuum="off", wal_level="logical")
    hold = "SELECT pg_create_logical_replication_slot('old', 'pgoutput')"
    server.admin(hold, database="shop")
    [(oldest,)] = server.admin("SELECT min(datfrozenxid::text::bigint) FROM pg_database")
    use_up_transaction_ids(server.stack, oldest + 2**31 - 2_999_000)
    with pytest.raises(psycopg2.errors.ProgramLimitExceeded):
        server.admin("CREATE TABLE t ()")
    return ask(bed, server)
