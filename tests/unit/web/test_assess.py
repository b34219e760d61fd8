"""The verdicts on endpoints, and the order in which these are asked."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.url import Url
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.assess import (
    Answer,
    Endpoint,
    Observation,
    Sample,
    assess,
    endpoints_from,
    excerpt_of,
    look_up,
    nearest_rank,
    problem_with,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.collect import (
    CONNECT,
    Progress,
    collect,
)
from ansible_collections.gpt_agent.runbook.plugins.modules import http_check as module_under_test

DEFAULTS: dict[str, Any] = {
    name: option.get("default") for name, option in module_under_test.ENDPOINT_OPTIONS.items()
}
OPTIONS: dict[str, Any] = {
    name: option.get("default") for name, option in module_under_test.OPTIONS.items()
}


def endpoint(url: str = "https://your-domain.com/api/health", **more: Any) -> Endpoint:
    return Endpoint(more.pop("subject", url), Url.parse("url", url), **more)


def parsed(*given: dict[str, Any], **options: Any) -> list[Endpoint]:
    return endpoints_from([{**DEFAULTS, **one} for one in given], {**OPTIONS, **options})


def answer(body: str = '{"status": "ok", "checks": [{"up": true}]}', **more: Any) -> Answer:
    return Answer(
        **{
            "status": 200,
            "content_type": "application/json",
            "body": body.encode(),
            "seconds": 0.01,
            **more,
        }
    )


def observed(*samples: Sample, first: Answer | None = None, **more: Any) -> Observation:
    return Observation(endpoint(**more), first or answer(), list(samples))


def judged(observation: Observation, overrides: dict[str, Any] | None = None) -> dict[str, Check]:
    return {
        check.name: check for check in assess([observation], Thresholds(CHECKS, overrides), 9.7)
    }


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_endpoint", "options", "words"),
    [
        (
            {"url": "nonsense"},
            {},
            "endpoints[0].url: 'nonsense' must start with http:// or https://",
        ),
        (
            {"url": "https://x/", "status": [99]},
            {},
            "endpoints[0].status: 99 is out of range; it can be 100 to 599",
        ),
        (
            {"url": "https://x/", "samples": 101},
            {},
            "endpoints[0].samples: 101 is out of range; it can be 0 to 100",
        ),
        (
            {"url": "https://x/", "concurrency": 0},
            {},
            "endpoints[0].concurrency: 0 is out of range; it can be 1 to 16",
        ),
        (
            {"url": "https://x/", "max_redirects": 0},
            {},
            "endpoints[0].max_redirects: 0 is out of range; it can be 1 to 20",
        ),
        ({"url": "https://x/"}, {"samples": -1}, "samples: -1 is out of range; it can be 0 to 100"),
        (
            {"url": "https://x/"},
            {"concurrency": 17},
            "concurrency: 17 is out of range; it can be 1 to 16",
        ),
        (
            {"url": "https://x/"},
            {"request_timeout": 0.0},
            "request_timeout: 0 is not a number of seconds above 0 and up to 3600",
        ),
        (
            {"url": "https://x/"},
            {"max_body": 0},
            "max_body: 0 is out of range; it can be 1 to 67108864",
        ),
        (
            {"url": "https://x/", "address": "web1"},
            {},
            "endpoints[0].address: 'web1' is not an IP address",
        ),
        (
            {"url": "https://x/", "matches": "("},
            {},
            "endpoints[0].matches: '(' is not a regular expression: ",
        ),
        (
            {"url": "https://x/", "method": "HEAD", "json": {}},
            {},
            "endpoints[0]: the answer to a HEAD request has no content",
        ),
        (
            {"url": "https://x/", "headers": {"A b": "geheim"}},
            {},
            "endpoints[0].headers: 'A b' is not a header's name",
        ),
        (
            {"url": "https://x/", "headers": {"A": "geheim\nB: c"}},
            {},
            "endpoints[0].headers: the value of A begins or ends with a space",
        ),
        (
            {"url": "https://x/", "headers": {"A": "geheim→"}},
            {},
            "endpoints[0].headers: the value of A holds characters",
        ),
    ],
)
def test_misuse_is_one_clear_sentence(
    given_endpoint: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(given_endpoint, **options)
    assert str(caught.value).startswith(words)
    assert "geheim" not in str(caught.value)


def test_no_endpoint_at_all_is_misuse() -> None:
    with pytest.raises(UsageError, match="the list is empty"):
        parsed()


def test_what_an_endpoint_takes_from_the_module() -> None:
    first, second = parsed(
        {"url": "https://x/"},
        {"url": "https://x/", "samples": 2, "concurrency": 1, "follow_redirects": False},
        samples=7,
        concurrency=3,
    )
    assert (first.samples, first.concurrency, first.max_redirects) == (7, 3, 5)
    assert (second.samples, second.concurrency, second.max_redirects) == (2, 1, 0)
    assert first.subject == "https://x/"
    assert second.subject == "https://x/ (2)"


def test_subjects_show_no_secrets() -> None:
    (only,) = parsed(
        {"url": "https://ops:geheim@x/?token=geheim2", "headers": {"Authorization": "geheim3"}}
    )
    assert only.subject == "https://***@x/?token=***"
    assert "geheim" not in repr(only)


# --- one answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "given_answer", "problem"),
    [
        ({}, answer(), ""),
        ({}, answer(status=500), "HTTP 500 instead of 200"),
        ({"statuses": (200, 401)}, answer(status=503), "HTTP 503 instead of 200 or 401"),
        ({"statuses": (401,)}, answer(status=401), ""),
        (
            {},
            Answer(failure="connection refused: nothing listens on x:443"),
            "connection refused: nothing listens on x:443",
        ),
        ({"json": {}}, answer(), ""),
        (
            {"json": {}},
            answer("<!doctype html><p>x", content_type="text/html"),
            "HTML where JSON is due",
        ),
        (
            {"json": {}},
            answer(" <html>", content_type="application/json"),
            "HTML where JSON is due",
        ),
        (
            {"json": {}},
            answer("ok", content_type="text/plain"),
            "the answer is no JSON (text/plain)",
        ),
        ({"json": {}}, answer("", content_type=""), "an empty answer where JSON is due"),
        ({"json": {}}, answer("[" * 100_000), "the answer is no JSON (application/json)"),
        (
            {"json": {}},
            answer(cut_at=1024),
            "the answer is longer than max_body (1 KiB), so its JSON cannot be read",
        ),
        ({"json": {"status": "ok", "checks.0.up": True}}, answer(), ""),
        ({"json": {"status": "up"}}, answer(), 'JSON: status is "ok", "up" was due'),
        ({"json": {"checks.0.up": 1}}, answer(), "JSON: checks.0.up is true, 1 was due"),
        ({"json": {"checks.1.up": True}}, answer(), "JSON: there is no 'checks.1.up'"),
        ({"json": {"n": 1}}, answer('{"n": 1.0}'), ""),
        (
            {"json": {"status": "ok"}},
            answer('{"status": "postgres://u:geheim@db/x"}'),
            'JSON: status is "postgres://***@db/x", "ok" was due',
        ),
        ({"contains": "</html>"}, answer("<html></html>"), ""),
        ({"contains": "</html>"}, answer("<html>"), "the answer does not contain '</html>'"),
        (
            {"contains": "x"},
            answer("y", cut_at=1),
            "the answer does not contain 'x' in its first 1 B",
        ),
        ({"matches": re.compile("v\\d")}, answer("v1"), ""),
        ({"matches": re.compile("v\\d")}, answer("v"), "nothing in the answer matches 'v\\\\d'"),
        ({"contains": "ü"}, Answer(status=200, body="ü".encode("latin-1"), charset="latin-1"), ""),
        ({"contains": "x"}, Answer(status=200, body=b"x", charset="no-such-charset"), ""),
    ],
)
def test_what_is_wrong_with_an_answer(
    expected: dict[str, Any], given_answer: Answer, problem: str
) -> None:
    assert problem_with(endpoint(**expected), given_answer) == problem


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.text(),
)
def test_looking_up_a_path_never_fails(data: Any, path: str) -> None:
    found, value = look_up(data, path)
    assert found or value is None
    assert look_up(data, "") == (True, data)


def test_an_excerpt_is_short_plain_and_free_of_secrets() -> None:
    body = "<html><title>502 Bad Gateway</title>" + "x" * 5000 + "</html>"
    assert excerpt_of(answer(body)).startswith("502 Bad Gateway x")
    assert len(excerpt_of(answer(body))) <= 120
    assert "geheim" not in excerpt_of(
        answer('{"error": "cannot connect to postgres://u:geheim@db/x"}')
    )


# --- verdicts ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200).map(sorted), st.floats(1, 100))
def test_the_nearest_rank_is_a_measured_value_that_enough_others_do_not_exceed(
    values: list[float], percent: float
) -> None:
    found = nearest_rank(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values) - 1e-6
    assert sum(value < found for value in values) * 100 < percent * len(values) + 1e-6


def test_the_95th_of_ten_is_the_largest_and_of_a_hundred_the_95th() -> None:
    assert nearest_rank(list(range(1, 11)), 95) == 10
    assert nearest_rank(list(range(1, 101)), 95) == 95


def test_a_healthy_endpoint() -> None:
    first = answer(
        opening=0.02,
        peer="10.0.0.1:443",
        tls="TLSv1.3",
        url="https://your-domain.com/home",
        redirects=1,
    )
    checks = judged(observed(Sample(0.3), *[Sample(0.01)] * 10, first=first, json={}))
    assert checks["web.endpoint"].status == "ok"
    assert (
        checks["web.endpoint"].summary
        == "HTTP 200 in 10 ms, JSON as expected, 1 redirect to https://your-domain.com/home, TLSv1.3"
    )
    timing = checks["web.response_time_p95"]
    assert (timing.status, timing.value, timing.unit) == ("ok", 0.01, "seconds")
    assert timing.summary == "p95 10 ms over 10 requests, median 10 ms"
    assert timing.evidence[0]["first"] == 0.01
    assert timing.evidence[0]["opening"] == 0.02


def test_the_first_request_does_not_decide_on_the_time() -> None:
    checks = judged(observed(Sample(5.0), Sample(0.01)))
    assert checks["web.response_time_p95"].value == 0.01


def test_the_first_request_decides_where_it_is_the_only_one() -> None:
    checks = judged(observed(Sample(1.5), first=answer(seconds=1.5)))
    timing = checks["web.response_time_p95"]
    assert (timing.status, timing.value) == ("critical", 1.5)
    assert (
        timing.summary
        == "1.5 s for the first request, the only one that was answered; no time was left for 10 more"
    )


@pytest.mark.parametrize(("seconds", "status"), [(0.5, "ok"), (0.6, "warning"), (1.1, "critical")])
def test_an_api_is_judged_by_the_limits_of_an_api(seconds: float, status: str) -> None:
    assert (
        judged(observed(Sample(0.1), *[Sample(seconds)] * 10))["web.response_time_p95"].status
        == status
    )


@pytest.mark.parametrize(("seconds", "status"), [(1.0, "ok"), (1.1, "warning"), (2.1, "critical")])
def test_a_page_is_judged_by_the_limits_of_a_page(seconds: float, status: str) -> None:
    checks = judged(observed(Sample(0.1), *[Sample(seconds)] * 10, kind="page"))
    assert checks["web.page_load_time"].status == status
    assert "web.response_time_p95" not in checks


def test_limits_for_one_endpoint_alone() -> None:
    checks = judged(
        observed(Sample(0.1), Sample(0.3), subject="web1", url="https://x/"),
        {"web.response_time_p95 web1": {"warning": 0.2}},
    )
    assert checks["web.response_time_p95"].status == "warning"


def test_an_endpoint_that_is_down_has_no_verdict_on_its_time() -> None:
    problem = "connection refused: nothing listens on x:443"
    checks = judged(observed(Sample(0.0, problem), first=Answer(failure=problem)))
    assert list(checks) == ["web.endpoint"]
    assert (checks["web.endpoint"].status, checks["web.endpoint"].summary) == ("critical", problem)
    assert checks["web.endpoint"].remedy


def test_an_endpoint_that_always_fails() -> None:
    checks = judged(observed(*[Sample(0.01, "HTTP 500 instead of 200", "oops")] * 11))
    assert list(checks) == ["web.endpoint"]
    assert checks["web.endpoint"].summary == "HTTP 500 instead of 200, all 11 times"
    assert checks["web.endpoint"].evidence[1] == {
        "problem": "HTTP 500 instead of 200",
        "requests": 11,
        "answer": "oops",
    }


def test_an_endpoint_that_fails_now_and_then() -> None:
    samples = [
        Sample(0.01),
        *[Sample(0.01)] * 7,
        Sample(0.01, "HTTP 500 instead of 200"),
        Sample(0.01, "HTTP 500 instead of 200"),
        Sample(0.01, "HTTP 502 instead of 200"),
    ]
    checks = judged(observed(*samples))
    assert checks["web.endpoint"].status == "warning"
    assert (
        checks["web.endpoint"].summary
        == "HTTP 500 instead of 200 (and one other problem); 3 of 11 requests failed"
    )
    assert (
        checks["web.response_time_p95"].summary
        == "p95 10 ms over 7 requests, median 10 ms; 3 of 10 failed (30 %)"
    )


def test_an_endpoint_that_fails_half_of_the_time_is_critical() -> None:
    checks = judged(observed(Sample(0.01), Sample(0.01, "HTTP 500 instead of 200")))
    assert checks["web.endpoint"].status == "critical"
    assert checks["web.response_time_p95"].value == 0.01


def test_quick_failures_do_not_make_it_look_fast() -> None:
    samples = [Sample(2.0)] + [Sample(0.001, "HTTP 500 instead of 200")] * 5 + [Sample(2.0)] * 5
    assert judged(observed(*samples))["web.response_time_p95"].status == "critical"


def test_an_endpoint_for_which_no_time_was_left() -> None:
    checks = judged(Observation(endpoint()))
    assert list(checks) == ["web.endpoint"]
    assert checks["web.endpoint"].status == "unknown"
    assert (
        checks["web.endpoint"].summary
        == "not asked: the other endpoints took all of the 9.7 s that the probe had"
    )
    assert "timeout" in checks["web.endpoint"].remedy


def test_waiting_for_long_when_time_is_up_is_a_failure_and_for_a_moment_is_none() -> None:
    assert (
        judged(Observation(endpoint(), None, [Sample(4.0, pending=True)]))["web.endpoint"].status
        == "critical"
    )
    assert (
        "no answer within 4 s"
        in judged(Observation(endpoint(), None, [Sample(4.0, pending=True)]))[
            "web.endpoint"
        ].summary
    )
    assert (
        judged(Observation(endpoint(), None, [Sample(0.2, pending=True)]))["web.endpoint"].status
        == "unknown"
    )


def test_remedies_fit_the_problem() -> None:
    def remedy(problem: str) -> str:
        return judged(observed(Sample(0.0, problem), first=Answer(failure=problem)))[
            "web.endpoint"
        ].remedy

    assert "certificate" in remedy("TLS: a certificate has expired")
    assert "DNS" in remedy("the name 'x' does not resolve")
    assert "curl" in remedy("redirects in a loop: after 2 steps it leads to https://x/ again")
    assert "pm2" in remedy("HTTP 500 instead of 200")


# --- the order of asking ----------------------------------------------------------------------------------------------


class Asked:
    """A stand-in for the client: answers as it is told, and counts how many requests are under way."""

    def __init__(self, **behaviour: Any) -> None:
        self.behaviour = behaviour
        self.order: list[str] = []
        self.now = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, one: Endpoint, progress: Progress) -> Answer:
        with self.lock:
            self.order.append(one.subject)
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            result = self.behaviour.get(one.subject, 0.0)
            if isinstance(result, Answer):
                return result
            progress.phase = CONNECT
            time.sleep(result)
            return answer(seconds=result)
        finally:
            with self.lock:
                self.now -= 1


def sites(*names: str, **more: Any) -> list[Endpoint]:
    return [endpoint(f"https://{name}/", subject=name, **more) for name in names]


def test_every_endpoint_is_asked_once_before_any_is_asked_again() -> None:
    fetch = Asked()
    observations = collect(sites("a", "b", "c", samples=3), fetch, 1, 5, 5)
    assert fetch.order[:3] == ["a", "b", "c"]
    assert [len(one.samples) for one in observations] == [4, 4, 4]
    assert fetch.most == 1


def test_concurrency_is_bounded_over_all_and_for_each() -> None:
    fetch = Asked(a=0.01, b=0.01)
    collect(sites("a", "b", samples=20), fetch, 4, 5, 5)
    assert fetch.most <= 4
    alone = Asked(a=0.01)
    collect(sites("a", samples=10, concurrency=2), alone, 8, 5, 5)
    assert alone.most <= 2


def test_an_endpoint_without_an_answer_is_not_asked_again() -> None:
    fetch = Asked(a=Answer(failure="connection refused"))
    (observation,) = collect(sites("a", samples=10), fetch, 4, 5, 5)
    assert fetch.order == ["a"]
    assert observation.samples == [Sample(0.0, "connection refused", "")]


def test_an_endpoint_with_a_wrong_answer_is_asked_again() -> None:
    fetch = Asked(a=answer(status=500))
    (observation,) = collect(sites("a", samples=10), fetch, 4, 5, 5)
    assert len(observation.samples) == 11


def test_a_request_that_never_ends_is_given_up_and_starves_nobody() -> None:
    fetch = Asked(a=30.0)
    started = time.monotonic()
    slow, fast = collect(sites("a", "b", samples=5), fetch, 1, 0.2, 5)
    assert time.monotonic() - started < 4
    assert slow.samples[0].problem == "no connection to a:443 within 200 ms"
    assert len(slow.samples) == 1
    assert len(fast.samples) == 6


def test_the_time_limit_holds_over_all_and_the_rest_is_named() -> None:
    fetch = Asked(a=30.0, b=30.0)
    started = time.monotonic()
    a, b, c = collect(sites("a", "b", "c"), fetch, 2, 20, 0.3)
    assert time.monotonic() - started < 3
    assert [one.samples[0].pending for one in (a, b)] == [True, True]
    assert c.samples == []


# --- the module -------------------------------------------------------------------------------------------------------


def run_main(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        module_under_test.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_misuse_fails_the_module_and_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_main(
        capsys,
        endpoints=[
            {"url": "htps://ops:geheim@x/?token=geheim", "headers": {"Authorization": "geheim"}}
        ],
    )
    assert result["failed"]
    assert (
        result["msg"]
        == "endpoints[0].url: 'htps://***@x/?token=***' must start with http:// or https://"
    )
    assert "geheim" not in json.dumps(result)


def test_a_missing_library_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module_under_test, "IMPORT_ERROR", "No module named 'requests'")
    result = run_main(capsys, endpoints=[{"url": "https://x/"}])
    assert result["failed"]
    assert "'requests' is missing" in result["msg"]
    assert "python3-requests" in result["msg"]
