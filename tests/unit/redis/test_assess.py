"""The verdicts on Redis, from plain data; its URL; and what replies and exceptions mean."""

from __future__ import annotations

import socket
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Delta
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.cgroup import MemoryGroup
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis import (
    connection as redis_connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.assess import (
    Declared,
    assess,
    silent,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.collect import Snapshot
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import (
    Endpoint,
    Refusal,
    connect,
    explain,
    parse_url,
    reply,
)
from tests.support.throwaway import unused_port

MIB, GIB = 1024**2, 1024**3
ALL = {name for name in CATALOG if name.startswith("redis.")}
WINDOW = "2026-11-23T06:00Z/PT24H"

INFO: dict[str, Any] = {
    "redis_version": "7.0.15",
    "server_time_usec": 2_000_000 * 10**6,
    "used_memory": GIB,
    "used_memory_rss": int(1.1 * GIB),
    "total_system_memory": 16 * GIB,
    "maxmemory": 2 * GIB,
    "maxmemory_policy": "allkeys-lru",
    "mem_fragmentation_ratio": 1.1,
    "allocator_frag_ratio": 1.05,
    "connected_clients": 10,
    "maxclients": 100,
    "blocked_clients": 0,
    "aof_enabled": 0,
    "aof_last_write_status": "ok",
    "aof_last_bgrewrite_status": "ok",
    "rdb_last_bgsave_status": "ok",
    "rdb_last_save_time": 2_000_000 - 600,
    "rdb_changes_since_last_save": 0,
    "rdb_bgsave_in_progress": 0,
    "rdb_saves": 3,
    "role": "master",
    "connected_slaves": 0,
    "db0": {"keys": 100, "expires": 100, "avg_ttl": 0},
}
COUNTERS = {
    "keyspace_hits": 9500.0,
    "keyspace_misses": 500.0,
    "evicted_keys": 0.0,
    "rejected_connections": 0.0,
}
WELL = Snapshot(
    "db1:6379",
    latencies=[0.0002, 0.0004],
    info=INFO,
    save="3600 1 300 100",
    delta=Delta(COUNTERS, WINDOW, 86400, True),
)


def verdicts(
    seen: Snapshot = WELL, purpose: str = "cache", replicas: int = 0, **thresholds: Any
) -> dict[str, Check]:
    return {
        check.name: check
        for check in assess(seen, Declared(purpose, replicas), Thresholds(CHECKS, thresholds))
    }


def with_info(**info: Any) -> Snapshot:
    return replace(WELL, info={**INFO, **info})


def counting(**counters: float) -> Snapshot:
    return replace(WELL, delta=Delta({**COUNTERS, **counters}, WINDOW, 86400, True))


def test_a_redis_that_is_well() -> None:
    checks = verdicts()
    assert set(checks) == ALL
    assert {check.status for check in checks.values()} == {"ok"}
    assert (
        checks["redis.reachable"].summary
        == "Redis 7.0.15 on db1:6379 answers in 400 µs, the slowest of 2"
    )
    assert checks["redis.memory"].summary == "1 GiB of 2 GiB maxmemory"
    assert checks["redis.hit_rate"].summary == "95 % of 10,000 look-ups found their key"
    assert checks["redis.persistence"].summary == "Last snapshot 10 min ago"


def test_valkey_is_named() -> None:
    assert verdicts(with_info(valkey_version="9.1.2"))["redis.reachable"].summary.startswith(
        "Valkey 9.1.2 on"
    )


def test_what_cannot_be_used_is_one_check_and_what_may_not_be_read_is_unknown() -> None:
    refusal = Refusal("refused", "Nothing listens", "Start it.")
    assert verdicts(Snapshot("x:1", refusal=refusal)) == {
        "redis.reachable": Check(
            "redis.reachable", "critical", "Nothing listens", unit="seconds", remedy="Start it."
        )
    }
    blind = verdicts(
        Snapshot("x:1", latencies=[0.1], blind=Refusal("not allowed", "No", "Allow it."))
    )
    assert set(blind) == ALL
    assert {name: check.status for name, check in blind.items() if check.status != "unknown"} == {
        "redis.reachable": "ok"
    }
    assert blind["redis.memory"].remedy == "Allow it."
    assert silent("x:1", Thresholds(CHECKS), 10).status == "critical"


@pytest.mark.parametrize(
    "missing",
    [
        name
        for name in INFO
        if name
        not in (
            "server_time_usec",
            "redis_version",
            "db0",
            "blocked_clients",
            "rdb_saves",
            "allocator_frag_ratio",
            "rdb_bgsave_in_progress",
        )
    ],
)
def test_a_missing_figure_is_unknown_and_spoils_nothing_else(missing: str) -> None:
    checks = verdicts(
        replace(WELL, info={name: value for name, value in INFO.items() if name != missing})
    )
    assert set(checks) == ALL
    unknown = [check for check in checks.values() if check.status == "unknown"]
    assert all(missing in check.summary and check.remedy for check in unknown)
    assert len(unknown) <= 3


# --- memory -----------------------------------------------------------------------------------------------------------


def memory(purpose: str = "queue", group: MemoryGroup | None = None, **info: Any) -> Check:
    return verdicts(replace(with_info(**info), group=group), purpose)["redis.memory"]


@pytest.mark.parametrize(("used", "status"), [(1.5, "ok"), (1.52, "warning"), (1.82, "critical")])
def test_memory_against_maxmemory(used: float, status: str) -> None:
    assert memory(used_memory=int(used * GIB)).status == status


def test_buffers_that_eviction_ignores_do_not_count() -> None:
    check = memory(used_memory=2 * GIB, mem_not_counted_for_evict=GIB)
    assert (check.status, check.value) == ("ok", 50)


def test_a_full_cache_is_as_it_should_be() -> None:
    for purpose, status in (
        ("cache", "ok"),
        ("", "ok"),
        ("queue", "critical"),
        ("session", "critical"),
    ):
        assert memory(purpose, used_memory=2 * GIB).status == status
    assert memory("cache", used_memory=2 * GIB, maxmemory_policy="noeviction").status == "critical"
    check = memory("cache", used_memory=2 * GIB)
    assert (check.value, check.warning) == (100, None)
    assert check.summary.endswith("full, as a cache that evicts (allkeys-lru) is meant to be")


def test_without_maxmemory_the_machine_or_the_cgroup_counts() -> None:
    check = memory(maxmemory=0, used_memory_rss=15 * GIB)
    assert (check.status, check.summary) == (
        "critical",
        "15 GiB of the machine's 16 GiB, as no maxmemory is set",
    )
    check = memory(
        maxmemory=0, group=MemoryGroup(GIB, 0, 0), used_memory=900 * MIB, used_memory_rss=900 * MIB
    )
    assert (check.status, check.summary) == (
        "warning",
        "900 MiB of the container's or service's 1 GiB, as no maxmemory is set",
    )
    assert memory(maxmemory=0, used_memory=8 * GIB, used_memory_rss=GIB).value == 50, (
        "what is swapped out is needed too"
    )


def test_a_maxmemory_beyond_the_machine_does_not_hide_that_it_is_full() -> None:
    check = memory("cache", maxmemory=64 * GIB, used_memory=15 * GIB, used_memory_rss=15 * GIB)
    assert check.status == "critical"
    assert check.summary == "15 GiB of the machine's 16 GiB, which maxmemory exceeds"


@pytest.mark.parametrize(
    ("purpose", "policy", "maximum", "expires", "status", "said"),
    [
        ("cache", "allkeys-lru", 1, 0, "ok", "allkeys-lru fits a cache"),
        ("cache", "allkeys-lrm", 1, 0, "ok", "fits"),
        ("cache", "noeviction", 1, 0, "warning", "every write fails"),
        ("cache", "allkeys-lru", 0, 0, "warning", "grows until"),
        ("cache", "volatile-lru", 1, 95, "ok", "fits"),
        ("cache", "volatile-lru", 1, 12, "warning", "only 12 % of the keys"),
        ("queue", "noeviction", 1, 0, "ok", "noeviction fits a queue"),
        ("queue", "noeviction", 0, 0, "ok", "nothing is evicted anyway"),
        ("queue", "allkeys-lru", 1, 0, "critical", "throws away jobs"),
        ("queue", "allkeys-lru", 0, 0, "warning", "throws away jobs"),
        ("queue", "volatile-ttl", 1, 0, "warning", "jobs that have a time to live"),
        ("session", "volatile-lru", 1, 0, "ok", "fits"),
        ("session", "allkeys-lfu", 1, 0, "warning", "throws away sessions"),
        ("session", "somehow", 1, 0, "unknown", "not a policy"),
        ("", "noeviction", 1, 0, "unknown", "not declared"),
    ],
)
def test_the_policy_has_to_fit_the_purpose(
    purpose: str, policy: str, maximum: int, expires: int, status: str, said: str
) -> None:
    seen = with_info(
        maxmemory=maximum * GIB,
        maxmemory_policy=policy,
        db0={"keys": 60, "expires": 0},
        db1={"keys": 40, "expires": 0},
    )
    seen = (
        replace(seen, info={**seen.info, "db0": {"keys": 100, "expires": expires}})
        if expires
        else seen
    )
    if expires:
        seen = replace(
            seen, info={name: value for name, value in seen.info.items() if name != "db1"}
        )
    check = verdicts(seen, purpose)["redis.eviction_policy"]
    assert check.status == status
    assert said in check.summary
    assert bool(check.remedy) == (status != "ok")


@pytest.mark.parametrize(
    ("purpose", "count", "status"),
    [
        ("cache", 9, "ok"),
        ("queue", 9, "warning"),
        ("session", 9, "warning"),
        ("", 9, "unknown"),
        ("", 0, "ok"),
        ("queue", 0, "ok"),
    ],
)
def test_evictions_are_right_for_a_cache_alone(purpose: str, count: int, status: str) -> None:
    check = verdicts(counting(evicted_keys=count), purpose)["redis.evictions"]
    assert (check.status, check.value, check.window) == (status, count, WINDOW)


@pytest.mark.parametrize(
    ("resident", "ratio", "swapped", "status", "said"),
    [
        (50 * MIB, 9, None, "ok", "Only 50 MiB resident"),
        (GIB, 1.4, None, "ok", "1.40 resident bytes"),
        (GIB, 1.6, None, "warning", "1.60 resident bytes"),
        (GIB, 3.1, 0, "critical", "3.10"),
        (GIB, 0.8, None, "unknown", "swapped out, or never touched"),
        (GIB, 0.8, 0, "ok", "0.80"),
        (GIB, 0.8, 300 * MIB, "warning", "300 MiB are swapped out"),
    ],
)
def test_fragmentation(
    resident: int, ratio: float, swapped: int | None, status: str, said: str
) -> None:
    check = verdicts(
        replace(with_info(used_memory_rss=resident, mem_fragmentation_ratio=ratio), swapped=swapped)
    )["redis.fragmentation"]
    assert check.status == status
    assert said in check.summary
    assert check.value == ratio


# --- counters and clients ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "misses", "status", "value"),
    [
        (0, 0, "unknown", None),
        (999, 0, "unknown", 100),
        (850, 150, "warning", 85),
        (1, 999, "critical", 0.1),
    ],
)
def test_the_hit_rate_needs_enough_look_ups(
    hits: int, misses: int, status: str, value: float | None
) -> None:
    check = verdicts(counting(keyspace_hits=hits, keyspace_misses=misses))["redis.hit_rate"]
    assert (check.status, check.value, check.window) == (status, value, WINDOW)
    assert "redis.hit_rate" not in verdicts(
        counting(keyspace_hits=hits, keyspace_misses=misses), "queue"
    )


def test_clients() -> None:
    rows = [{"address": "10.0.0.1", "name": "", "user": "app", "connections": 95}]
    check = verdicts(replace(with_info(connected_clients=95, blocked_clients=3), clients=rows))[
        "redis.clients"
    ]
    assert check.status == "critical"
    assert check.summary == "95 of 100 slots in use, 3 waiting in a blocking command"
    assert list(check.evidence) == rows


@pytest.mark.parametrize(
    ("count", "status", "said"),
    [
        (0, "ok", "No connections"),
        (1, "warning", "1 connection "),
        (101, "critical", "101 connections"),
    ],
)
def test_rejected_connections(count: int, status: str, said: str) -> None:
    check = verdicts(counting(rejected_connections=count))["redis.rejected_connections"]
    assert check.status == status
    assert check.summary.startswith(said)


# --- persistence and replication --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("info", "save", "purpose", "status", "said"),
    [
        ({"rdb_last_bgsave_status": "err"}, "", "cache", "critical", "The last snapshot failed"),
        (
            {"aof_enabled": 1, "aof_last_write_status": "err"},
            "",
            "cache",
            "critical",
            "write to the append-only file failed",
        ),
        (
            {"aof_enabled": 0, "aof_last_write_status": "err"},
            "60 1",
            "cache",
            "ok",
            "Last snapshot",
        ),
        (
            {"aof_enabled": 1, "aof_last_bgrewrite_status": "err"},
            "",
            "cache",
            "warning",
            "rewrite of the append-only file failed",
        ),
        (
            {"aof_enabled": 1},
            "3600 1",
            "queue",
            "ok",
            "Append-only file on, last snapshot 10 min ago",
        ),
        ({"rdb_saves": 0}, "3600 1", "queue", "ok", "Snapshots on, none written since the start"),
        ({}, "", "cache", "ok", "a restart begins empty"),
        ({}, "", "session", "warning", "a restart begins empty"),
        ({}, None, "session", "unknown", "CONFIG is refused"),
        ({}, None, "cache", "ok", "CONFIG is refused"),
        ({"aof_enabled": 1}, None, "session", "ok", "Append-only file on"),
        (
            {"rdb_changes_since_last_save": 5},
            "100 5",
            "queue",
            "warning",
            "A snapshot has been due for 6 min",
        ),
        ({"rdb_changes_since_last_save": 4}, "100 5", "queue", "ok", "Last snapshot"),
        (
            {"rdb_changes_since_last_save": 5, "rdb_bgsave_in_progress": 1},
            "100 5",
            "queue",
            "ok",
            "Last snapshot",
        ),
        ({"rdb_changes_since_last_save": 5}, "3600 1 300 100", "queue", "ok", "Last snapshot"),
    ],
)
def test_persistence(
    info: dict[str, Any], save: str | None, purpose: str, status: str, said: str
) -> None:
    check = verdicts(replace(with_info(**info), save=save), purpose)["redis.persistence"]
    assert check.status == status
    assert said in check.summary
    assert bool(check.remedy) == (status != "ok")


