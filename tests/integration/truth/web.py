"""Web: who answers, whether it is the app, and whether the probe itself is the trouble."""

from __future__ import annotations

import gzip
import random
import socket
import threading
import time
from contextlib import AbstractContextManager
from email.utils import formatdate
from typing import Any

from tests.support.nginx_server import nginx, node
from tests.support.throwaway import Http, Site, listening, silent, site, unused_port
from tests.support.truth import NOT_JUDGED, Answer, Bed, situation
from tests.support.web import DIRECT, HEALTH, JSON

ENDPOINT, TIME, PAGE = "web.endpoint", "web.response_time_p95", "web.page_load_time"
RESTART = "restart|pm2 (status|list)"
#: A busy machine is not what these are about.
PATIENT = {
    "web.response_time_p95": {"warning": 30, "critical": 60},
    "web.page_load_time": {"warning": 30, "critical": 60},
}


def ask(bed: Bed, *endpoints: str | dict[str, Any], **options: Any) -> Answer:
    given = [{"url": one} if isinstance(one, str) else one for one in endpoints]
    options = {"endpoints": given, "thresholds": PATIENT, **options}
    return bed.run("http_check", options, env=DIRECT)


def ask_site(bed: Bed, reply: Any, **endpoint: Any) -> Answer:
    """Ask a site that always gives this reply."""
    web = bed.enter(site({"/x": reply}))
    return ask(bed, {"url": web.url("/x"), **endpoint})


def nginx_of(bed: Bed, server: str, http: str = "") -> str:
    port = bed.enter(nginx(bed.folder / "nginx", server, http))
    return f"http://127.0.0.1:{port}"


# --- the probe must not be the trouble


def slow_app(share: float, seed: int) -> AbstractContextManager[Site]:
    """An app that is slow for a share of the requests, by a seeded rule."""
    rule, lock = random.Random(seed), threading.Lock()

    def serve(handler: Http) -> None:
        with lock:
            slow = rule.random() < share
        time.sleep(0.3 if slow else 0)
        handler.answer(*HEALTH)

    return site({"/api": serve})


def ask_slow_app(bed: Bed, share: float, seed: int) -> Answer:
    web = bed.enter(slow_app(share, seed))
    limits = {"web.response_time_p95": {"warning": 0.2, "critical": 0.25}}
    return ask(bed, web.url("/api"), thresholds=limits)


@situation("web", "no request of an app is slow", {ENDPOINT: "ok", TIME: "ok"})
def all_fast(bed: Bed) -> Answer:
    return ask_slow_app(bed, 0.0, 1)


@situation(
    "web",
    "3 % of an app's requests are slow, and one of those is among the probe's first twenty",
    {ENDPOINT: "ok", TIME: "ok"},
)
def few_slow(bed: Bed) -> Answer:
    return ask_slow_app(bed, 0.03, 3)


@situation(
    "web",
    "20 % of an app's requests are slow",
    {ENDPOINT: "ok", TIME: "critical"},
    says=r"p95 is at least .* \(99 % certain\): \d+ of \d+ requests took longer than 250 ms",
)
def many_slow(bed: Bed) -> Answer:
    return ask_slow_app(bed, 0.2, 5)


@situation("web", "all of an app's requests are slow", {ENDPOINT: "ok", TIME: "critical"})
def all_slow(bed: Bed) -> Answer:
    return ask_slow_app(bed, 1.0, 1)


LIMIT_ZONE = "limit_req_zone $binary_remote_addr zone=one:1m rate=2r/s;"
OPEN = 'location / { return 200 \'{"status": "ok"}\'; }'


def limited(bed: Bed, status: str, http: str = LIMIT_ZONE) -> Answer:
    # return is answered before limit_req, so the limit stands in front of another server.
    web = bed.enter(site({"/api/health": HEALTH, "/api/health/db": HEALTH}))
    location = (
        f"limit_req zone=one burst=3 nodelay; {status} proxy_pass http://127.0.0.1:{web.port};"
    )
    url = nginx_of(bed, f"location / {{ {location} }}", http)
    return ask(bed, f"{url}/api/health", f"{url}/api/health/db")


