"""Web: whether the probe itself is the trouble, and whether it reads as a browser does."""

from __future__ import annotations

import gzip
import random
import socket
import threading
import time
from contextlib import AbstractContextManager
from email.utils import formatdate
from typing import Any

from tests.support.nginx_server import node
from tests.support.throwaway import Http, Site, listening, site
from tests.support.truth import NOT_JUDGED, Answer, Bed, situation
from tests.support.web import HEALTH, JSON
from tests.support.web_situations import ENDPOINT, RESTART, TIME, ask, ask_site, nginx_of

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


@situation(
    "web",
    "nginx allows one request in half a second, and four URLs are checked",
    {f"{ENDPOINT} {number}": "ok" for number in range(4)},
    says="HTTP 200",
    never=RESTART,
)
def no_burst(bed: Bed) -> Answer:
    web = bed.enter(site({"/": HEALTH}))
    location = f"location / {{ limit_req zone=one; proxy_pass http://127.0.0.1:{web.port}/; }}"
    url = nginx_of(bed, location, LIMIT_ZONE)
    return ask(bed, *({"url": url, "name": str(number)} for number in range(4)))


@situation(
    "web",
    "nginx's limit_req delays the probe's requests",
    {ENDPOINT: "ok", TIME: NOT_JUDGED},
    says="a rate limit delays the probe.*limit_req_zone",
    never=RESTART,
)
def limit_delays(bed: Bed) -> Answer:
    web = bed.enter(site({"/": HEALTH}))
    limit = f"limit_req zone=one burst=50; proxy_pass http://127.0.0.1:{web.port}/;"
    return ask(bed, nginx_of(bed, f"location / {{ {limit} }}", LIMIT_ZONE), thresholds={})


@situation(
    "web",
    "an app is slow after its first answer, whether alone or not",
    {ENDPOINT: "ok", TIME: "critical"},
    says="p95 is at least",
)
def slow_after_first(bed: Bed) -> Answer:
    count = iter(range(1000))

    def serve(handler: Http) -> None:
        time.sleep(1.2 if next(count) else 0)
        handler.answer(*HEALTH)

    web = bed.enter(site({"/": serve}))
    return ask(bed, web.url("/"), thresholds={})


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
