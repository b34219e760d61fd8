"""Web: who answers, whether it is the app, and what to do if it is not."""

from __future__ import annotations

import socket

from tests.support.throwaway import listening, silent, site, unused_port
from tests.support.truth import Answer, Bed, situation
from tests.support.web import HEALTH, JSON
from tests.support.web_situations import ENDPOINT, RESTART, ask, ask_site, nginx_of

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
