"""Which messages count as the same one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.fingerprint import fingerprint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("connect ECONNREFUSED 127.0.0.1:5432", "connect ECONNREFUSED <ip>:<n>"),
        ("user 42 of 1,300 failed after 12.5ms", "user <n> of <n> failed after <n>ms"),
        ("GET /users/123/orders/9f86d081884c7d65 500", "GET /users/<n>/orders/<id> <n>"),
        ("request 6f1e0b0e-9df9-4c3c-8a35-0d7ad7ee1a11 failed", "request <id> failed"),
        ("at 2026-11-23T05:06:07.123Z it broke", "at <time> it broke"),
        ("mail to jo.doe@example.com bounced", "mail to <email> bounced"),
        ("Unexpected token '<', \"<html>\" is not valid", "Unexpected token '…', '…' is not valid"),
        ("can't open it, won't retry", "can't open it, won't retry"),
        (
            "ERR_HTTP2_STREAM_CANCEL in TransactionalRepository",
            "ERR_HTTP<n>_STREAM_CANCEL in TransactionalRepository",
        ),
        ("key sk-proj-Ab12Cd34Ef56 is invalid", "key <id> is invalid"),
        ("token eyJhbGciOiJIUzI1NiJ9 refused", "token <id> refused"),
        ("cannot reach postgresql://app:hunter2@db/x", "cannot reach postgresql://***@db/x"),
        ("PASSWORD=hunter2 was wrong", "PASSWORD=*** was wrong"),
        ("0xDEADBEEF deadbeef1", "<id> <id>"),
        ("(node:4711) Warning: slow", "(node:<n>) Warning: slow"),
    ],
)
def test_messages_that_differ_only_in_values_have_one_fingerprint(text: str, expected: str) -> None:
    assert fingerprint(text) == expected


@given(st.text(max_size=400))
def test_a_fingerprint_is_one_short_line_without_digits(text: str) -> None:
    found = fingerprint(text)
    assert len(found) <= 160
    assert "\n" not in found
    assert not any(char in "0123456789" for char in found)
