"""Verdicts of redis_health that need a real server in that state."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import redis

from tests.conftest import by_name
from tests.support.redis_server import ALL, Ask, Start, age, only


def test_full(start_each: Start, ask: Ask) -> None:
    server = start_each("--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
    client = server.client
    with suppress(redis.ResponseError):
        for number in range(3000):
            client.set(f"key-{number}", "x" * 1000)
    answer = ask(server.url, purpose="queue")
    memory = by_name(answer, "redis.memory")
    assert memory["status"] == "critical"
    assert "of 3 MiB maxmemory" in memory["summary"]
    assert by_name(answer, "redis.evictions")["status"] == "ok"

    client.config_set("maxmemory-policy", "allkeys-lru")
    with client.pipeline(transaction=False) as pipeline:
        for number in range(3000):
            pipeline.set(f"more-{number}", "x" * 1000)
        pipeline.execute()
    cache, queue = (ask(server.url, purpose=purpose) for purpose in ("cache", "queue"))
    assert by_name(cache, "redis.memory")["status"] == "ok"
    assert "normal for a cache" in by_name(cache, "redis.memory")["summary"]
    assert by_name(cache, "redis.evictions")["status"] == "ok"
    assert by_name(cache, "redis.evictions")["value"] > 100
    assert by_name(queue, "redis.memory")["status"] == "critical"
    queue_evictions = by_name(queue, "redis.evictions")
    assert queue_evictions["status"] == "warning"
    assert by_name(queue, "redis.eviction_policy")["status"] == "critical"
    undeclared = by_name(ask(server.url), "redis.evictions")
    assert (undeclared["status"], undeclared["value"]) == ("ok", queue_evictions["value"])
    assert "purpose" in undeclared["not_judged"]


def test_no_maxmemory_is_judged_by_the_machine(start_each: Start, ask: Ask) -> None:
    answer = ask(start_each().url, purpose="cache")
    assert "as no maxmemory is set" in by_name(answer, "redis.memory")["summary"]
    assert by_name(answer, "redis.eviction_policy")["status"] == "warning"
    assert by_name(answer, "redis.fragmentation")["status"] == "ok"
    assert "100 MiB" in by_name(answer, "redis.fragmentation")["not_judged"]


def test_the_hit_rate_covers_the_span_since_the_last_run(
    start_each: Start, ask: Ask, tmp_path: Path
) -> None:
    server = start_each()
    client = server.client

    def look_up(hits: int, misses: int) -> None:
        client.set("there", "x")
        with client.pipeline(transaction=False) as pipeline:
            for _ in range(hits):
                pipeline.get("there")
            for _ in range(misses):
                pipeline.get("gone")
            pipeline.execute()

    look_up(10, 0)
    first = by_name(ask(server.url), "redis.hit_rate")
    assert (first["status"], first["value"]) == ("ok", 100)
    assert first["window"].startswith("since start")
    assert "1,000 lookups" in first["not_judged"]

    look_up(600, 900)
    age(tmp_path / "state", 3600)
    second = by_name(ask(server.url, purpose="cache"), "redis.hit_rate")
    assert (second["status"], second["value"]) == ("critical", 40)
    assert second["window"].endswith("/PT1H")

    look_up(3000, 0)
    age(tmp_path / "state", 3600)
    assert (
        by_name(ask(server.url, min_lookups=100, purpose="cache"), "redis.hit_rate")["status"]
        == "ok"
    )

    client.config_resetstat()
    look_up(0, 10)
    age(tmp_path / "state", 3600)
    reset = by_name(ask(server.url, min_lookups=10, purpose="cache"), "redis.hit_rate")
    assert (reset["status"], reset["value"]) == ("critical", 0)
    assert "RESETSTAT" in reset["window"]


def test_a_snapshot_that_fails(start_each: Start, ask: Ask) -> None:
    server = start_each()
    server.client.config_set("save", "3600 1")

    def snapshot(expected: str) -> None:
        end = time.monotonic() + 10
        server.client.bgsave()
        while server.client.info("persistence")["rdb_last_bgsave_status"] != expected:
            assert time.monotonic() < end
            time.sleep(0.05)

    server.client.set("key", "value")
    (server.folder / "dump.rdb").mkdir()  # where the snapshot should go
    snapshot("err")
    answer = ask(server.url)
    assert {check["name"] for check in answer["checks"]} == ALL
    assert "refuses every write" in by_name(answer, "redis.reachable")["summary"]
    for name in ("redis.reachable", "redis.persistence"):
        assert by_name(answer, name)["status"] == "critical"
    assert "snapshot failed" in by_name(answer, "redis.persistence")["summary"]

    (server.folder / "dump.rdb").rmdir()
    snapshot("ok")
    answer = ask(server.url)
    for name in ("redis.reachable", "redis.persistence"):
        assert by_name(answer, name)["status"] == "ok"
    assert "ago" in by_name(answer, "redis.persistence")["summary"]


def test_replication(start_each: Start, ask: Ask) -> None:
    primary = start_each("--repl-diskless-sync-delay", "0")
    replica = start_each("--replicaof", "127.0.0.1", str(primary.port))
    end = time.monotonic() + 20
    while (
        replica.client.info("replication")["master_link_status"] != "up" and time.monotonic() < end
    ):
        time.sleep(0.1)

    linked = by_name(ask(primary.url, replicas=1), "redis.replication")
    assert (linked["status"], linked["value"]) == ("ok", 1)
    assert linked["evidence"][0]["state"] == "online"
    assert by_name(ask(primary.url, replicas=2), "redis.replication")["status"] == "warning"
    seen = by_name(ask(replica.url), "redis.replication")
    assert seen["status"] == "ok"
    assert f"Replica of 127.0.0.1:{primary.port}" in seen["summary"]

    primary.stop()
    end = time.monotonic() + 10
    while (
        replica.client.info("replication")["master_link_status"] == "up" and time.monotonic() < end
    ):
        time.sleep(0.1)
    cut = by_name(ask(replica.url), "redis.replication")
    assert cut["status"] == "critical"
    assert "lost its primary" in cut["summary"]
    replica.client.config_set("replica-serve-stale-data", "no")
    refused = only(ask(replica.url))
    assert "refuses every query" in refused["summary"]
    assert f"127.0.0.1:{primary.port}" in refused["summary"]


def test_a_primary_without_its_expected_replicas(start_each: Start, ask: Ask) -> None:
    assert by_name(ask(start_each().url, replicas=1), "redis.replication")["status"] == "critical"
