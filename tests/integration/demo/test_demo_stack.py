"""The demo stack in use: its services, its app, its faults."""

from __future__ import annotations

import json
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis

from demo.certificates import Authority
from demo.processes import wait_until
from demo.services import fetch
from demo.stack import Stack
from demo.tls import PostgresTls
from tests.support.demo import SERVICES, ask, assert_healthy, invoke, states


def test_up_again_changes_nothing(stack: Stack) -> None:
    before = states(stack), stack.settings
    stack.up()
    assert (states(stack), stack.settings) == before
    assert_healthy(stack)


def test_status_prints_one_json_object_and_nothing_else(stack: Stack, tmp_path: Path) -> None:
    answer = invoke(stack.directory, "status")
    assert (answer.returncode, answer.stderr) == (0, "")
    status = json.loads(answer.stdout)
    assert list(status) == SERVICES
    for state in status.values():
        assert state["running"] is True
        assert Path(f"/proc/{state['pid']}").exists()
        assert Path(state["log"]).is_file()
        assert isinstance(state["address"], str)
    nothing = json.loads(invoke(tmp_path / "nothing", "status").stdout)
    assert {name: state["running"] for name, state in nothing.items()} == dict.fromkeys(
        SERVICES, False
    )
    assert not (tmp_path / "nothing").exists()


def test_the_app_answers_from_its_real_services_through_verified_tls(stack: Stack) -> None:
    assert_healthy(stack)
    for page in ("/", "/login"):
        status, text = ask(stack, page)
        assert status == 200
        assert text.startswith("<!doctype html>")
    version = ask(stack, "/api/health")[1]
    assert version["version"] == "1.1.0"
    assert (
        version["commit"]
        == stack.run(
            ["git", "-C", stack.settings["app"]["repository"], "rev-parse", "v1.1.0^{commit}"]
        ).stdout.strip()
    )
    assert ask(stack, "/api/health/db")[1]["database"] == "gpt_agent"
    # nginx keeps its connections to an instance, so only requests at the same time are sure to
    # reach both.
    seen, end = set(), time.monotonic() + 20
    with ThreadPoolExecutor(8) as crew:
        while seen != {0, 1} and time.monotonic() < end:
            seen |= {
                answer["instance"]
                for _, answer in crew.map(lambda _: ask(stack, "/api/health"), range(16))
            }
    assert seen == {0, 1}
    assert (
        "CERTIFICATE_VERIFY_FAILED"
        in fetch(stack.url, ca=ssl.get_default_verify_paths().cafile or "/dev/null")[1]
        or not ssl.get_default_verify_paths().cafile
    )


def test_reads_are_cached_in_redis_and_logged_with_their_times(stack: Stack) -> None:
    with redis.Redis.from_url(stack.redis_url) as client:
        hits = client.info("stats")["keyspace_hits"]
        agents = fetch(f"{stack.url}/api/agents", stack.settings["certificates"]["ca"])
        assert len(json.loads(agents[1])) == 25
        assert fetch(f"{stack.url}/api/agents", stack.settings["certificates"]["ca"]) == agents
        assert client.info("stats")["keyspace_hits"] > hits
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
    last = json.loads(Path(stack.settings["nginx"]["access_log"]).read_text().splitlines()[-1])
    assert (last["uri"], last["status"]) == ("/api/agents", 200)
    assert 0 <= float(last["upstream_response_time"]) <= last["request_time"] + 0.002


