"""PostgreSQL: alive, and whether a write would succeed."""

from __future__ import annotations

import time

from tests.support.postgres import eventually
from tests.support.postgres_truth import (
    Follower,
    ask,
    conflicting,
    follower,
    own_server,
    settled,
    subscriber,
)
from tests.support.truth import Answer, Bed, situation

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
    "a standby whose receiver is frozen, seen from its primary",
    {f"{REPLICATION} follower": "warning"},
    says="has not answered for .* its last known delay",
)
def frozen(bed: Bed) -> Answer:
    server = own_server(bed, wal_sender_timeout="10min")
    standby = follower(bed, server, wal_receiver_status_interval=1)
    server.admin("CREATE TABLE t ()")
    standby.freeze(bed)
    server.admin("CREATE TABLE u ()")
    time.sleep(21)
    return ask(bed, server)


@situation(
    "postgres",
    "a standby whose receiver is frozen, about itself",
    {REPLICATION: "warning"},
    says="has heard nothing from its primary for",
)
def frozen_itself(bed: Bed) -> Answer:
    server = own_server(bed, wal_sender_timeout="10min")
    standby = follower(bed, server, wal_receiver_timeout="2s")
    standby.freeze(bed)
    time.sleep(12)
    soon = {REPLICATION: {"warning": 5, "critical": 600}}
    return ask(bed, standby.server, thresholds=soon)


@situation("postgres", "a standby that keeps up, about itself", {REPLICATION: "ok", WRITABLE: "ok"})
def keeps_up(bed: Bed) -> Answer:
    return ask(bed, follower(bed, own_server(bed)).server)


@situation(
    "postgres",
    "a standby where the inventory says there is a primary",
    {WRITABLE: "critical"},
    says="server_role says primary",
)
def not_a_primary(bed: Bed) -> Answer:
    return ask(bed, follower(bed, own_server(bed)).server, server_role="primary")


@situation(
    "postgres",
    "a standby that is fed by restore_command alone",
    {REPLICATION: "ok"},
    says="fed from the archive",
    never="does not receive",
)
def from_archive(bed: Bed) -> Answer:
    server = own_server(bed)
    archive = server.stack.home / "archive"
    archive.mkdir()
    server.stack.identity.own(archive)
    standby = Follower(bed, server, archive)
    server.admin(
        "CREATE TABLE t ()",
        "SELECT pg_switch_wal()",
    )
    for file in (server.stack.home / "data" / "pg_wal").glob("0000000*"):
        copy = archive / file.name
        copy.write_bytes(file.read_bytes())
        server.stack.identity.own(copy)
    standby.start(restore_command=f"cp {archive}/%f %p")
    eventually(lambda: standby.server.admin("SELECT pg_last_xact_replay_timestamp()")[0][0])
    return ask(bed, standby.server)


@situation(
    "postgres",
    "a standby that cannot connect to its primary",
    {REPLICATION: "critical"},
    says="does not receive from its primary",
)
def disconnected(bed: Bed) -> Answer:
    standby = Follower(bed, own_server(bed))
    standby.start(primary_conninfo="port=1")
    return ask(bed, standby.server)


@situation(
    "postgres",
    "a standby that is delayed on purpose",
    {REPLICATION: "ok"},
    says="are meant",
)
def delayed(bed: Bed) -> Answer:
    server = own_server(bed)
    standby = follower(bed, server)
    server.admin("CREATE TABLE t ()")
    eventually(lambda: standby.server.admin("SELECT pg_last_xact_replay_timestamp()")[0][0])
    standby.server.admin(
        "ALTER SYSTEM SET recovery_min_apply_delay = '1h'", "SELECT pg_reload_conf()"
    )
    time.sleep(1)
    server.admin("CREATE TABLE u ()")
    time.sleep(1)
    soon = {REPLICATION: {"warning": 0.5, "critical": 600}}
    return ask(bed, standby.server, thresholds=soon)


@situation(
    "postgres",
    "a subscription that applies what is published",
    {f"{REPLICATION} subscription s": "ok"},
    says="'s' receives",
)
def subscribed(bed: Bed) -> Answer:
    server = subscriber(bed, own_server(bed, wal_level="logical"))
    settled(server)
    return ask(bed, server)


@situation(
    "postgres",
    "a subscription whose worker fails again and again",
    {f"{REPLICATION} subscription s": "critical"},
    says="fails again and again: .* errors? so far",
)
def failing(bed: Bed) -> Answer:
    _, server = conflicting(bed)
    settled(server)
    return ask(bed, server)


@situation(
    "postgres",
    "the publisher of a subscription whose worker fails",
    {f"{REPLICATION} slot s": "warning"},
    says="Logical replication slot 's' has no consumer at this moment",
)
def publisher_of_failing(bed: Bed) -> Answer:
    publisher, _server = conflicting(bed)
    inactive = "SELECT 1 FROM pg_replication_slots WHERE NOT active"
    eventually(lambda: publisher.admin(inactive))
    return ask(bed, publisher)


@situation(
    "postgres",
    "a subscription that switched itself off after an error",
    {f"{REPLICATION} subscription s": "critical"},
    says="switched itself off",
)
def gave_up(bed: Bed) -> Answer:
    _, server = conflicting(bed, "disable_on_error = true")
    eventually(lambda: server.admin("SELECT 1 FROM pg_subscription WHERE NOT subenabled"))
    return ask(bed, server)


@situation(
    "postgres",
    "a subscription that somebody disabled",
    {f"{REPLICATION} subscription s": "warning"},
    says="is disabled",
)
def disabled(bed: Bed) -> Answer:
    server = subscriber(bed, own_server(bed, wal_level="logical"))
    server.admin("ALTER SUBSCRIPTION s DISABLE", database="shop")
    return ask(bed, server)


@situation(
    "postgres",
    "a subscription whose publisher is gone",
    {f"{REPLICATION} subscription s": "critical"},
    says="fails again and again|has no worker",
)
def without_publisher(bed: Bed) -> Answer:
    publisher = own_server(bed, wal_level="logical")
    server = subscriber(bed, publisher)
    settled(server)
    publisher.stack.stop()
    bed.afterwards(publisher.stack.start)
    idle = "SELECT 1 FROM pg_stat_subscription WHERE pid IS NULL"
    eventually(lambda: server.admin(idle))
    return ask(bed, server)
