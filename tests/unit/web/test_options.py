"""Options of http_check: what is rejected, and what an endpoint takes from the module."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from tests.support.web import parsed


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
            "endpoints[0].headers: 'A b' is not a valid header name",
        ),
        (
            {"url": "https://x/", "headers": {"A": "geheim\nB: c"}},
            {},
            "endpoints[0].headers: the value of A starts or ends with a space",
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
