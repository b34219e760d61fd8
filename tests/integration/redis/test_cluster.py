"""Three primaries and a replica of Valkey: what modules see and do through one node."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule, by_name
from tests.support.redis_server import PROGRAMS, Ask, Server, needs_program
from tests.support.redis_truth import until

pytestmark = needs_program["valkey"]
Flush = Callable[..., dict[str, Any]]
RANGES = ((0, 5460), (5461, 10922), (10923, 16383))


@dataclass(frozen=True)
class Cluster:
    primaries: list[Server]
    replica: Server

    @property
    def first(self) -> Server:
        return self.primaries[0]

    def fill(self, prefix: str, count: int) -> dict[str, int]:
        """Write that many keys; returns how many each primary got."""
        before = self.keys()
        clients = [server.client for server in self.primaries]
        for number in range(count):
            key = f"{prefix}{number}"
            slot = clients[0].execute_command("CLUSTER", "KEYSLOT", key)
            clients[next(at for at, (_first, last) in enumerate(RANGES) if slot <= last)].set(
                key, "v"
            )
        return {address: keys - before[address] for address, keys in self.keys().items()}

    def keys(self) -> dict[str, int]:
        return {f"127.0.0.1:{each.port}": each.client.dbsize() for each in self.primaries}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    program = PROGRAMS["valkey"]
    assert program
    servers: list[Server] = []
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "60000")
    try:
        for number in range(4):
            folder = tmp_path_factory.mktemp("cluster") / f"node-{number}"
            servers.append(Server(folder, program, *options, "--repl-diskless-sync-delay", "0"))
        for epoch, (server, slots) in enumerate(zip(servers, RANGES), start=1):
            server.client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", epoch)
            server.client.execute_command("CLUSTER", "ADDSLOTSRANGE", *slots)
        for server in servers[1:]:
            servers[0].client.execute_command("CLUSTER", "MEET", "127.0.0.1", server.port)
        until(lambda: all(_state(server) == ("ok", "4") for server in servers))
        own = servers[0].client.execute_command("CLUSTER", "MYID")
        servers[3].client.execute_command("CLUSTER", "REPLICATE", own)
        until(lambda: servers[3].client.info("replication").get("master_link_status") == "up")
        # Every node has to know it, as any of them may be asked.
        until(lambda: all("slave" in _nodes(server) for server in servers))
        yield Cluster(servers[:3], servers[3])
    finally:
        for server in servers:
            server.stop()


def _state(server: Server) -> tuple[str, str]:
    info: Mapping[str, str] = server.client.cluster("INFO")
    return info["cluster_state"], info["cluster_known_nodes"]


def _nodes(server: Server) -> str:
    return str(server.client.execute_command("CLUSTER", "NODES"))


@pytest.fixture
def cluster(shared: Cluster) -> Cluster:
    for server in shared.primaries:
        server.client.flushall()
    return shared


@pytest.fixture
def flush(run_module: RunModule) -> Flush:
    def run(server: Server, *, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {"redis_url": server.url, "state": "flushed", "pause": 0, "batch": 50, **options}
        return run_module("redis_flush", given, check=check)

    return run


def test_the_plan_counts_every_node(cluster: Cluster, flush: Flush) -> None:
    nodes = cluster.fill("cart:", 90)
    assert all(nodes.values())
    plan = flush(cluster.primaries[2], check=True)
    assert plan["keys"] == 90
    assert plan["actions"][0]["before"] == {"keys": 90, "nodes": nodes}
    summary = by_name(plan, "redis.contents")["summary"]
    assert summary == "90 keys in database 0, on 3 nodes of a cluster"
    assert by_name(plan, "redis.contents")["evidence"][0]["keys"] == 90
    alone = next(iter(nodes.values()))
    refused = flush(cluster.first, confirm=alone)
    assert "there are 90 keys now" in refused["msg"], "the number of one node is not enough"
    assert cluster.keys() == nodes


def test_a_prefix_is_removed_on_every_node(cluster: Cluster, flush: Flush) -> None:
    others = cluster.fill("other:", 30)
    carts = cluster.fill("cart:", 300)
    done = flush(cluster.primaries[1], prefix="cart:", confirm=300)
    assert (done["removed"], done["changed"]) == (300, True)
    assert cluster.keys() == others
    action = done["actions"][0]
    assert action["before"] == {"keys": 300, "nodes": carts}
    assert action["after"] == {"keys": 0, "nodes": dict.fromkeys(carts, 0)}
    rows = {row["node"]: row["keys before"] for row in by_name(done, "redis.flush")["evidence"]}
    assert rows == carts
    again = flush(cluster.first, prefix="cart:", confirm=300)
    assert (again["changed"], again["actions"]) == (False, [])


def test_all_keys_of_the_cluster(cluster: Cluster, flush: Flush) -> None:
    cluster.fill("cart:", 60)
    assert flush(cluster.first, confirm=60)["removed"] == 60
    assert sum(cluster.keys().values()) == 0
    until(lambda: cluster.replica.client.dbsize() == 0)


def test_a_replica_names_its_primary(cluster: Cluster, flush: Flush) -> None:
    cluster.fill("cart:", 30)
    refused = flush(cluster.replica, confirm=30)
    assert f"replica of 127.0.0.1:{cluster.first.port}: use that address" in refused["msg"]
    assert sum(cluster.keys().values()) == 30


def test_what_is_refused(cluster: Cluster, flush: Flush, tmp_path: Path) -> None:
    cluster.fill("cart:", 30)
    dump = flush(cluster.first, confirm=30, dump_dir=str(tmp_path))
    assert "dump_dir: a dump is one server's, and this cluster has 3 primaries" in dump["msg"]
    second = cluster.primaries[1].client
    other = cluster.first.client.execute_command("CLUSTER", "MYID")
    second.execute_command("CLUSTER", "SETSLOT", 6000, "MIGRATING", other)
    try:
        moving = flush(cluster.primaries[1], confirm=30)
    finally:
        second.execute_command("CLUSTER", "SETSLOT", 6000, "STABLE")
    assert "slots are being moved between the nodes" in moving["msg"]
    own = cluster.primaries[2].client.client()
    own.client_setname("gpt-agent-runbook:redis.flush")
    try:
        assert "another run (redis.flush" in flush(cluster.first, confirm=30)["msg"]
    finally:
        own.connection.disconnect()
    assert sum(cluster.keys().values()) == 30


def test_a_node_that_does_not_answer(cluster: Cluster, flush: Flush) -> None:
    cluster.fill("cart:", 30)
    hanging = cluster.primaries[1]
    hanging.process.send_signal(signal.SIGSTOP)
    try:
        refused = flush(cluster.first, confirm=30, timeout=1)
    finally:
        hanging.process.send_signal(signal.SIGCONT)
    assert f"Nothing was removed: 127.0.0.1:{hanging.port} accepts connections" in refused["msg"]
    assert sum(cluster.keys().values()) == 30


@pytest.mark.parametrize("at", [0, 3], ids=["a primary", "a replica"])
def test_sound_nodes(cluster: Cluster, ask: Ask, run_module: RunModule, at: int) -> None:
    server = [*cluster.primaries, cluster.replica][at]
    health = ask(server.url, canary=True, purpose="cache")
    bad = [each for each in health["checks"] if each["status"] not in ("ok", "unknown")]
    assert {each["name"] for each in bad} <= {"redis.eviction_policy", "redis.security"}, bad
    assert by_name(health, "redis.cluster")["status"] == "ok"
    found = run_module("redis_recovery", {"redis_url": server.url, "restart_command": ["true"]})
    assert (found["cure"], found["works"]) == ("nothing", True), found


def test_settings_are_those_of_one_node(cluster: Cluster, run_module: RunModule) -> None:
    given = {"settings": {"maxmemory": "100mb"}, "persist": False, "purpose": "cache"}
    done = run_module("redis_config", {"redis_url": cluster.first.url, **given})
    assert done["changed"], done
    assert "on this node alone" in by_name(done, "redis.config")["summary"]
    assert cluster.primaries[1].client.config_get("maxmemory") == {"maxmemory": "0"}
