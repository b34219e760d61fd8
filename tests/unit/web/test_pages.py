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
        ("<title>Welcome to GPT Agent</title>", ""),
        ("<title>Aircraft maintenance software and scheduling for all airlines</title>", ""),
        ("<title>Nginx tutorials</title>", ""),
        ("<p>It works! Our agents do your work, as their many users tell.</p>" * 9, ""),
        ("ok", ""),
    ],
)
def test_pages_of_others(body: str, problem: str) -> None:
    text, remedy = foreign_page(endpoint(kind="page"), answer(body, content_type="text/html"))
    assert problem in text
    assert bool(text) == bool(problem) == bool(remedy)


def test_an_empty_page_is_wrong_and_an_empty_api_is_not() -> None:
    empty = answer("", content_type="")
    assert foreign_page(endpoint(kind="page"), empty)[0] == "the page is empty"
    assert foreign_page(endpoint(), empty) == ("", "")
    assert foreign_page(endpoint(kind="page", method="HEAD"), empty) == ("", "")
    assert foreign_page(endpoint(kind="page"), answer("", status=204)) == ("", "")


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
