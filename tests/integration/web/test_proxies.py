"""http_check connects to fixed addresses and through proxies."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import RunModule
from tests.support.throwaway import Authority, Site, server_context, site, unused_port
from tests.support.web import DIRECT, HEALTH, endpoint_check, redirect


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
    answered = [check for check in answer["checks"] if check["name"] == "web.endpoint"]
    assert [check["status"] for check in answered] == ["ok", "ok"], answered
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
    assert "another name, not for 'your-domain.test'" in check["summary"]


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
