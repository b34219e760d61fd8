"""http_check against the demo stack's nginx and app."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import RunModule, by_name
from tests.support.web import endpoint_check


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
        "the answer is HTML, not JSON"
        in endpoint_check(answer, health["endpoints"][1]["url"])["summary"]
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
