"""Pages that are not the app's, and answers of caches."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.pages import (
    cached_by,
    foreign_page,
    past_the_cache,
)
from tests.support.web import answer, endpoint


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("<title>Welcome to nginx!</title>", "default page"),
        ("<TITLE>Welcome to OpenResty!</TITLE>", "default page"),
        ("<title>Apache2 Debian Default Page: It works</title>", "default page"),
        ("<html><body><h1>It works!</h1></body></html>", "default page"),
        ("<title>IIS Windows Server</title>", "default page"),
        ("<title>Index of /</title>", "listing"),
        ("<title>Site Maintenance</title>", "maintenance"),
        ("<title>We'll be right back</title>", "maintenance"),
        ("<title>Scheduled maintenance</title>", "maintenance"),
        ("<title>503 Service Temporarily Unavailable</title>", "maintenance"),
        ("<title>We&rsquo;ll be back soon!</title>", "maintenance"),
        ("<title>Wartungsarbeiten</title>", "maintenance"),
        ("<title>Shop</title><h1>We are <b>currently</b> under maintenance</h1>", "maintenance"),
        ("<title>Just a moment...</title>", "bot filter"),
        ("<title>Attention Required! | Cloudflare</title>", "bot filter"),
        ("<title>Request Rejected</title>", "bot filter"),
        ("<title>Sucuri WebSite Firewall - Access Denied</title>", "bot filter"),
        ("<title>shop.test is for sale</title>", "registrar"),
        ("<title>Account Suspended</title>", "registrar"),
        ("<title>404: This page could not be found.</title>", "error page"),
        ("<title>500: Internal Server Error</title>", "error page"),
        ("<title>Error</title><pre>Cannot GET /</pre>", "error page"),
        ("<title>Application error</title>", "error page"),
        ("<title>Page not found | GPT Agent</title>", "error page"),
        ("<title>Welcome to GPT Agent</title>", ""),
        ("<title>Error tracking for teams</title>", ""),
        ("<title>Human resources - Login</title>", ""),
        ("<title>404 Coffee</title>", ""),
        ("<title>Houses for sale</title><h1>Houses under construction</h1>", ""),
        ("<title>Security</title><h1>Cars</h1><p>under maintenance</p>", ""),
        ("<title>Aircraft maintenance software and scheduling for all airlines</title>", ""),
        ("<title>Nginx tutorials</title>", ""),
        ("<p>It works! Our agents do your work, as their many users tell.</p>" * 9, ""),
        ("ok", ""),
    ],
)
def test_pages_of_others(body: str, problem: str) -> None:
    found = foreign_page(endpoint(kind="page"), answer(body, content_type="text/html"))
    assert bool(found) == bool(problem)
    if found:
        assert problem in found.text
        assert found.remedy
        assert found.level == ("unknown" if problem == "bot filter" else "")


def test_an_empty_page_is_wrong_and_an_empty_api_is_not() -> None:
    empty = answer("", content_type="")
    found = foreign_page(endpoint(kind="page"), empty)
    assert found
    assert found.text == "the page is empty"
    assert foreign_page(endpoint(), empty) is None
    assert foreign_page(endpoint(kind="page", method="HEAD"), empty) is None
    assert foreign_page(endpoint(kind="page"), answer("", status=204)) is None


@pytest.mark.parametrize(
    ("headers", "sign"),
    [
        ({}, ""),
        ({"age": "0"}, ""),
        ({"age": "42"}, "age: 42 s"),
        ({"x-cache": "MISS"}, ""),
        ({"x-cache": "MISS, HIT"}, "x-cache: MISS, HIT"),
        ({"x-cache": "Hit from cloudfront"}, "x-cache: Hit from cloudfront"),
        ({"x-cache-status": "STALE"}, "x-cache-status: STALE"),
        ({"x-cache": "TCP_MEM_HIT"}, "x-cache: TCP_MEM_HIT"),
        ({"cf-cache-status": "DYNAMIC"}, ""),
        ({"cache-status": "edge; hit; ttl=9"}, "cache-status: edge; hit; ttl=9"),
        ({"cache-status": "white; fwd=miss"}, ""),
        ({"warning": '110 - "Response is Stale"'}, "warning: stale"),
    ],
)
def test_what_shows_that_a_cache_answers(headers: dict[str, str], sign: str) -> None:
    assert cached_by(answer(headers=headers)) == sign


def test_the_way_past_the_cache_keeps_the_query() -> None:
    assert past_the_cache(endpoint("https://x/a?b=1"), "z").url.path == "/a?b=1&runbook=z"
    assert past_the_cache(endpoint("https://x/a"), "z").url.path == "/a?runbook=z"