REPLICA = {
    "role": "slave",
    "master_host": "db0",
    "master_port": 6379,
    "master_link_status": "up",
    "master_last_io_seconds_ago": 1,
    "master_sync_in_progress": 0,
}
ONLINE, COPYING = (
    {"ip": "10.0.0.2", "port": 6379, "state": "online", "lag": 1},
    {"ip": "10.0.0.3", "port": 6379, "state": "send_bulk", "lag": 0},
)


@pytest.mark.parametrize(
    ("info", "replicas", "status", "said"),
    [
        ({}, 0, "ok", "none are expected"),
        ({}, 1, "critical", "0 of 1 replicas"),
        ({"connected_slaves": 1, "slave0": ONLINE}, 2, "warning", "1 of 2 replicas"),
        ({"connected_slaves": 1, "slave0": ONLINE}, 1, "ok", "Primary with 1 replica linked"),
        (
            {"connected_slaves": 2, "slave0": ONLINE, "slave1": COPYING},
            1,
            "warning",
            "still copying",
        ),
        (REPLICA, 0, "ok", "Replica of db0:6379, linked"),
        (
            {**REPLICA, "master_link_status": "down", "master_link_down_since_seconds": 700},
            0,
            "critical",
            "cut off from its primary db0:6379 for 11 min",
        ),
        (
            {**REPLICA, "master_link_status": "down", "master_link_down_since_seconds": -1},
            0,
            "critical",
            "since its start",
        ),
        (
            {**REPLICA, "master_link_status": "down", "master_sync_in_progress": 1},
            0,
            "warning",
            "still copying",
        ),
    ],
)
def test_replication(info: dict[str, Any], replicas: int, status: str, said: str) -> None:
    check = verdicts(with_info(**info), replicas=replicas)["redis.replication"]
    assert check.status == status
    assert said in check.summary


