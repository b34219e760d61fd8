"""http_check against servers on loopback: answers, and what is said of them."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule, by_name, finish, start_module
from tests.support.throwaway import Http, Site, site
from tests.support.web import HEALTH, JSON, endpoint_check


def test_healthy_endpoints_in_one_call(run_module: RunModule, web: Site) -> None:
    api, page = web.url("/api/health"), web.url("/")
    endpoints = [
        {"url": api, "json": {"status": "ok", "checks.0.up": True}},
        {"url": page, "kind": "page", "contains": "home", "matches": "<html>.*</html>"},
    ]
    slow = {"warning": 60, "critical": 90}  # a busy machine is not what this is about
    thresholds = {"web.response_time_p95": slow, "web.page_load_time": slow}
    answer = run_module("http_check", {"endpoints": endpoints, "thresholds": thresholds})
    assert [(c["name"], c["subject"], c["status"]) for c in answer["checks"]] == [
        ("web.endpoint", api, "ok"),
        ("web.response_time_p95", api, "ok"),
        ("web.endpoint", page, "ok"),
        ("web.page_load_time", page, "ok"),
    ]
    timing = by_name(answer, "web.response_time_p95")
    assert 0 < timing["value"] < 60
    assert timing["evidence"][0]["requests"] == 10
    assert timing["evidence"][0]["opening"] > 0
    assert endpoint_check(answer, api)["evidence"][0]["address"] == f"127.0.0.1:{web.port}"
    assert answer["changed"] is False
    assert answer["__stderr"] == ""


def test_check_mode_looks_in_the_same_way(run_module: RunModule, web: Site) -> None:
    def seen(check: bool) -> list[tuple[str, str, str]]:
        endpoints = [{"url": web.url("/api/health"), "samples": 0}]
        answer = run_module("http_check", {"endpoints": endpoints}, check=check)
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
    ] * 3
    assert answer["checks"][3]["not_judged"] == "requested only once (samples: 0)"


@pytest.mark.parametrize(
    ("reply", "expected", "summary"),
    [
        ((500, JSON, b'{"status": "error"}'), {}, "HTTP 500 instead of 200, all 3 times"),
        (
            (200, {}, b"<html>Welcome to nginx</html>"),
            {"json": {}},
            "the answer is HTML, not JSON, all 3 times",
        ),
        (
            (200, JSON, b'{"status": "degraded"}'),
            {"json": {"status": "ok"}},
            'JSON: status is "degraded", expected "ok", all 3 times',
        ),
        ((200, JSON, b"{}"), {"json": {"status": "ok"}}, "JSON: 'status' is missing, all 3 times"),
        ((200, JSON, b""), {"json": {}}, "the answer is empty, not JSON, all 3 times"),
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
        answer = run_module(
            "http_check", {"endpoints": [{"url": web.url("/x"), "samples": 10}], "concurrency": 1}
        )
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


def test_other_programs_read_no_secret_in_the_process_list() -> None:
    """The module reads its options from its standard input, not from argv or the environment."""
    seen: list[bytes] = []

    def look(handler: Http) -> None:
        for path in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
            with suppress(OSError):
                seen.append(path.read_bytes())
        handler.answer(*HEALTH)

    with site({"/": look}) as web:
        endpoints = [{"url": web.url("/?token=Q7geheimQ7"), "samples": 0}]
        finish(start_module("http_check", {"endpoints": endpoints}), 120)
    assert any(b"http_check" in text for text in seen)
    assert not any(b"Q7geheimQ7" in text for text in seen)
