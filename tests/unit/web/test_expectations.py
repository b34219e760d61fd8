"""Whether an answer is what the endpoint should give."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.expectations import (
    excerpt_of,
    look_up,
    problem_with,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.snapshot import Answer
from tests.support.web import answer, endpoint


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
            "the answer is HTML, not JSON",
        ),
        (
            {"json": {}},
            answer(" <html>", content_type="application/json"),
            "the answer is HTML, not JSON",
        ),
        (
            {"json": {}},
            answer("ok", content_type="text/plain"),
            "the answer is not JSON (text/plain)",
        ),
        ({"json": {}}, answer("", content_type=""), "the answer is empty, not JSON"),
        ({"json": {}}, answer("[" * 100_000), "the answer is not JSON (application/json)"),
        (
            {"json": {}},
            answer(truncated_at=1024),
            "the answer is longer than max_body (1 KiB), so its JSON cannot be read",
        ),
        ({"json": {"status": "ok", "checks.0.up": True}}, answer(), ""),
        ({"json": {"status": "up"}}, answer(), 'JSON: status is "ok", expected "up"'),
        ({"json": {"checks.0.up": 1}}, answer(), "JSON: checks.0.up is true, expected 1"),
        ({"json": {"checks.1.up": True}}, answer(), "JSON: 'checks.1.up' is missing"),
        ({"json": {"n": 1}}, answer('{"n": 1.0}'), ""),
        (
            {"json": {"status": "ok"}},
            answer('{"status": "postgres://u:geheim@db/x"}'),
            'JSON: status is "postgres://***@db/x", expected "ok"',
        ),
        ({"contains": "</html>"}, answer("<html></html>"), ""),
        ({"contains": "</html>"}, answer("<html>"), "the answer does not contain '</html>'"),
        (
            {"contains": "x"},
            answer("y", truncated_at=1),
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
    found = problem_with(endpoint(**expected), given_answer)
    assert (found.text if found else "") == problem


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
