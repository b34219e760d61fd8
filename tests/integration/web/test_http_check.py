"""http_check against real servers: the demo stack's nginx and app, and servers on loopback that do what nginx never would."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule, by_name
from tests.support.throwaway import (
    DAY,
    Authority,
    Http,
    Site,
    issue,
    listening,
    now,
    server_context,
    silent,
    site,
    unused_port,
    write,
)

JSON = {"Content-Type": "application/json"}
HEALTH = (200, JSON, b'{"status": "ok", "checks": [{"name": "db", "up": true}]}')
DIRECT = dict.fromkeys(
    (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ),
    "",
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("ca") / "ca.pem", authority.root.pem)


@pytest.fixture(scope="module")
def web() -> Iterator[Site]:
    with site({"/api/health": HEALTH, "/": (200, {}, b"<html>home</html>")}) as running:
        yield running


def endpoint_check(answer: dict[str, Any], subject: str | None = None) -> dict[str, Any]:
    return by_name(answer, "web.endpoint", subject)


# --- answers ----------------------------------------------------------------------------------------------------------


def test_healthy_endpoints_in_one_call(run_module: RunModule, web: Site) -> None:
    api, page = web.url("/api/health"), web.url("/")
    endpoints = [
        {"url": api, "json": {"status": "ok", "checks.0.up": True}},
        {"url": page, "kind": "page", "contains": "home", "matches": "<html>.*</html>"},
    ]
    answer = run_module("http_check", {"endpoints": endpoints})
    assert [(c["name"], c["subject"], c["status"]) for c in answer["checks"]] == [
        ("web.endpoint", api, "ok"),
        ("web.response_time_p95", api, "ok"),
        ("web.endpoint", page, "ok"),
        ("web.page_load_time", page, "ok"),
    ]
    timing = by_name(answer, "web.response_time_p95")
    assert 0 < timing["value"] < 0.5
    assert timing["evidence"][0]["requests"] == 10
    assert timing["evidence"][0]["opening"] > 0
    assert endpoint_check(answer, api)["evidence"][0]["address"] == f"127.0.0.1:{web.port}"
    assert answer["changed"] is False
    assert answer["__stderr"] == ""


def test_check_mode_looks_in_the_same_way(run_module: RunModule, web: Site) -> None:
    def seen(check: bool) -> list[tuple[str, str, str]]:
        answer = run_module(
            "http_check", {"endpoints": [{"url": web.url("/api/health")}]}, check=check
        )
        return [(c["name"], c["subject"], c["status"]) for c in answer["checks"]]

    assert seen(check=True) == seen(check=False)


def test_each_endpoint_is_asked_as_often_as_it_is_told(run_module: RunModule) -> None:
    with site({"/a": HEALTH, "/b": HEALTH, "/c": HEALTH}) as web:
        endpoints = [
            {"url": web.url("/a")},
            {"url": web.url("/b"), "samples": 0},
            {"url": web.url("/c"), "samples": 3, "method": "HEAD"},
        ]
        answer = run_module("http_check", {"endpoints": endpoints, "samples": 5})
        asked = [(method, path) for method, path, _ in web.seen]
    assert {one: asked.count(one) for one in set(asked)} == {
        ("GET", "/a"): 6,
        ("GET", "/b"): 1,
        ("HEAD", "/c"): 4,
    }
    assert [c["name"] for c in answer["checks"]] == [
        "web.endpoint",
        "web.response_time_p95",
        "web.endpoint",
        "web.endpoint",
        "web.response_time_p95",
    ]


@pytest.mark.parametrize(
    ("reply", "expected", "summary"),
    [
        ((500, JSON, b'{"status": "error"}'), {}, "HTTP 500 instead of 200, all 3 times"),
        (
            (200, {}, b"<html>Welcome to nginx</html>"),
            {"json": {}},
            "HTML where JSON is due, all 3 times",
        ),
        (
            (200, JSON, b'{"status": "degraded"}'),
            {"json": {"status": "ok"}},
            'JSON: status is "degraded", "ok" was due, all 3 times',
        ),
        ((200, JSON, b"{}"), {"json": {"status": "ok"}}, "JSON: there is no 'status', all 3 times"),
        ((200, JSON, b""), {"json": {}}, "an empty answer where JSON is due, all 3 times"),
        (
            (200, {}, b"maintenance"),
            {"contains": "home"},
            "the answer does not contain 'home', all 3 times",
        ),
        (
            (200, {}, b"maintenance"),
            {"matches": r"^v\d"},
            r"nothing in the answer matches '^v\\d', all 3 times",
        ),
        ((401, {}, b""), {"status": [200, 401]}, None),
        ((302, {"Location": "/login"}, b""), {"status": [302]}, None),
        (
            (302, {"Location": "/login"}, b""),
            {"follow_redirects": False},
            "HTTP 302 instead of 200, all 3 times",
        ),
    ],
)
def test_answers_and_what_is_said_of_them(
    run_module: RunModule, reply: Any, expected: dict[str, Any], summary: str | None
) -> None:
    with site({"/x": reply}) as web:
        answer = run_module(
            "http_check", {"endpoints": [{"url": web.url("/x"), **expected}], "samples": 2}
        )
    check = endpoint_check(answer)
    if summary is None:
        assert check["status"] == "ok", check
    else:
        assert (check["status"], check["summary"]) == ("critical", summary)
        assert len(answer["checks"]) == 1, "no verdict on the time of what does not work"


def test_an_endpoint_that_fails_now_and_then_is_a_warning_with_its_share(
    run_module: RunModule,
) -> None:
    count = iter(range(100))

    def sometimes(handler: Http) -> None:
        handler.answer(502, {}, b"bad gateway") if next(count) % 5 == 1 else handler.answer(*HEALTH)

    with site({"/x": sometimes}) as web:
        answer = run_module("http_check", {"endpoints": [{"url": web.url("/x")}], "concurrency": 1})
    check = endpoint_check(answer)
    assert (check["status"], check["summary"]) == (
        "warning",
        "HTTP 502 instead of 200; 2 of 11 requests failed",
    )
    assert check["evidence"][1] == {
        "problem": "HTTP 502 instead of 200",
        "requests": 2,
        "answer": "bad gateway",
    }
    assert by_name(answer, "web.response_time_p95")["summary"].endswith("; 2 of 10 failed (20 %)")


def test_a_slow_endpoint_is_judged_by_its_time(run_module: RunModule) -> None:
    def slow(handler: Http) -> None:
        time.sleep(0.3)
        handler.answer(*HEALTH)

    with site({"/x": slow}) as web:
        thresholds = {"web.response_time_p95": {"warning": 0.1, "critical": 0.2}}
        answer = run_module(
            "http_check",
            {"endpoints": [{"url": web.url("/x")}], "samples": 4, "thresholds": thresholds},
        )
    assert endpoint_check(answer)["status"] == "ok"
    timing = by_name(answer, "web.response_time_p95")
    assert timing["status"] == "critical"
    assert 0.3 <= timing["value"] < 2


# --- no answer --------------------------------------------------------------------------------------------------------


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
    assert (
        secure["summary"]
        == f"127.0.0.1:{port} accepts the connection, but does not finish the TLS handshake within 500 ms"
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
        "not asked: the other endpoints took all of the 2.2"
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
        (short, "broke off"),
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


# --- redirects --------------------------------------------------------------------------------------------------------


def redirect(to: str, status: int = 302, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"Location": to, **headers}, b""


def test_redirects_are_followed_to_the_answer(run_module: RunModule) -> None:
    with site(
        {"/": redirect("/a", 301), "/a": redirect("b?token=geheim", 308), "/b": HEALTH}
    ) as web:
        answer = run_module(
            "http_check", {"endpoints": [{"url": web.url("/"), "json": {"status": "ok"}}]}
        )
    check = endpoint_check(answer)
    assert check["status"] == "ok"
    assert check["evidence"][0]["final_url"] == web.url("/b?token=***")
    assert f"2 redirects to {web.url('/b?token=***')}" in check["summary"]
    assert "geheim" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            {"/": redirect("/a"), "/a": redirect("/")},
            "redirects in a loop: after 2 steps it leads to ",
        ),
        ({"/": redirect("/")}, "redirects in a loop: after 1 step it leads to "),
        (
            {"/": redirect("javascript:alert(1)")},
            "redirects to something that is no URL of a web server",
        ),
        ({"/": redirect("http://[")}, "redirects to something that is no URL of a web server"),
        ({"/": (302, {}, b"")}, "HTTP 302 instead of 200"),
        (
            {f"/{n or ''}": redirect(f"/{n + 1}") for n in range(9)},
            "more than 5 redirects, the last one to ",
        ),
    ],
)
def test_redirects_that_lead_nowhere(
    run_module: RunModule, table: dict[str, Any], words: str
) -> None:
    with site(table) as web:
        check = endpoint_check(run_module("http_check", {"endpoints": [{"url": web.url("/")}]}))
    assert check["status"] == "critical"
    assert check["summary"].startswith(words)


def test_a_redirect_back_to_itself_with_a_cookie_is_no_loop(run_module: RunModule) -> None:
    def greeted(handler: Http) -> None:
        if "seen=1" in handler.headers.get("Cookie", ""):
            handler.answer(*HEALTH)
        else:
            handler.answer(302, {"Location": "/", "Set-Cookie": "seen=1"}, b"")

    with site({"/": greeted}) as web:
        assert (
            endpoint_check(run_module("http_check", {"endpoints": [{"url": web.url("/")}]}))[
                "status"
            ]
            == "ok"
        )


def test_secrets_are_sent_to_the_endpoint_and_to_nobody_else(run_module: RunModule) -> None:
    with (
        site({"/": HEALTH}) as other,
        site({"/": redirect("/in"), "/in": redirect(f"http://127.0.0.1:{other.port}/")}) as web,
    ):
        url = f"http://ops:geheim@127.0.0.1:{web.port}/"
        answer = run_module(
            "http_check",
            {
                "endpoints": [{"url": url, "headers": {"X-Token": "geheim2", "X-One": "1"}}],
                "samples": 1,
            },
        )
        inside, outside = (
            [headers for _, _, headers in web.seen],
            [headers for _, _, headers in other.seen],
        )
    assert endpoint_check(answer)["status"] == "ok"
    assert len(inside) == 4
    for headers in inside:
        assert headers["Authorization"] == "Basic " + base64.b64encode(b"ops:geheim").decode()
        assert headers["X-Token"] == "geheim2"
    assert len(outside) == 2
    for headers in outside:
        assert "Authorization" not in headers
        assert "X-Token" not in headers
    assert "geheim" not in json.dumps(answer)
    assert by_name(answer, "web.response_time_p95")["value"] > 0, "a header of '1' masks no figures"


def test_netrc_is_not_read(run_module: RunModule, web: Site, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ops password geheim\n")
    (tmp_path / ".netrc").chmod(0o600)
    web.seen.clear()
    run_module(
        "http_check",
        {"endpoints": [{"url": web.url("/")}], "samples": 0},
        env={"HOME": str(tmp_path)},
    )
    assert "Authorization" not in web.seen[0][2]


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_tls_is_verified_and_each_fault_named(
    run_module: RunModule, authority: Authority, ca_file: str, tmp_path: Path
) -> None:
    middle = authority.intermediate.pem
    good = server_context(tmp_path, authority.server(), middle)
    bad = {
        "a certificate has expired": server_context(
            tmp_path, authority.server(starts=now() - 91 * DAY), middle
        ),
        "a certificate is not valid yet": server_context(
            tmp_path, authority.server(starts=now() + DAY), middle
        ),
        "the certificate is made out for another address than '127.0.0.1'": server_context(
            tmp_path, authority.server("other.example"), middle
        ),
        "its issuer is unknown": server_context(tmp_path, authority.server()),
        "the certificate is signed by itself": server_context(
            tmp_path, issue("localhost", names=["127.0.0.1"])
        ),
        "its root is unknown": server_context(
            tmp_path,
            (foreign := Authority.create("Foreign")).server(),
            foreign.intermediate.pem,
            foreign.root.pem,
        ),
    }
    with site({"/": HEALTH}, good) as web:
        check = endpoint_check(
            run_module(
                "http_check", {"endpoints": [{"url": web.url("/", "https")}], "ca_file": ca_file}
            )
        )
        assert (check["status"], check["evidence"][0]["tls"]) == ("ok", "TLSv1.3")
        assert check["summary"].endswith(", TLSv1.3")
        check = endpoint_check(
            run_module("http_check", {"endpoints": [{"url": web.url("/", "https")}]})
        )
        assert check["status"] == "critical"
        assert "its issuer is unknown" in check["summary"]
    for words, context in bad.items():
        with site({"/": HEALTH}, context) as web:
            check = endpoint_check(
                run_module(
                    "http_check",
                    {"endpoints": [{"url": web.url("/", "https")}], "ca_file": ca_file},
                )
            )
            assert check["status"] == "critical"
            assert check["summary"].startswith(f"TLS: {words}"), check["summary"]
            assert "certificate" in check["remedy"]
            careless = run_module(
                "http_check",
                {"endpoints": [{"url": web.url("/", "https")}], "validate_certs": False},
            )
            assert endpoint_check(careless)["status"] == "ok"
            assert careless["__stderr"] == ""


def test_a_common_name_alone_is_no_name(
    run_module: RunModule, authority: Authority, ca_file: str, tmp_path: Path
) -> None:
    context = server_context(
        tmp_path, issue("localhost", authority.intermediate), authority.intermediate.pem
    )
    with site({"/": HEALTH}, context) as web:
        check = endpoint_check(
            run_module(
                "http_check",
                {"endpoints": [{"url": web.url("/", "https", "localhost")}], "ca_file": ca_file},
            )
        )
    assert "another name than 'localhost'" in check["summary"]


def test_no_tls_where_tls_is_due_and_the_other_way_round(
    run_module: RunModule, authority: Authority, tmp_path: Path, web: Site
) -> None:
    check = endpoint_check(
        run_module("http_check", {"endpoints": [{"url": web.url("/", "https")}]})
    )
    assert "does not speak TLS" in check["summary"]
    with site({"/": HEALTH}, server_context(tmp_path, authority.server())) as secure:
        assert (
            endpoint_check(run_module("http_check", {"endpoints": [{"url": secure.url("/")}]}))[
                "status"
            ]
            == "critical"
        )


def test_a_redirect_from_https_to_http_is_a_failure(
    run_module: RunModule, authority: Authority, ca_file: str, tmp_path: Path, web: Site
) -> None:
    context = server_context(tmp_path, authority.server(), authority.intermediate.pem)
    with site({"/": redirect(web.url("/"))}, context) as secure:
        check = endpoint_check(
            run_module(
                "http_check", {"endpoints": [{"url": secure.url("/", "https")}], "ca_file": ca_file}
            )
        )
    assert (check["status"], check["summary"]) == (
        "critical",
        f"redirects from https to plain http: {web.url('/')}",
    )


def test_an_unreadable_ca_file_is_misuse(run_module: RunModule, tmp_path: Path) -> None:
    answer = run_module(
        "http_check",
        {"endpoints": [{"url": "https://127.0.0.1/"}], "ca_file": str(tmp_path / "none.pem")},
    )
    assert answer["failed"]
    assert (
        answer["msg"] == f"ca_file: {tmp_path}/none.pem cannot be read: No such file or directory"
    )


# --- addresses and proxies --------------------------------------------------------------------------------------------


def test_a_pinned_address_looks_past_the_name(
    run_module: RunModule, authority: Authority, ca_file: str, tmp_path: Path
) -> None:
    names: list[str] = []
    context = server_context(
        tmp_path, authority.server("your-domain.test"), authority.intermediate.pem
    )
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    table = {"/": redirect("/in"), "/in": HEALTH}
    with site(table, context) as secure, site(table) as plain:
        endpoints = [
            {"url": secure.url("/", "https", "your-domain.test"), "address": "127.0.0.1"},
            {"url": plain.url("/", "http", "your-domain.test"), "address": "127.0.0.1"},
        ]
        # A proxy is not asked for what is pinned, nor is the name looked up: it does not exist.
        proxy = f"http://127.0.0.1:{unused_port()}"
        answer = run_module(
            "http_check",
            {"endpoints": endpoints, "ca_file": ca_file},
            env={"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy},
        )
        hosts = {headers["Host"] for running in (secure, plain) for _, _, headers in running.seen}
    for check in answer["checks"]:
        assert check["status"] == "ok", check
    assert set(names) == {"your-domain.test"}
    assert hosts == {f"your-domain.test:{secure.port}", f"your-domain.test:{plain.port}"}
    first = endpoint_check(answer, secure.url("/", "https", "your-domain.test"))["evidence"][0]
    assert first["pinned_to"] == f"127.0.0.1:{secure.port}"
    assert first["final_url"] == secure.url("/in", "https", "your-domain.test")


def test_a_pinned_address_holds_for_the_way_from_http_to_https(
    run_module: RunModule, authority: Authority, ca_file: str, tmp_path: Path
) -> None:
    context = server_context(
        tmp_path, authority.server("your-domain.test"), authority.intermediate.pem
    )
    with (
        site({"/": HEALTH}, context) as secure,
        site({"/": redirect(secure.url("/", "https", "your-domain.test"))}) as plain,
    ):
        endpoints = [{"url": plain.url("/", "http", "your-domain.test"), "address": "127.0.0.1"}]
        check = endpoint_check(
            run_module("http_check", {"endpoints": endpoints, "ca_file": ca_file})
        )
    assert check["status"] == "ok", check
    assert check["evidence"][0]["address"] == f"127.0.0.1:{secure.port}"


def test_a_pinned_address_does_not_weaken_the_verification(
    run_module: RunModule, authority: Authority, ca_file: str, tmp_path: Path
) -> None:
    context = server_context(tmp_path, authority.server("127.0.0.1"), authority.intermediate.pem)
    with site({"/": HEALTH}, context) as web:
        endpoints = [{"url": web.url("/", "https", "your-domain.test"), "address": "127.0.0.1"}]
        check = endpoint_check(
            run_module("http_check", {"endpoints": endpoints, "ca_file": ca_file})
        )
    assert "another name than 'your-domain.test'" in check["summary"]


def test_proxies_of_the_environment_are_used_except_for_loopback(
    run_module: RunModule, web: Site
) -> None:
    dead = f"http://ops:geheim@127.0.0.1:{unused_port()}"
    answer = run_module(
        "http_check",
        {"endpoints": [{"url": web.url("/")}, {"url": "http://your-domain.test/"}]},
        env={**DIRECT, "http_proxy": dead},
    )
    assert endpoint_check(answer, web.url("/"))["status"] == "ok"
    check = endpoint_check(answer, "http://your-domain.test/")
    assert check["status"] == "critical"
    assert check["summary"].startswith("the proxy http://***@127.0.0.1:")
    assert "connection refused" in check["summary"]
    assert "geheim" not in json.dumps(answer)


def test_a_proxy_that_works_and_one_that_refuses(run_module: RunModule) -> None:
    with site(
        {"http://your-domain.test/": HEALTH, "your-domain.test:443": (403, {}, b"")}
    ) as proxy:
        endpoints = [{"url": "http://your-domain.test/"}, {"url": "https://your-domain.test/"}]
        environment = {**DIRECT, "http_proxy": proxy.url(""), "https_proxy": proxy.url("")}
        answer = run_module("http_check", {"endpoints": endpoints}, env=environment)
        plain, secure = (endpoint_check(answer, one["url"]) for one in endpoints)
        assert plain["status"] == "ok"
        assert "the proxy" in secure["summary"]
        assert "403" in secure["summary"]
        for more, env in (
            ({"use_proxy": False}, environment),
            ({}, {**environment, "no_proxy": "your-domain.test"}),
        ):
            proxy.seen.clear()
            answer = run_module("http_check", {"endpoints": endpoints[:1], **more}, env=env)
            assert "your-domain.test" in endpoint_check(answer)["summary"]
            assert proxy.seen == []


# --- the demo stack ---------------------------------------------------------------------------------------------------


@pytest.fixture
def health(stack: Any) -> dict[str, Any]:
    """The runbook's five URLs on the demo stack, as the role asks them."""
    endpoints: list[dict[str, Any]] = [
        {"url": f"{stack.url}/api/health{path}", "json": {}} for path in ("", "/db", "/redis")
    ]
    endpoints += [{"url": f"{stack.url}{path}", "kind": "page"} for path in ("/", "/login")]
    return {"endpoints": endpoints, "ca_file": stack.settings["certificates"]["ca"]}


