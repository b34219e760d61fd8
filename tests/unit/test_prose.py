"""The search for phrases that are not plain English."""

from __future__ import annotations

import pytest

from tests.tools.prose import files, phrases, problems


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Nobody may not read it.", {"Nobody", "may not read"}),
        ("# It has\n# to be fixed.\n", {"has to"}),
        ('text = "look "\n    "at it"\n', {"look at"}),
        ("- needs\n  a hand", {"needs a hand"}),
        ("It must be fixed; run it as `nobody`.", set()),
        ("```text\nit has to be\n```\n", set()),
        ("No phrase from the list.", set()),
    ],
)
def test_phrases_are_found_over_line_breaks_too(text: str, found: set[str]) -> None:
    assert {phrase for _line, phrase, _better in problems(text)} == found


def test_a_phrase_is_reported_with_its_line_and_what_to_write() -> None:
    text = "First.\n\nThis is\nneeds a hand.\n"
    assert list(problems(text)) == [(4, "needs a hand", "needs attention")]


def test_the_list_and_the_texts_are_there() -> None:
    assert len(phrases()) > 20
    assert all(better for _expression, better in phrases())
    names = {path.name for path in files()}
    assert {"README.md", "pg_health.py", "daily_checklist.yml", "secrets.yml"} <= names


@pytest.mark.checkout
def test_the_texts_are_plain_english() -> None:
    found = [
        f"{path.name}:{line}: {phrase!r}; write: {better}"
        for path in files()
        for line, phrase, better in problems(path.read_text(encoding="utf-8"))
    ]
    assert found == []