@situation(
    "web",
    "nginx's limit_req answers 503 to the probe's requests",
    {ENDPOINT: "ok", TIME: NOT_JUDGED},
    says="a rate limit refused .*503.*limit_req_zone",
    never=RESTART,
)
def limit_503(bed: Bed) -> Answer:
    return first_only(limited(bed, ""))


@situation(
    "web",
    "nginx's limit_req answers 429 to the probe's requests",
    {ENDPOINT: "ok", TIME: NOT_JUDGED},
    says="a rate limit refused .*429.*geo.*limit_req_zone",
    never=RESTART,
)
def limit_429(bed: Bed) -> Answer:
    return first_only(limited(bed, "limit_req_status 429;"))


@situation(
    "web",
    "nginx's limit_req exempts the probe's address",
    {ENDPOINT: "ok", TIME: "ok"},
)
def exempt(bed: Bed) -> Answer:
    zone = (
        "geo $limited { default 1; 127.0.0.1 0; }"
        ' map $limited $limit_key { 0 ""; 1 $binary_remote_addr; }'
        " limit_req_zone $limit_key zone=one:1m rate=2r/s;"
    )
    return first_only(limited(bed, "", zone))


def first_only(answer: Answer) -> Answer:
    """The checks of the first endpoint, without a subject to name."""
    subject = answer["checks"][0]["subject"]
    checks = [check for check in answer["checks"] if check["subject"] == subject]
    return {**answer, "checks": checks}


def refusing(times: int, headers: dict[str, str]) -> Any:
    """A reply that is refused so many times at first."""
    count = iter(range(1000))

    def serve(handler: Http) -> None:
        if next(count) < times:
            handler.answer(429, headers, b"slow down")
        else:
            handler.answer(*HEALTH)

    return serve


@situation(
    "web",
    "the first request is answered with 429 and Retry-After: 1",
    {ENDPOINT: "ok"},
    says="rate limit",
)
def retry_after(bed: Bed) -> Answer:
    return ask_site(bed, refusing(1, {"Retry-After": "1"}), samples=0)


@situation(
    "web",
    "429 with a Retry-After beyond the probe's time limit",
    {ENDPOINT: "warning"},
    says="(?s)a rate limit refuses the probe.*Exempt the address",
    never=RESTART,
)
def long_retry_after(bed: Bed) -> Answer:
    return ask_site(bed, refusing(1000, {"Retry-After": "3600"}))


@situation(
    "web",
    "429 until a date an hour away",
    {ENDPOINT: "warning"},
    says="which is to wait for (60|59|1)",
)
def long_retry_date(bed: Bed) -> Answer:
    date = formatdate(time.time() + 3600, usegmt=True)
    return ask_site(bed, refusing(1000, {"Retry-After": date}))


@situation(
    "web",
    "one of two app processes answers 503 with JSON",
    {ENDPOINT: "warning"},
    says="(?s)10 of 21 requests failed.*PostgreSQL",
    never="a rate limit refused",
)
def half_dead(bed: Bed) -> Answer:
    count = iter(range(1000))

    def serve(handler: Http) -> None:
        odd = next(count) % 2
        handler.answer(503, JSON, b'{"status": "unavailable"}') if odd else handler.answer(*HEALTH)

    return ask_site(bed, serve, concurrency=1)


# --- as a browser reads


HINTS = """
require('http').createServer((request, response) => {
  const answer = () => response.end(`{"status": "ok", "path": "${request.url}"}`);
  if (request.url !== '/hints') return answer();
  response.writeProcessing();
  response.writeEarlyHints({link: '</style.css>; rel=preload; as=style'});
  setTimeout(answer, 20);
}).listen(port, '127.0.0.1');
"""