def test_clients_know_all_they_need(stack: Stack) -> None:
    connection = psycopg2.connect(stack.database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, pg_has_role('pg_monitor', 'member'), (SELECT count(*) FROM "
            "documents), (SELECT count(*) > 0 FROM pg_stat_statements)"
        )
        assert cursor.fetchone() == ("gpt_agent", True, 500, True)
    connection.close()
    socket_folder = stack.settings["postgres"]["socket_dir"]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(stack.database_url, host=socket_folder, password="wrong")
    with (
        redis.Redis(unix_socket_path=stack.settings["redis"]["socket"]) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()
    assert json.loads(stack.run(["pm2", "jlist", "--silent"]).stdout)[0]["name"] == "gpt-agent"
    assert (
        invoke(stack.directory, "run", "psql", "--no-psqlrc", "-Atc", "SELECT 6 * 7").stdout
        == "42\n"
    )


@pytest.mark.parametrize(
    "script",
    [
        "health:check",
        "verify:env",
        "db:migrate",
        "db:migrate:status",
        "performance:report",
        "test",
        "test:e2e",
        "build",
    ],
)
def test_the_runbook_s_npm_scripts_work(stack: Stack, script: str) -> None:
    done = stack.run(["npm", "run", "--silent", script], cwd=stack.settings["app"]["current"])
    assert done.stdout
    assert done.stderr == ""


def test_a_migration_goes_back_and_forth(stack: Stack) -> None:
    current = Path(stack.settings["app"]["current"])

    def migrate(*arguments: str) -> str:
        return stack.run(["npm", "run", "--silent", *arguments], cwd=current).stdout

    try:
        assert migrate("db:migrate:rollback") == "rolled back 20260302090000_create_documents\n"
        assert "pending   20260302090000_create_documents" in migrate("db:migrate:status")
        created = migrate("db:migrate:create", "add_new_feature")
        assert [
            line.endswith(end) for line, end in zip(created.splitlines(), (".up.sql", ".down.sql"))
        ] == [True, True]
    finally:
        for file in current.glob("db/migrations/*_add_new_feature.*"):
            file.unlink()
        assert "applied   20260302090000_create_documents" in migrate("db:migrate")
    assert ask(stack, "/api/documents")[0] == 200


def test_the_fault_file_makes_the_app_misbehave_for_real(stack: Stack) -> None:
    with stack.fault(paths=["/api/health"], status=500):
        assert ask(stack, "/api/health") == (500, {"status": "error", "error": "fault file"})
        assert ask(stack, "/api/health/db")[0] == 200
    with stack.fault(html=True):
        assert ask(stack, "/api/health")[1].startswith("<!doctype html>")
    with stack.fault(delay_ms=700, log="Error: something went wrong"):
        begin = time.monotonic()
        assert ask(stack, "/api/health")[0] == 200
        assert time.monotonic() - begin >= 0.7
    assert wait_until(
        lambda: "something went wrong" in Path(stack.settings["app"]["error_log"]).read_text(), 5
    )
    assert_healthy(stack)


def test_an_instance_that_crashes_at_start_ends_errored_and_up_heals_it(stack: Stack) -> None:
    def listed() -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = json.loads(stack.run(["pm2", "jlist", "--silent"]).stdout)
        return answer

    def processes() -> dict[str, int]:
        found = [each["pm2_env"]["status"] for each in listed()]
        return {status: found.count(status) for status in found}

    with stack.fault(crash=True, instance=1):
        victim = next(each for each in listed() if each["pm2_env"]["NODE_APP_INSTANCE"] == 1)
        # PM2 gives up only on what crashes soon after it was started by hand; else it tries for
        # ever.
        stack.run(["pm2", "restart", str(victim["pm_id"])], check=False)
        assert wait_until(lambda: processes() == {"online": 1, "errored": 1}, 60, 1)
        assert ask(stack, "/api/health")[0] == 200
    stack.up()
    assert processes() == {"online": 2}
    assert_healthy(stack)


def test_versions_can_be_deployed_and_the_broken_one_is_broken(stack: Stack) -> None:
    try:
        stack.deploy("v1.2.0")
        assert wait_until(lambda: ask(stack, "/api/health")[0] == 500, 10)
        assert ask(stack, "/login")[0] == 200
        stack.deploy("v1.0.0")
        assert wait_until(lambda: ask(stack, "/api/health")[1].get("version") == "1.0.0", 10)
        assert ask(stack, "/api/documents")[0] == 404
    finally:
        stack.deploy("v1.1.0")
    assert wait_until(lambda: ask(stack, "/api/health")[1].get("version") == "1.1.0", 10)


def test_the_repository_is_the_same_everywhere(stack: Stack, own: Stack) -> None:
    from demo import repository

    target = own.directory.parent / "repository"
    repository.ensure_repository(target)
    log = ["log", "--format=%H %an %aI %D", "v1.2.0"]
    first, second = (
        stack.run(["git", "-c", "safe.directory=*", "-C", folder, *log]).stdout
        for folder in (stack.settings["app"]["repository"], target)
    )
    assert first == second
    assert [line.split()[0] for line in first.splitlines()] == [
        line.split()[0] for line in second.splitlines()
    ]
    assert len(first.splitlines()) == 3


def test_a_reload_of_nginx_serves_the_new_certificate(stack: Stack) -> None:
    certificates = stack.settings["certificates"]

    def served() -> str:
        return ssl.get_server_certificate(
            (stack.settings["nginx"]["host"], stack.settings["nginx"]["https_port"]), timeout=5
        )

    before = served()
    Authority(Path(certificates["ca"]).parent).renewed().install(certificates)
    assert served() == before
    stack.reload("nginx")
    assert served() != before
    assert served().strip() == Path(certificates["cert"]).read_text().strip()
    assert_healthy(stack)


def test_up_heals_a_bad_certificate(stack: Stack) -> None:
    certificates = stack.settings["certificates"]
    Authority(Path(certificates["ca"]).parent).expired().install(certificates)
    stack.reload("nginx")
    assert "certificate has expired" in ask(stack, "/")[1]
    stack.up()
    assert_healthy(stack)


def test_postgresql_behind_tls_is_verified_and_reloaded(stack: Stack) -> None:
    certificates = stack.settings["certificates"]
    with PostgresTls(stack.settings) as front:

        def connect() -> None:
            psycopg2.connect(
                stack.database_url,
                host="localhost",
                port=front.port,
                sslmode="verify-full",
                sslrootcert=certificates["ca"],
                gssencmode="disable",
            ).close()

        connect()
        try:
            Authority(Path(certificates["ca"]).parent).expired().install(certificates)
            connect()
            front.reload()
            with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
                connect()
        finally:
            Authority(Path(certificates["ca"]).parent).issue().install(certificates)


def test_the_services_have_no_rights(stack: Stack) -> None:
    for name, state in stack.status().items():
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{state['pid']}/status").read_text().splitlines()
            if ":\t" in line
        )
        assert int(status["CapEff"], 16) == 0, name
        inside, outside, _ = Path(f"/proc/{state['pid']}/uid_map").read_text().split()
        assert status["Uid"].split()[1] != "0" or (inside, outside) != ("0", "0"), name
