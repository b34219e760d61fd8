"""redis_flush: what it shows, what it refuses, and what is left whatever happens to it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule, by_name, start_module
from tests.support.redis_server import ENCODED, PASSWORD, Server, Start
from tests.support.redis_truth import until

Flush = Callable[..., dict[str, Any]]


@pytest.fixture
def flush(run_module: RunModule) -> Flush:
    def run(url: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {"redis_url": url, "state": "flushed", "pause": 0, **options}
        answer = run_module("redis_flush", given, check=check)
        assert PASSWORD not in json.dumps(answer, ensure_ascii=False)
        return answer

    return run


def fill(server: Server, prefix: str, count: int, database: int = 0) -> None:
    client = server.client
    client.select(database)
    client.mset({f"{prefix}{number}": "value" for number in range(count)})


def test_the_plan_and_then_the_flush(start_each: Start, flush: Flush) -> None:
    server = start_each()
    fill(server, "cart:", 1200)
    fill(server, "other:", 5, database=1)
    plan = flush(server.url, check=True)
    assert (plan["changed"], plan["keys"]) == (True, 1200)
    assert plan["actions"][0]["status"] == "planned"
    assert by_name(plan, "redis.contents")["evidence"][0]["prefix"] == "cart:*"
    assert server.client.dbsize() == 1200
    done = flush(server.url, confirm=1200)
    assert (done["changed"], done["removed"], server.client.dbsize()) == (True, 1200, 0)
    assert by_name(done, "redis.flush")["status"] == "ok"
    assert server.client.info("keyspace")["db1"]["keys"] == 5, "another database"
    again = flush(server.url, confirm=1200)
    assert (again["changed"], again["actions"]) == (False, [])


def test_a_prefix_means_itself(start: Start, flush: Flush) -> None:
    server = start()
    odd = [b"a*:1", b"a*:\xff\xfe", b"a*:[x]"]
    kept = [b"ab:1", b"a", b"a*"]
    for key in (*odd, *kept):
        server.client.set(key, "value")
    done = flush(server.url, prefix="a*:", confirm=3)
    assert done["removed"] == 3
    left = sorted(server.client.scan_iter())
    assert left == sorted(key.decode() for key in kept)


def test_all_databases_only_if_asked_for(start: Start, flush: Flush) -> None:
    server = start()
    fill(server, "a:", 20)
    fill(server, "b:", 30, database=3)
    done = flush(server.url, all_databases=True, confirm=50)
    assert done["removed"] == 50
    assert server.client.info("keyspace") == {}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "confirm: must be the number of keys that are to be removed; give 1202"),
        ({"confirm": 12}, "confirm: says 12, but there are 1,202 keys now"),
        ({"confirm": 1202, "purpose": "session"}, "it is declared as a session store"),
        ({"confirm": 1202}, "it holds queue data, bull:mail:* (2): flushing loses jobs"),
        ({"confirm": 1202, "dump_dir": "/proc/nowhere", "allow": ["queue"]}, "dump_dir"),
    ],
)
def test_what_is_refused(start: Start, flush: Flush, options: dict[str, Any], reason: str) -> None:
    server = start()
    fill(server, "cart:", 1200)
    fill(server, "bull:mail:", 2)
    refused = flush(server.url, **options)
    assert refused["failed"], refused
    assert reason in refused["msg"]
    assert refused["changed"] is False
    assert server.client.dbsize() == 1202
    if "confirm" in options:
        assert flush(server.url, check=True, **options)["failed"], "in check mode, too"


def test_sessions_and_streams_are_no_cache(start: Start, flush: Flush) -> None:
    server = start()
    server.client.set("sess:Zq7tOpSeCrEt", "user")
    server.client.xadd("orders", {"id": "1"})
    refused = flush(server.url, confirm=2, purpose="cache")
    assert "session data, sess:* (1)" in refused["msg"]
    assert "queue data, (other) (1)" in refused["msg"]
    assert "Zq7tOpSeCrEt" not in json.dumps(refused)
    assert flush(server.url, confirm=2, allow=["session", "queue"])["removed"] == 2


def test_sessions_among_other_keys_with_the_same_number_before_their_names(
    start: Start, flush: Flush
) -> None:
    server = start()
    fill(server, ":1:product.", 300)
    server.client.set(":1:django.contrib.sessions.cacheZq7tOp", "user")
    refused = flush(server.url, confirm=301, purpose="cache")
    assert "session data, (other) (1)" in refused["msg"]
    assert server.client.dbsize() == 301


def test_zero_confirms_nothing(start: Start, flush: Flush) -> None:
    server = start()
    fill(server, "cart:", 8)
    assert "confirm: says 0, but there are 8 keys now" in flush(server.url, confirm=0)["msg"]
    assert server.client.dbsize() == 8


def test_a_replica(start: Start, flush: Flush) -> None:
    primary = start("--repl-diskless-sync-delay", "0")
    fill(primary, "a:", 3)
    replica = start("--replicaof", "127.0.0.1", str(primary.port))
    until(lambda: replica.client.dbsize() == 3)
    refused = flush(replica.url, confirm=3)
    assert f"replica of 127.0.0.1:{primary.port}" in refused["msg"]
    assert "on 1 replica as well" in flush(primary.url, check=True)["actions"][0]["reason"]
    flush(primary.url, confirm=3)
    until(lambda: replica.client.dbsize() == 0)


def test_a_dump_first(start_each: Start, flush: Flush, tmp_path: Path) -> None:
    server = start_each()
    fill(server, "cart:", 500)
    done = flush(server.url, confirm=500, dump_dir=str(tmp_path / "dumps"))
    path = Path(done["dump"])
    assert [action["name"] for action in done["actions"]] == ["redis.dump", "redis.flush"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored" / "dump.rdb").write_bytes(path.read_bytes())
    restored = Server(tmp_path / "again", server.program, "--dir", str(tmp_path / "restored"))
    try:
        until(lambda: restored.client.dbsize() == 500)
    finally:
        restored.stop()


def test_a_user_who_may_not(start_each: Start, flush: Flush, tmp_path: Path) -> None:
    server = start_each()
    fill(server, "cart:", 3)
    rights = "on ~* +info +scan +type +pttl +memory +client +select"
    server.client.execute_command("ACL", "SETUSER", "half", *rights.split(), f">{PASSWORD}")
    url = f"redis://half:{ENCODED}@127.0.0.1:{server.port}"
    for options, command in (({}, "FLUSHDB"), ({"prefix": "cart:"}, "UNLINK")):
        refused = flush(url, confirm=3, **options)
        assert (
            f"user half of 127.0.0.1:{server.port} lacks permission for {command}"
            in (refused["msg"])
        )
    refused = flush(url, confirm=3, dump_dir=str(tmp_path))
    assert "Nothing was removed: no dump" in refused["msg"]
    assert server.client.dbsize() == 3


def test_commands_that_are_renamed(start_each: Start, flush: Flush) -> None:
    names = ("FLUSHDB", "MEMORY", "CLIENT")
    renamed = start_each(*(word for name in names for word in ("--rename-command", name, "")))
    fill(renamed, "cart:", 3)
    for check in (True, False):
        refused = flush(renamed.url, confirm=3, check=check)
        assert "does not offer FLUSHDB" in refused["msg"]
        assert "give prefix" in refused["msg"]
    assert "bytes each" not in by_name(refused, "redis.contents")["evidence"][0]
    assert renamed.client.dbsize() == 3
    assert flush(renamed.url, confirm=3, prefix="cart:")["removed"] == 3


def test_what_is_in_it_cannot_be_seen(start_each: Start, flush: Flush) -> None:
    renamed = start_each("--rename-command", "TYPE", "")
    renamed.client.xadd("cart", {"field": "value"})
    assert "TYPE is refused" in flush(renamed.url, confirm=1)["msg"]
    assert flush(renamed.url, confirm=1, purpose="cache")["removed"] == 1
    hidden = start_each("--rename-command", "INFO", "")
    fill(hidden, "cart:", 3)
    refused = flush(hidden.url, confirm=3)
    assert [check["name"] for check in refused["checks"]] == ["redis.contents"], "it is reachable"
    assert "remove the line of INFO" in refused["checks"][0]["remedy"]
    assert hidden.client.dbsize() == 3


def test_two_at_once(start: Start, flush: Flush) -> None:
    server = start()
    fill(server, "cart:", 3)
    other = server.client.client()
    other.client_setname("gpt-agent-runbook:redis.flush")
    refused = flush(server.url, confirm=3)
    assert "another run (redis.flush, from 127.0.0.1" in refused["msg"]
    assert server.client.dbsize() == 3
    other.connection.disconnect()
    assert flush(server.url, confirm=3)["removed"] == 3


def test_killed_half_way(start: Start, flush: Flush) -> None:
    server = start()
    fill(server, "cart:", 3000)
    fill(server, "other:", 10)
    options = {"redis_url": server.url, "state": "flushed", "prefix": "cart:", "confirm": 3000}
    process = start_module("redis_flush", {**options, "batch": 1, "pause": 0.01})
    until(lambda: server.client.dbsize() < 3000)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    left = server.client.dbsize() - 10
    assert 0 < left < 3000
    done = flush(server.url, prefix="cart:", confirm=left)
    assert (done["removed"], server.client.dbsize()) == (left, 10)


def test_keys_that_others_write_meanwhile_are_not_removed_without_end(
    start: Start, flush: Flush
) -> None:
    server = start()
    fill(server, "cart:", 100)
    refused = flush(server.url, prefix="cart:", confirm=89)
    assert "confirm: says 89, but there are 100 keys now" in refused["msg"]
    assert flush(server.url, prefix="cart:", confirm=91)["removed"] == 100


def test_a_server_that_is_down(flush: Flush) -> None:
    down = flush("redis://127.0.0.1:1", confirm=3)
    assert down["failed"]
    assert by_name(down, "redis.reachable")["status"] == "critical"