@situation(
    "web",
    "Node.js sends 102 Processing and 103 Early Hints before the answer",
    {"web.endpoint hints": "ok", "web.endpoint plain": "ok", "web.endpoint other": "ok"},
    says="HTTP 200",
)
def early_hints(bed: Bed) -> Answer:
    port = bed.enter(node(HINTS))
    endpoints = [
        {
            "url": f"http://127.0.0.1:{port}/{name}",
            "name": name,
            "json": {"path": f"/{name}"},
        }
        for name in ("hints", "plain", "other")
    ]
    return ask(bed, *endpoints, concurrency=1)


@situation(
    "web",
    "the answer to HEAD has a body, which is not the next answer",
    {"web.endpoint head": "ok", "web.endpoint get": "ok"},
)
def body_after_head(bed: Bed) -> Answer:
    def serve(connection: socket.socket) -> None:
        while request := connection.recv(4096):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n")
            time.sleep(0.02 if request.startswith(b"HEAD") else 0)
            connection.sendall(b'{"status":"ok"}')

    port = bed.enter(listening(serve))
    url = f"http://127.0.0.1:{port}/"
    return ask(
        bed,
        {"url": url, "name": "head", "method": "HEAD"},
        {"url": url, "name": "get", "json": {"status": "ok"}},
        concurrency=1,
    )


def compressed(coding: str, body: bytes) -> Any:
    return 200, {**JSON, "Content-Encoding": coding}, body


@situation("web", "a JSON answer is compressed although nobody asked for it", {ENDPOINT: "ok"})
def unasked_gzip(bed: Bed) -> Answer:
    return ask_site(bed, compressed("gzip", gzip.compress(HEALTH[2])), json={"status": "ok"})


@situation(
    "web",
    "a compressed JSON answer says error",
    {ENDPOINT: "critical"},
    says='status is "error"',
)
def unasked_gzip_error(bed: Bed) -> Answer:
    body = gzip.compress(b'{"status": "error"}')
    return ask_site(bed, compressed("gzip", body), json={"status": "ok"})


@situation(
    "web",
    "an answer is compressed with brotli, which cannot be read here",
    {ENDPOINT: "unknown"},
    says="content could not be read",
    never=RESTART,
)
def unasked_brotli(bed: Bed) -> Answer:
    return ask_site(bed, compressed("br", b"\x0b\x07\x80..."), json={"status": "ok"})


@situation("web", "a brotli answer of which only the status counts", {ENDPOINT: "ok"})
def brotli_status(bed: Bed) -> Answer:
    return ask_site(bed, compressed("br", b"\x0b\x07\x80..."))


@situation("web", "a byte order mark before JSON, and 150 headers", {ENDPOINT: "ok"})
def mark_and_headers(bed: Bed) -> Answer:
    headers = {f"X-Header-{number}": "x" * 1000 for number in range(150)}
    reply = (200, {**JSON, **headers}, b"\xef\xbb\xbf" + HEALTH[2])
    return ask_site(bed, reply, json={"status": "ok"})


@situation("web", "a header line of 100 KiB", {ENDPOINT: "ok"})
def long_header(bed: Bed) -> Answer:
    return ask_site(bed, (200, {"Content-Security-Policy": "x" * 100_000}, b"home"))


@situation("web", "a UTF-8 page that does not name its charset", {ENDPOINT: "ok"})
def no_charset(bed: Bed) -> Answer:
    page = "<title>Größe</title>".encode()
    return ask_site(bed, (200, {}, page), kind="page", contains="Größe")


# --- alive is not working


@situation("web", "a health URL says ok", {ENDPOINT: "ok"}, says="JSON as expected")
def says_ok(bed: Bed) -> Answer:
    return ask_site(bed, HEALTH, json={})


@situation(
    "web",
    "a health URL answers 200 and says of itself that it fails",
    {ENDPOINT: "critical"},
    says='status is "error"',
)
def says_error(bed: Bed) -> Answer:
    return ask_site(bed, (200, JSON, b'{"status": "error", "db": "down"}'), json={})


