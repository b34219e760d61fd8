"""Verdicts on the answers of an endpoint."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.snapshot import Answer, Sample
from tests.support.web import answer, assessed


def test_a_healthy_endpoint() -> None:
    first = answer(
        connect_seconds=0.02,
        peer="10.0.0.1:443",
        tls="TLSv1.3",
        url="https://your-domain.com/home",
        redirects=1,
    )
    checks = assessed(Sample(0.3), *[Sample(0.01)] * 10, first=first, json={})
    assert checks["web.endpoint"].status == "ok"
    assert checks["web.endpoint"].summary == (
        "HTTP 200 in 10 ms, JSON as expected, 1 redirect to https://your-domain.com/home, TLSv1.3"
    )
    timing = checks["web.response_time_p95"]
    assert (timing.status, timing.value, timing.unit) == ("ok", 0.01, "seconds")
    assert timing.summary == "p95 10 ms over 10 requests, median 10 ms"
    assert timing.evidence[0]["first"] == 0.01
    assert timing.evidence[0]["opening"] == 0.02


def test_an_endpoint_that_is_down_has_no_verdict_on_its_time() -> None:
    problem = "connection refused: nothing listens on x:443"
    checks = assessed(Sample(0.0, problem), first=Answer(failure=problem))
    assert list(checks) == ["web.endpoint"]
    assert (checks["web.endpoint"].status, checks["web.endpoint"].summary) == ("critical", problem)
    assert checks["web.endpoint"].remedy


def test_an_endpoint_that_always_fails() -> None:
    checks = assessed(*[Sample(0.01, "HTTP 500 instead of 200", "oops")] * 11)
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
    checks = assessed(*samples)
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
    checks = assessed(Sample(0.01), Sample(0.01, "HTTP 500 instead of 200"))
    assert checks["web.endpoint"].status == "critical"
    assert checks["web.response_time_p95"].value == 0.01


def test_an_endpoint_for_which_no_time_was_left() -> None:
    checks = assessed()
    assert list(checks) == ["web.endpoint"]
    assert checks["web.endpoint"].status == "unknown"
    assert (
        checks["web.endpoint"].summary
        == "not requested: the other endpoints used up all of the probe's 9.7 s"
    )
    assert "timeout" in checks["web.endpoint"].remedy


def test_waiting_for_long_when_time_is_up_is_a_failure_and_for_a_moment_is_none() -> None:
    assert assessed(Sample(4.0, pending=True))["web.endpoint"].status == "critical"
    assert "no answer within 4 s" in assessed(Sample(4.0, pending=True))["web.endpoint"].summary
    assert assessed(Sample(0.2, pending=True))["web.endpoint"].status == "unknown"


def test_the_remedy_is_that_of_the_commonest_problem() -> None:
    samples = [
        Sample(0.0, "the name 'x' does not resolve", remedy="Check the DNS record."),
        Sample(0.0, "TLS: a certificate has expired", remedy="Run cert_check."),
        Sample(0.0, "TLS: a certificate has expired", remedy="Run cert_check."),
    ]
    assert assessed(*samples)["web.endpoint"].remedy == "Run cert_check."


def test_a_problem_without_a_remedy_of_its_own_has_that_of_the_check() -> None:
    remedy = assessed(Sample(0.0, "the answer is odd"))["web.endpoint"].remedy
    assert "curl -iv URL" in remedy
    assert "restart" not in remedy
