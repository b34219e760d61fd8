"""PostgreSQL: standbys and subscriptions, and how old what they say is."""

from __future__ import annotations

import json
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
    until_delay_known,
)
from tests.support.truth import Answer, Bed, situation

WRITABLE, REPLICATION = "postgres.writable", "postgres.replication"


@situation(
    "postgres",
    "a standby whose receiver is frozen, seen from its primary",
    {f"{REPLICATION} follower": "warning"},
    says="has not answered for .* its last known delay",
)
def frozen(bed: Bed) -> Answer:
    server = own_server(bed, wal_sender_timeout="10min")
    standby = follower(bed, server, wal_receiver_status_interval=1)
    until_delay_known(server)
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


@situation(
    "postgres",
    "a quiet server whose standby has been away since the last run",
    {f"{REPLICATION} slot s1": "warning"},
    says="Replication slot 's1' has no consumer",
)
def away(bed: Bed) -> Answer:
    server = own_server(bed)
    server.admin("SELECT pg_create_physical_replication_slot('s1', true)", "CREATE TABLE t ()")
    ask(bed, server)
    [kept] = (bed.folder / "state").glob("pg_health_slots-*")
    samples = json.loads(kept.read_text())
    samples["samples"][0]["time"] -= 3600
    kept.write_text(json.dumps(samples))
    return ask(bed, server)
