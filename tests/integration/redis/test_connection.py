"""redis_health and servers that cannot be used, TLS, and bad networks."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.processes import wait_until
from tests.conftest import by_name
from tests.support.redis_server import ENCODED, PASSWORD, Ask, Start, only, relay
from tests.support.throwaway import Authority, listening, server_context, unused_port, write


def test_nothing_there(ask: Ask, tmp_path: Path) -> None:
    assert "connection refused" in only(ask(f"redis://127.0.0.1:{unused_port()}"))["summary"]
    assert "no socket" in only(ask(f"unix://{tmp_path}/none.sock"))["summary"]
    assert (
        "The name no.such.host.invalid does not resolve"
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
def test_a_usage_error_is_one_sentence(ask: Ask, options: dict[str, Any], said: str) -> None:
    answer = ask(**{"url": options.pop("redis_url", "redis://127.0.0.1:1"), **options})
    assert answer["failed"]
    assert said in answer["msg"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is empty"),
        ('"redis://:{}@127.0.0.1"', "has quotes around it"),
        ("'redis://:{}@127.0.0.1'", "has quotes around it"),
    ],
)
def test_a_url_as_an_environment_file_spoils_it(ask: Ask, url: str, said: str) -> None:
    answer = ask(env={"REDIS_URL": url.format(ENCODED)})
    assert answer["failed"]
    assert answer["msg"].startswith("redis_url: ")
    assert said in answer["msg"]


def test_a_user_in_the_place_of_a_password_is_in_no_output(start_each: Start, ask: Ask) -> None:
    server = start_each()
    server.lock(PASSWORD)
    check = only(ask(f"redis://{ENCODED}@127.0.0.1:{server.port}"))  # ask() looks for it
    assert "a user and no password" in check["summary"]
    assert ":PASSWORD@" in check["remedy"]


def test_unneeded_password_and_missing_database(start_each: Start, ask: Ask) -> None:
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
def test_a_socket_without_permission(start: Start, ask: Ask) -> None:
    server = start()
    (server.folder / "s").chmod(0)
    assert "lacks permission" in only(ask(f"unix://{server.folder}/s"), "unknown")["summary"]


def test_maxclients_is_reached(start_each: Start, ask: Ask) -> None:
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


def is_busy(client: redis.Redis) -> bool:
    try:
        client.ping()
    except redis.ResponseError as error:
        return "BUSY" in str(error)
    return False


def test_busy_with_a_script(start_each: Start, ask: Ask) -> None:
    server = start_each("--lua-time-limit", "100")

    def loop() -> None:
        with suppress(redis.RedisError):
            server.client.eval("while true do end", 0)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        assert wait_until(lambda: is_busy(server.client), 30)
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
            "needs an encrypted connection"
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


def test_the_server_dies_in_the_middle_of_an_answer(start: Start, ask: Ask) -> None:
    server = start()

    def die(data: bytes) -> Iterator[bytes]:
        yield data[:200]
        if len(data) > 100:  # INFO, and not the PONGs before it
            server.stop()
            raise ConnectionResetError

    with relay(server.port, copy=die) as port:
        check = only(ask(f"redis://127.0.0.1:{port}"))
    assert f"127.0.0.1:{port}" in check["summary"]


def test_a_network_that_delivers_byte_by_byte(start: Start, ask: Ask) -> None:
    def drip(data: bytes) -> Iterator[bytes]:
        for number in data:
            yield bytes([number])
            time.sleep(0.2)

    with relay(start().port, copy=drip) as port:
        started = time.monotonic()
        check = only(ask(f"redis://127.0.0.1:{port}", timeout=3))
    assert time.monotonic() - started < 6
    assert f"127.0.0.1:{port} gave no complete answer within 3 s" in check["summary"]