# --- the URL ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "endpoint", "address"),
    [
        ("redis://h", Endpoint("h"), "h:6379"),
        ("redis://", Endpoint("127.0.0.1"), "127.0.0.1:6379"),
        ("redis://:p%23w@h:1/3", Endpoint("h", 1, "", 3, "", "p#w"), "h:1"),
        ("redis://u:p@[::1]:7/", Endpoint("::1", 7, "", 0, "u", "p"), "[::1]:7"),
        ("redis://h?db=4&family=6", Endpoint("h", 6379, "", 4), "h:6379"),
        ("valkey://h", Endpoint("h"), "h:6379"),
        (
            "unix:///run/a%20b.sock?db=2&password=x%20y",
            Endpoint(path="/run/a b.sock", database=2, password="x y"),
            "/run/a b.sock",
        ),
        ("unix://u:p@/run/s", Endpoint(path="/run/s", username="u", password="p"), "/run/s"),
        (" redis://h\n", Endpoint("h"), "h:6379"),
    ],
)
def test_urls(url: str, endpoint: Endpoint, address: str) -> None:
    assert parse_url(url) == endpoint
    assert parse_url(url).address == address
    assert "password" not in repr(endpoint)


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_user_and_password_can_be_written(user: str, password: str) -> None:
    endpoint = parse_url(f"redis://{quote(user, safe='')}:{quote(password, safe='')}@h:1/2")
    assert (endpoint.username, endpoint.password, endpoint.host, endpoint.database) == (
        user,
        password,
        "h",
        2,
    )