def statuses(answer: dict[str, Any], name: str = "web.endpoint") -> list[str]:
    return [check["status"] for check in answer["checks"] if check["name"] == name]


def test_the_platform_is_healthy(run_module: RunModule, stack: Any, health: dict[str, Any]) -> None:
    answer = run_module("http_check", health)
    assert statuses(answer) == ["ok"] * 5, answer["checks"]
    assert statuses(answer, "web.response_time_p95") == ["ok"] * 3
    assert statuses(answer, "web.page_load_time") == ["ok"] * 2


def test_the_app_answers_500_and_recovers(
    run_module: RunModule, stack: Any, health: dict[str, Any]
) -> None:
    with stack.fault(status=500, paths=["/api/health"]):
        answer = run_module("http_check", health)
    assert statuses(answer) == ["critical", "ok", "ok", "ok", "ok"]
    assert answer["checks"][0]["summary"].startswith("HTTP 500 instead of 200")
    assert statuses(run_module("http_check", health)) == ["ok"] * 5


def test_the_app_answers_html_where_json_is_due(
    run_module: RunModule, stack: Any, health: dict[str, Any]
) -> None:
    with stack.fault(html=True, paths=["/api/health/db"]):
        answer = run_module("http_check", health)
    assert statuses(answer) == ["ok", "critical", "ok", "ok", "ok"]
    assert (
        "HTML where JSON is due" in endpoint_check(answer, health["endpoints"][1]["url"])["summary"]
    )


