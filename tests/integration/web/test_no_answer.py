"""http_check against servers that give no answer, an endless one or a broken one."""

from __future__ import annotations

import socket
import time

import pytest

from tests.conftest import RunModule
from tests.support.throwaway import Http, Site, listening, silent, site, unused_port
from tests.support.web import DIRECT, endpoint_check


def test_refused_and_unknown_names_are_told_apart(run_module: RunModule) -> None:
    port = unused_port()
    endpoints = [{"url": f"http://127.0.0.1:{port}/"}, {"url": "http://no-such-host.invalid/"}]
    refused, unknown = run_module("http_check", {"endpoints": endpoints}, env=DIRECT)["checks"]
    assert (refused["status"], refused["summary"]) == (
        "critical",
        f"connection refused: nothing listens on 127.0.0.1:{port}",
    )
    assert unknown["status"] == "critical"
    assert "no-such-host.invalid" in unknown["summary"]
    assert "name" in unknown["summary"]


def test_a_server_that_accepts_and_never_answers(run_module: RunModule) -> None:
    with listening(silent) as port:
        endpoints = [{"url": f"http://127.0.0.1:{port}/"}, {"url": f"https://127.0.0.1:{port}/"}]
        started = time.monotonic()
        plain, secure = run_module("http_check", {"endpoints": endpoints, "request_timeout": 0.5})[
            "checks"
        ]
    assert time.monotonic() - started < 8
    assert (
        plain["summary"]
        == f"127.0.0.1:{port} accepts the connection, but does not answer within 500 ms"
    )
    assert secure["summary"] == (
        f"127.0.0.1:{port} accepts the connection,"
        " but does not finish the TLS handshake within 500 ms"
    )


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
def test_an_answer_that_trickles_is_given_up(run_module: RunModule, beginning: bytes) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(beginning)
        while True:
            connection.sendall(b"H")
            time.sleep(0.05)

    with listening(trickle) as port:
        started = time.monotonic()
        answer = run_module(
            "http_check",
            {"endpoints": [{"url": f"http://127.0.0.1:{port}/"}], "request_timeout": 0.5},
        )
    assert time.monotonic() - started < 8
    assert endpoint_check(answer)["status"] == "critical"
    assert "500 ms" in endpoint_check(answer)["summary"]


def test_all_together_are_bounded_and_what_was_not_asked_is_named(
    run_module: RunModule, web: Site
) -> None:
    with listening(silent) as port:
        endpoints = [
            *({"url": f"http://127.0.0.1:{port}/{n}"} for n in range(9)),
            {"url": web.url("/api/health"), "name": "last"},
        ]
        started = time.monotonic()
        answer = run_module(
            "http_check", {"endpoints": endpoints, "timeout": 2.5, "request_timeout": 30}
        )
        took = time.monotonic() - started
    assert took < 2.5 + 1 + 5, (
        "the time limit, the guard's grace, and the start of Python on a busy machine"
    )
    statuses = [c["status"] for c in answer["checks"]]
    assert statuses == ["critical"] * 4 + ["unknown"] * 6
    assert answer["checks"][0]["summary"].startswith("no answer within 2.")
    assert answer["checks"][-1]["subject"] == "last"
    assert answer["checks"][-1]["summary"].startswith(
        "not requested: the other endpoints used up all of the probe's 2.2"
    )


def test_an_endless_search_ends_with_the_time_limit(run_module: RunModule) -> None:
    with site({"/x": (200, {}, b"a" * 60 + b"!")}) as web:
        started = time.monotonic()
        answer = run_module(
            "http_check", {"endpoints": [{"url": web.url("/x"), "matches": "(a+)+$"}], "timeout": 1}
        )
    assert time.monotonic() - started < 8
    assert endpoint_check(answer)["status"] == "unknown"


def test_what_is_read_of_an_answer_is_bounded(run_module: RunModule) -> None:
    def endless(handler: Http) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    with site({"/x": endless}) as web:
        endpoints = [{"url": web.url("/x"), "contains": "xxx"}, {"url": web.url("/x"), "json": {}}]
        first, timing, second = run_module(
            "http_check", {"endpoints": endpoints, "samples": 1, "max_body": 100_000}
        )["checks"]
    assert (first["status"], timing["status"]) == ("ok", "ok")
    assert second["summary"].startswith("the answer is longer than max_body (97.7 KiB)")


def test_an_answer_that_breaks_off_is_no_answer(run_module: RunModule) -> None:
    def short(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")

    def nothing(connection: socket.socket) -> None:
        connection.recv(4096)

    def banner(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    for serve, words in (
        (short, "is incomplete: 4 B of 1000 B"),
        (nothing, "closed the connection without an answer"),
        (banner, "is not HTTP"),
    ):
        with listening(serve) as port:
            check = endpoint_check(
                run_module("http_check", {"endpoints": [{"url": f"http://127.0.0.1:{port}/"}]})
            )
        assert check["status"] == "critical"
        assert words in check["summary"]


def test_a_connection_that_the_server_closes_between_requests_is_no_failure(
    run_module: RunModule,
) -> None:
    def one_each(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        connection.recv(4096)  # takes the next request, and goes

    with listening(one_each) as port:
        answer = run_module(
            "http_check", {"endpoints": [{"url": f"http://127.0.0.1:{port}/"}], "concurrency": 1}
        )
    assert endpoint_check(answer)["status"] == "ok", endpoint_check(answer)
