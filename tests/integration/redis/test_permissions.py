"""redis_health as a user who may do little."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.view import findings
from tests.conftest import by_name
from tests.support import report_samples as samples
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
    without = {"redis.reachable", "redis.slow_commands"}
    assert {check["name"]: check["status"] for check in answer["checks"]} == {
        name: "ok" if name in without else "unknown" for name in ALL
    }
    unknown = [check for check in answer["checks"] if check["status"] == "unknown"]
    assert all("'ACL SETUSER half +info +config|get'" in each["remedy"] for each in unknown)
    found = findings(samples.report({"db1": {"__redis_health": answer}}))
    assert len(found) == 2, "what needs INFO is said once, beside that of redis.security"
    assert len(found[0].names) == len(ALL) - 3
    assert "user half" in found[0].summaries[0][0]


def test_info_is_renamed(start_each: Start, ask: Ask) -> None:
    server = start_each("--rename-command", "INFO", "")
    answer = ask(server.url, key_samples=10, canary=True)
    (found,) = findings(samples.report({"db1": {"__redis_health": answer}}))
    assert set(found.names) == ALL - {"redis.reachable", "redis.security", "redis.slow_commands"}
    assert found.summaries[0][0].endswith(f"127.0.0.1:{server.port} does not offer INFO")
    assert "remove the line of INFO and restart Redis" in found.remedy
    assert "ACL SETUSER default" not in found.remedy
    assert server.client.dbsize() == 0, "no test key is written to a server of unknown role"


def test_clients_that_cannot_be_listed(start_each: Start, ask: Ask) -> None:
    server = start_each("--rename-command", "CLIENT", "")
    check = by_name(ask(server.url), "redis.clients")
    assert check["status"] == "ok"
    assert "by whom is not known: 127.0.0.1" in check["summary"]
    assert check["summary"].endswith("does not offer CLIENT LIST")


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
    assert queue["summary"].endswith("does not offer CONFIG GET")
    assert "ACL SETUSER USER" not in queue["remedy"]