@situation(
    "web",
    "a health URL answers 200 and says of itself that it is degraded",
    {ENDPOINT: "warning"},
    says='status is "degraded"',
)
def says_degraded(bed: Bed) -> Answer:
    return ask_site(bed, (200, JSON, b'{"status": "degraded"}'), json={})


@situation("web", "a health URL is expected to say degraded", {ENDPOINT: "ok"})
def expected_degraded(bed: Bed) -> Answer:
    return ask_site(bed, (200, JSON, b'{"status": "degraded"}'), json={"status": "degraded"})


@situation("web", "the app's page", {ENDPOINT: "ok"})
def app_page(bed: Bed) -> Answer:
    page = b"<html><title>Welcome to GPT Agent</title>Maintenance contracts, error budgets</html>"
    return ask_site(bed, (200, {}, page), kind="page")


WELCOME = "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body></body></html>"


@situation(
    "web",
    "nginx's default page instead of the app",
    {ENDPOINT: "critical"},
    says="(?s)default page.*server_name",
    never=RESTART,
)
def default_page(bed: Bed) -> Answer:
    location = f"location / {{ default_type text/html; return 200 '{WELCOME}'; }}"
    return ask(bed, {"url": nginx_of(bed, location), "kind": "page", "contains": "</html>"})


@situation("web", "nginx's default page is what is expected", {ENDPOINT: "ok"})
def expected_default_page(bed: Bed) -> Answer:
    location = f"location / {{ default_type text/html; return 200 '{WELCOME}'; }}"
    return ask(bed, {"url": nginx_of(bed, location), "contains": "Welcome to nginx!"})


@situation("web", "a page is empty", {ENDPOINT: "critical"}, says="the page is empty")
def empty_page(bed: Bed) -> Answer:
    return ask_site(bed, (200, {}, b""), kind="page")


@situation("web", "a health URL answers 200 with no content, as expected", {ENDPOINT: "ok"})
def empty_health(bed: Bed) -> Answer:
    return ask_site(bed, (200, {}, b""))


@situation(
    "web",
    "a maintenance page with status 200",
    {ENDPOINT: "critical"},
    says="(?s)maintenance page.*switch the page off",
)
def maintenance(bed: Bed) -> Answer:
    return ask_site(bed, (200, {}, b"<title>Under maintenance</title>"), kind="page")


CACHE = """
    proxy_cache_path {folder}/cache keys_zone=cache:1m;
"""
CACHED = """
    location / {{
        proxy_pass http://127.0.0.1:{app};
        proxy_cache cache;
        proxy_cache_valid 200 1h;
        proxy_connect_timeout 1s;
        add_header X-Cache-Status $upstream_cache_status;
    }}
"""


def behind_a_cache(bed: Bed, alive: bool, by_path: bool = False) -> Answer:
    key = "proxy_cache_key $host$uri;" if by_path else ""
    folder = bed.folder
    with site({"/api/health": HEALTH}) as app:
        cached = CACHED.format(app=app.port) + key
        url = nginx_of(bed, cached, CACHE.format(folder=folder)) + "/api/health"
        ask(bed, {"url": url, "samples": 0})
        if alive:
            return ask(bed, {"url": url, "json": {}})
    return ask(bed, {"url": url, "json": {}})


@situation("web", "a cache answers for a living app", {ENDPOINT: "ok"}, says="from a cache")
def cached_alive(bed: Bed) -> Answer:
    return behind_a_cache(bed, alive=True)


@situation(
    "web",
    "a cache answers for a dead app",
    {ENDPOINT: "critical"},
    says=r"(?s)a cache answers \(x-cache-status: HIT\), the app does not: HTTP 502.*proxy_pass",
)
def cached_dead(bed: Bed) -> Answer:
    return behind_a_cache(bed, alive=False)


@situation(
    "web",
    "a cache answers for a dead app and ignores the query",
    {ENDPOINT: "unknown"},
    says="(?s)says nothing about the app now.*no-store",
)
def cached_by_path(bed: Bed) -> Answer:
    return behind_a_cache(bed, alive=False, by_path=True)