@pytest.mark.parametrize(
    "shape",
    [
        "redis://u:{}@h:6379/0",
        "redis://{}",
        "{}",
        "unix://{}",
        "unix://:{}@/run/s",
        "redis://h:1/{}",
    ],
)
@given(st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1))
def test_no_error_tells_any_part_of_a_url(shape: str, rest: str) -> None:
    said = ""
    try:
        endpoint = parse_url(shape.format(f"Zq7{rest}"))
    except UsageError as misuse:
        said = str(misuse)
    else:
        assert "@" not in endpoint.address, (
            "a password that was not encoded must not end up in an address"
        )
    assert "Zq7" not in said


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:1234?Zq7@h:6379/0",
        "redis://u:1234/Zq7@h:6379/0",
        "redis://:1234#Zq7@h:6379/0",
        "unix://:12/34@/run/s",
    ],
)
def test_a_password_that_looks_like_a_port_is_not_taken_for_one(url: str) -> None:
    with pytest.raises(UsageError, match="percent-encoded"):
        parse_url(url)


def test_tls_options(tmp_path: Path) -> None:
    assert parse_url("rediss://h").tls == {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    assert parse_url("rediss://h?ssl_cert_reqs=none").tls == {
        "ssl_cert_reqs": "none",
        "ssl_check_hostname": False,
    }
    assert parse_url("rediss://h?ssl_check_hostname=False").tls == {
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": False,
    }
    (tmp_path / "not.pem").write_text("not")
    for arguments, said in (
        (("rediss://h?ssl_cert_reqs=perhaps", None), "ssl_cert_reqs"),
        (
            ("rediss://h", str(tmp_path / "none.pem")),
            "ca_file: cannot be read as PEM: No such file",
        ),
        (("rediss://h", str(tmp_path / "not.pem")), "ca_file: cannot be read as PEM"),
        (("rediss://h?ssl_ca_certs=/none", None), "redis_url: one of"),
        (("rediss://h?ssl_certfile=/none", None), "redis_url: one of"),
        (("redis://h", "/x"), "ca_file: has no effect"),
        (("unix:///x", "/x"), "ca_file: has no effect"),
    ):
        with pytest.raises(UsageError, match=said):
            parse_url(*arguments)


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        (Endpoint("127.0.0.1"), True),
        (Endpoint("localhost"), True),
        (Endpoint(path="/s"), True),
        (Endpoint("db1"), False),
    ],
)
def test_local(endpoint: Endpoint, local: bool) -> None:
    assert endpoint.local is local