def test_the_app_answers_slowly(run_module: RunModule, stack: Any, health: dict[str, Any]) -> None:
    with stack.fault(delay_ms=1200, paths=["/api/health"]):
        answer = run_module("http_check", health)
    slow = by_name(answer, "web.response_time_p95", health["endpoints"][0]["url"])
    assert (slow["status"], slow["value"] >= 1.2) == ("critical", True)
    assert statuses(answer) == ["ok"] * 5


def test_nginx_is_stopped(run_module: RunModule, stack: Any, health: dict[str, Any]) -> None:
    stack.stop("nginx")
    try:
        answer = run_module("http_check", health)
    finally:
        stack.start("nginx")
    assert statuses(answer) == ["critical"] * 5
    assert len(answer["checks"]) == 5
    assert "connection refused" in answer["checks"][0]["summary"]
    assert statuses(run_module("http_check", health)) == ["ok"] * 5


def test_other_programs_read_no_secret_in_the_process_list(run_module: RunModule) -> None:
    """The module takes its options on its standard input; nothing of them is in argv or in the environment."""
    seen: list[bytes] = []

    def look(handler: Http) -> None:
        for path in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
            with suppress(OSError):
                seen.append(path.read_bytes())
        handler.answer(*HEALTH)

    with site({"/": look}) as web:
        run_module(
            "http_check", {"endpoints": [{"url": web.url("/?token=Q7geheimQ7"), "samples": 0}]}
        )
    assert any(b"http_check" in text for text in seen)
    assert not any(b"Q7geheimQ7" in text for text in seen)
