"""redis_health as a user who may do little."""

from __future__ import annotations

from tests.conftest import by_name
from tests.support.redis_server import ALL, ENCODED, PASSWORD, Ask, Start, only


def test_the_permissions_in_the_documentation_are_enough(start_each: Start, ask: Ask) -> None:
    server = start_each("--maxclients", "10")
    rights = "on +ping +info +select +dbsize +config|get +client|list +slowlog|get +acl|getuser"
    server.client.execute_command("ACL", "SETUSER", "monitor", *rights.split(), f">{PASSWORD}")
    held = [server.client for _ in range(6)]
    for client in held:
        client.ping()
    answer = ask(f"redis://monitor:{ENCODED}@127.0.0.1:{server.port}/1", purpose="cache")
    assert {check["name"] for check in answer["checks"]} == ALL
    assert "snapshots" in by_name(answer, "redis.persistence")["summary"]
    assert sum(row["connections"] for row in by_name(answer, "redis.clients")["evidence"]) == 7
    assert server.client.acl_log() == []


def test_a_user_without_permission_to_ping(start_each: Start, ask: Ask) -> None:
    server = start_each()
    server.client.execute_command("ACL", "SETUSER", "nobody", "on", f">{PASSWORD}", "-@all")
    check = only(ask(f"redis://nobody:{ENCODED}@127.0.0.1:{server.port}"), "unknown")
    assert "user nobody lacks permission" in check["summary"]
    assert "ACL SETUSER nobody" in check["remedy"]


def test_a_user_without_permission_for_info(start_each: Start, ask: Ask) -> None:
    server = start_each()
    server.client.execute_command(
        "ACL", "SETUSER", "half", "on", f">{PASSWORD}", "+@all", "-info", "-config"
    )
    answer = ask(f"redis://half:{ENCODED}@127.0.0.1:{server.port}")
    assert {check["name"]: check["status"] for check in answer["checks"]} == {
        name: "ok" if name == "redis.reachable" else "unknown" for name in ALL
    }
    assert all("+info" in check["remedy"] for check in answer["checks"][1:])


def test_cluster_info_refused(start_each: Start, ask: Ask) -> None:
    server = start_each("--cluster-enabled", "yes")
    rights = "on +ping +info +select +dbsize +config|get +client|list +slowlog|get +acl|getuser"
    server.client.execute_command("ACL", "SETUSER", "monitor", *rights.split(), f">{PASSWORD}")
    answer = ask(f"redis://monitor:{ENCODED}@127.0.0.1:{server.port}")
    for name in ("redis.cluster", "redis.writable"):
        check = by_name(answer, name)
        assert check["status"] == "unknown"
        assert "+cluster|info" in check["remedy"]


def test_no_canary_in_check_mode(start_each: Start, ask: Ask) -> None:
    server = start_each()
    assert by_name(ask(server.url, canary=True, check=True), "redis.writable")["status"] == "ok"
    assert "cmdstat_set" not in server.client.info("commandstats")


def test_config_refused(start_each: Start, ask: Ask) -> None:
    server = start_each("--rename-command", "CONFIG", "")
    cache, queue = (
        by_name(ask(server.url, purpose=purpose), "redis.persistence")
        for purpose in ("cache", "queue")
    )
    assert cache["status"] == "ok"
    assert queue["status"] == "unknown"
    assert "CONFIG is refused" in queue["summary"]