# --- what went wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Authentication required.", "no password"),
        ("NOAUTH Authentication required.", "no password"),
        ("invalid username-password pair or user is disabled.", "wrong password"),
        ("WRONGPASS invalid username-password pair", "wrong password"),
        (
            "AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            "needless password",
        ),
        ("Redis is loading the dataset in memory", "loading"),
        ("Valkey is loading the dataset in memory", "loading"),
        (
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "primary down",
        ),
        ("User u has no permissions to run the 'ping' command", "not allowed"),
        (
            "NOPERM this user has no permissions to run the 'ping' command or its subcommand",
            "not allowed",
        ),
        (
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            "busy",
        ),
        ("BUSY Valkey is busy running a script. You can only call FUNCTION KILL", "busy"),
        (
            "DENIED Redis is running in protected mode because protected mode is enabled",
            "protected mode",
        ),
        ("-ERR max number of clients reached\r\n", "out of slots"),
        (
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "cannot save",
        ),
        ("DB index is out of range", "no database"),
        ("something else", None),
    ],
)
def test_replies(text: str, kind: str | None) -> None:
    refusal = reply(text, Endpoint("db1", 7, username="u"))
    assert (refusal.kind if refusal else None) == kind
    if refusal:
        assert "db1:7" in refusal.summary
        assert "{" not in refusal.summary + refusal.remedy
        assert refusal.status == ("unknown" if kind == "not allowed" else "critical")