# --- the remedy follows the cause


@situation(
    "web",
    "nginx is up and the app is not",
    {ENDPOINT: "critical"},
    says="(?s)HTTP 502.*proxy_pass.*error.log",
)
def dead_app(bed: Bed) -> Answer:
    location = f"location / {{ proxy_pass http://127.0.0.1:{unused_port()}; }}"
    return ask(bed, nginx_of(bed, location))


@situation("web", "nginx and the app are up", {ENDPOINT: "ok"})
def living_app(bed: Bed) -> Answer:
    web = bed.enter(site({"/": HEALTH}))
    return ask(bed, nginx_of(bed, f"location / {{ proxy_pass http://127.0.0.1:{web.port}; }}"))


@situation(
    "web",
    "the app behind nginx hangs",
    {ENDPOINT: "critical"},
    says="(?s)HTTP 504.*event loop",
    never=RESTART,
)
def hanging_app(bed: Bed) -> Answer:
    port = bed.enter(listening(silent))
    location = f"location / {{ proxy_pass http://127.0.0.1:{port}; proxy_read_timeout 1s; }}"
    return ask(bed, nginx_of(bed, location), samples=1)


@situation(
    "web",
    "nginx shows a maintenance page with 503",
    {ENDPOINT: "critical"},
    says="(?s)HTTP 503.*maintenance is over",
    never=RESTART,
)
def maintenance_503(bed: Bed) -> Answer:
    location = "location / { default_type text/html; return 503 '<h1>Maintenance</h1>'; }"
    return ask(bed, nginx_of(bed, location))


@situation(
    "web",
    "nginx asks for a password",
    {ENDPOINT: "critical"},
    says="(?s)HTTP 401.*credentials",
    never=RESTART,
)
def password(bed: Bed) -> Answer:
    return ask(bed, nginx_of(bed, "location / { return 401; }"))


@situation(
    "web",
    "nginx denies the probe's address",
    {ENDPOINT: "critical"},
    says="(?s)HTTP 403.*allow and deny",
    never=RESTART,
)
def denied(bed: Bed) -> Answer:
    return ask(bed, nginx_of(bed, "location / { deny all; root /; }"))


@situation(
    "web",
    "the site redirects to https and redirects are not followed",
    {ENDPOINT: "critical"},
    says="(?s)HTTP 301.*use https://",
    never=RESTART,
)
def to_https(bed: Bed) -> Answer:
    url = nginx_of(bed, "return 301 https://$host$request_uri;")
    return ask(bed, {"url": url, "follow_redirects": False})


@situation(
    "web",
    "a refusal that nobody knows",
    {ENDPOINT: "critical"},
    says="HTTP 418",
    never=RESTART,
)
def teapot(bed: Bed) -> Answer:
    return ask_site(bed, (418, {}, b"teapot"))


@situation(
    "web",
    "nothing listens on the port",
    {ENDPOINT: "critical"},
    says="(?s)connection refused.*ss -ltn",
    never="DNS|pm2",
)
def refused(bed: Bed) -> Answer:
    return ask(bed, f"http://127.0.0.1:{unused_port()}/")


@situation(
    "web",
    "a firewall drops what is sent to the port",
    {ENDPOINT: "critical"},
    says="(?s)no connection to .* within 1 s.*firewall",
    never=f"{RESTART}|DNS",
)
def filtered(bed: Bed) -> Answer:
    """A full queue of connections: packets are dropped as a firewall does."""
    server = bed.enter(socket.socket())
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    port = server.getsockname()[1]
    for _number in range(3):
        client = bed.enter(socket.socket())
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port))
    return ask(bed, f"http://127.0.0.1:{port}/", request_timeout=1)


@situation(
    "web",
    "the name does not resolve",
    {ENDPOINT: "critical"},
    says="(?s)no-such-host.invalid.*DNS",
    never="firewall|pm2",
)
def no_name(bed: Bed) -> Answer:
    return ask(bed, "http://no-such-host.invalid/")
