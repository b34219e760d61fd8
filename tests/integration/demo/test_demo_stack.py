"""The demo stack itself: it comes up, heals, stays out of the way, and goes without a trace."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis

from demo.certificates import Authority
from demo.processes import Identity, StackError, wait_until
from demo.services import fetch
from demo.stack import Stack
from demo.tls import PostgresTls

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ["postgres", "redis", "nginx", "pm2", "app"]


def command(directory: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "demo.stack", "--dir", str(directory), *arguments]


def invoke(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(directory, *arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def ask(stack: Stack, path: str) -> tuple[int, Any]:
    """Through nginx, with its certificate verified."""
    status, text = fetch(stack.url + path, stack.settings["certificates"]["ca"], timeout=10)
    return status, json.loads(text) if text.startswith("{") else text


def assert_healthy(stack: Stack) -> None:
    assert {name: state["running"] for name, state in stack.status().items()} == dict.fromkeys(
        SERVICES, True
    )
    for path in ("/api/health", "/api/health/db", "/api/health/redis"):
        status, answer = ask(stack, path)
        assert (status, answer["status"]) == (200, "ok"), answer
    assert len(stack.status()["app"]["pids"]) == 2


def traces(directory: Path) -> list[str]:
    """Every process that names the directory or works in it, however it is called."""
    found, mark = [], os.fsencode(directory)
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (
                mark in (entry / "cmdline").read_bytes()
                or mark in os.readlink(os.fsencode(entry / "cwd"))
                or mark in (entry / "environ").read_bytes()
            ):
                found.append(f"{entry.name}: {(entry / 'cmdline').read_bytes()!r}")
    return [each for each in found if not each.startswith(f"{os.getpid()}:")]


def states(stack: Stack) -> dict[str, Any]:
    return {name: (state["pid"], state.get("pids")) for name, state in stack.status().items()}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stack]:
    """A stack that a test may maltreat; not up yet."""
    stack = Stack(tmp_path / "own")
    yield stack
    stack.down(purge=True)
    assert traces(tmp_path) == []


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


@pytest.mark.parametrize("service", ["postgres", "redis"])
def test_a_lost_service_is_a_503_within_bounded_time(stack: Stack, service: str) -> None:
    path = {"postgres": "/api/health/db", "redis": "/api/health/redis"}[service]
    stopped = stack.pid(service)
    os.kill(stopped, signal.SIGSTOP)
    try:
        if service == "redis":  # a frozen postmaster does not hinder its sessions
            begin = time.monotonic()
            assert ask(stack, path)[0] == 503
            assert time.monotonic() - begin < 5
    finally:
        os.kill(stopped, signal.SIGCONT)
    try:
        stack.stop(service)
        assert ask(stack, path)[0] == 503
        assert ask(stack, "/api/health")[0] == 200
    finally:
        stack.start(service)
    assert wait_until(lambda: ask(stack, path)[0] == 200, 10)


@pytest.mark.parametrize("service", SERVICES)
def test_up_heals_a_killed_service(stack: Stack, service: str) -> None:
    port = stack.settings[service].get("port")
    os.kill(stack.pid(service), signal.SIGKILL)
    stack.up()
    assert stack.settings[service].get("port") == port
    assert_healthy(stack)


@pytest.mark.parametrize("service", ["postgres", "redis", "nginx", "pm2"])
def test_up_heals_a_frozen_service(stack: Stack, service: str) -> None:
    os.kill(stack.pid(service), signal.SIGSTOP)
    stack.up()
    assert_healthy(stack)


def test_up_heals_what_a_kill_of_everything_leaves(stack: Stack) -> None:
    for state in stack.status().values():
        os.kill(state["pid"], signal.SIGKILL)
    stack.up()
    assert_healthy(stack)


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_stops_starts_and_restarts(stack: Stack, service: str) -> None:
    before = stack.pid(service)
    stack.stop(service)
    assert not stack.status()[service]["running"]
    with pytest.raises(StackError, match=f"{service} does not run"):
        stack.pid(service)
    stack.start(service)
    stack.restart(service)
    assert stack.pid(service) != before
    stack.up()
    assert_healthy(stack)


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


STEPS: dict[str, Callable[[Path], bool]] = {
    "settings": lambda home: (home / "stack.json").exists(),
    "initdb": lambda home: (home / "postgres" / "data.new").exists(),
    "postgres": lambda home: (home / "postgres" / "data" / "postmaster.pid").exists(),
    "repository": lambda home: (home / ".repository.new" / ".git").exists(),
    "release": lambda home: (home / "releases" / ".v1.0.0.new").exists(),
    "daemon": lambda home: (home / "pm2" / "pm2.log").exists(),
    "instances": lambda home: any((home / "pm2" / "pids").glob("*.pid")),
}


@pytest.mark.parametrize("step", STEPS)
def test_up_works_after_an_up_that_was_killed(own: Stack, step: str) -> None:
    with subprocess.Popen(
        command(own.directory, "up"), cwd=ROOT, stderr=subprocess.DEVNULL
    ) as killed:
        assert wait_until(lambda: STEPS[step](own.directory), 60, 0.002)
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    own.up()
    assert_healthy(own)


def test_down_works_after_an_up_and_a_down_that_were_killed(own: Stack) -> None:
    for action, seconds in (("up", 0.9), ("down", 0.3), ("up", 1.3)):
        with subprocess.Popen(
            command(own.directory, action), cwd=ROOT, stderr=subprocess.DEVNULL
        ) as killed:
            time.sleep(seconds)
            killed.kill()
    own.down()
    assert not any(state["running"] for state in own.status().values())
    assert wait_until(lambda: traces(own.directory) == [], 10)


def test_two_ups_at_once_make_one_stack(own: Stack) -> None:
    pair = [
        subprocess.Popen(command(own.directory, "up"), cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=180)[1] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said
    assert sum("postgres started" in text for text in said) == 1
    assert sum("which is changing this stack" in text for text in said) == 1
    assert_healthy(own)


def test_stacks_side_by_side_do_not_meet(stack: Stack, own: Stack) -> None:
    before = states(stack)
    own.up()
    assert_healthy(own)
    assert_healthy(stack)

    def ports(settings: Any) -> set[int]:
        return {settings[name]["port"] for name in ("postgres", "redis", "app")} | {
            settings["nginx"]["http_port"],
            settings["nginx"]["https_port"],
        }

    assert not ports(stack.settings) & ports(own.settings)
    assert stack.settings["postgres"]["password"] != own.settings["postgres"]["password"]
    own.down()
    assert states(stack) == before


def test_ports_are_kept_unless_somebody_else_has_them(own: Stack) -> None:
    own.up()
    before = own.settings
    own.down()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before["postgres"]["port"]))
        other.listen()
        own.up()
        after = own.settings
        assert after["postgres"]["port"] != before["postgres"]["port"]
        for name, key in (("redis", "port"), ("nginx", "https_port"), ("app", "port")):
            assert after[name][key] == before[name][key]
        assert_healthy(own)


def test_down_leaves_nothing_and_purge_removes_the_directory(own: Stack) -> None:
    own.up()
    own.down()
    assert wait_until(lambda: traces(own.directory) == [], 10)
    for name, key in (
        ("postgres", "port"),
        ("redis", "port"),
        ("nginx", "https_port"),
        ("app", "port"),
    ):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", own.settings[name][key]), timeout=5)
    own.down()
    own.down(purge=True)
    assert not own.directory.exists()
    own.down(purge=True)


@pytest.mark.parametrize("arguments", [["up"], ["down"], ["down", "--purge"]])
def test_a_folder_with_something_else_in_it_is_left_alone(
    tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = invoke(tmp_path, *arguments)
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_secrets_are_in_no_process_list_and_in_no_other_file(own: Stack) -> None:
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            for entry in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    seen.add((entry / "cmdline").read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        own.up()
    finally:
        done.set()
        watcher.join()
    assert any(b"initdb" in line for line in seen)
    settings = own.settings
    secrets = [
        settings["postgres"]["password"],
        settings["postgres"]["admin_password"],
        settings["redis"]["password"],
    ]
    assert not [line for line in seen if any(secret.encode() in line for secret in secrets)]
    holding = {}
    for file in own.directory.rglob("*"):
        if file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            if any(secret.encode() in content for secret in secrets):
                holding[str(file.relative_to(own.directory))] = oct(file.stat().st_mode & 0o777)
    assert holding == dict.fromkeys(["stack.json", "shared/.env", "redis/valkey.conf"], "0o600")
    assert own.directory.stat().st_mode & 0o777 == 0o700


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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another user")
def test_where_user_namespaces_are_refused_the_services_run_as_another_user(
    own: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Identity, "choose", classmethod(lambda cls: cls(uid=65534, gid=65534)))
    own.up()
    assert_healthy(own)
    assert {os.stat(f"/proc/{state['pid']}").st_uid for state in own.status().values()} == {65534}
    home = Path(own.settings["directory"])
    os.kill(own.pid("postgres"), signal.SIGKILL)
    own.up()
    assert_healthy(own)
    own.deploy("v1.2.0")
    assert wait_until(lambda: ask(own, "/api/health")[0] == 500, 10)
    own.down(purge=True)
    assert not home.exists()
    assert traces(home) == []


def test_a_directory_too_deep_for_sockets_gets_a_short_name(tmp_path: Path) -> None:
    deep = Stack(tmp_path / ("d" * 60) / ("e" * 60))
    deep.up()
    try:
        assert_healthy(deep)
        home = Path(deep.settings["directory"])
        assert home.is_symlink()
        deep.up()
        assert Path(deep.settings["directory"]) == home
    finally:
        deep.down(purge=True)
    assert not home.parent.exists()
    assert traces(tmp_path) == []