def caused(cause: BaseException, error: Exception | None = None) -> Exception:
    try:
        try:
            raise cause
        except OSError:
            raise error or redis.ConnectionError("Error connecting") from None
    except redis.RedisError as raised:
        return raised


@pytest.mark.parametrize(
    ("cause", "kind", "status"),
    [
        (ConnectionRefusedError(111, "refused"), "refused", "critical"),
        (socket.gaierror(-2, "Name or service not known"), "no such host", "critical"),
        (FileNotFoundError(2, "No such file"), "no socket", "critical"),
        (PermissionError(13, "Permission denied"), "not allowed", "unknown"),
        (OSError(113, "No route to host"), "no route", "critical"),
        (ssl.SSLCertVerificationError(1, "bad"), "certificate", "critical"),
    ],
)
def test_what_the_system_says_is_found_below_what_the_library_says(
    cause: OSError, kind: str, status: str
) -> None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        cause.verify_message = "self-signed certificate"
    refusal = explain(caused(cause), Endpoint("db1"), 3)
    assert (refusal.kind, refusal.status) == (kind, status)


def test_the_last_resort_tells_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_connection, "_listen", lambda endpoint: "+PONG\r\n")
    refusal = explain(
        redis.RedisError("odd: Zq7#x and Zq7%23x and redis://u:Zq7%23x@h"),
        Endpoint("db1", password="Zq7#x"),
        3,
    )
    assert refusal.kind == "failed"
    assert "Zq7" not in refusal.summary


def test_a_client_tries_once_and_gives_up_in_time() -> None:
    client = connect(
        Endpoint("127.0.0.1", unused_port(), database=3, username="u", password="p"), 0.5
    )
    options = client.connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.5, 0.5)
    assert options["retry"].get_retries() == 0
    with pytest.raises(redis.ConnectionError):
        client.ping()
