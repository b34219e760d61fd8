"""Secrets in text from other programs, and its length."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.text import redact, shorten


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters=" \t\n\r/@:*"), min_size=4))
def test_no_form_of_a_secret_survives(secret: str) -> None:
    for form in (secret, quote(secret), quote_plus(secret)):
        assert form not in redact(f"[ {form} ] at redis://user:{form}@host", [secret]).replace(
            "[ ", ""
        ).replace("at redis://", "").replace("@host", "")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("could not connect to postgresql://app:hunter2@db/x", "hunter2"),
        ("no answer from redis://hunter2@cache:6379/0", "hunter2"),
        ("password=hunter2 refused", "hunter2"),
        ("Authorization: Bearer hunter2", "hunter2"),
        ('{"api_key": "hunter2"}', "hunter2"),
    ],
)
def test_credentials_in_foreign_texts_are_masked(text: str, hidden: str) -> None:
    assert hidden not in redact(text)


def test_a_url_without_credentials_is_left_alone() -> None:
    text = "https://registry.test/@scope/name and https://a.test?to=me@b.test"
    assert redact(text) == text


def test_shortening_keeps_one_line() -> None:
    assert shorten("a\n  b", 10) == "a b"
    assert shorten("abcdefghij", 5) == "abcd…"
