"""Statements as evidence: whatever people put into a literal, it is not shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.statements import (
    LENGTH,
    shape,
    without_literals,
)


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        (
            "SELECT * FROM users WHERE email = 'a@b.c' AND id=42",
            "SELECT * FROM users WHERE email = ? AND id=?",
        ),
        ("SELECT 'it''s', E'it\\'s', B'01', x'ff', N'n', U&'\\0041'", "SELECT ?, ?, ?, ?, ?, ?"),
        ("DO $$ secret $$; SELECT $a$ se$$cret $a$, $1", "DO ?; SELECT ?, $1"),
        ('SELECT "Na me", t1.c2 FROM t_3 -- secret', 'SELECT "Na me", t1.c2 FROM t_3'),
        ("/* secret */ SELECT 1.5e-3, .5 /* cut off", "SELECT ?-?, ?"),
        ("ALTER ROLE app PASSWORD 'cut of", "ALTER ROLE app PASSWORD ?"),
        ("SELECT $tag$cut of", "SELECT ?"),
        ("SELECT a$1 FROM t", "SELECT a$1 FROM t"),
        (None, ""),
    ],
)
def test_literals_and_comments_go_and_the_shape_stays(statement: str | None, shown: str) -> None:
    assert shape(statement) == shown


def test_where_the_end_of_a_string_is_in_doubt_nothing_more_is_shown() -> None:
    assert shape("SELECT 'one\\'two', three, 'four'") == "SELECT ? …"


QUOTES = st.sampled_from(
    [("'", "'"), ("E'", "'"), ("$$", "$$"), ("$q$", "$q$"), ("--", "\n"), ("/*", "*/")]
)
SECRET = st.text(st.characters(codec="utf-8", exclude_characters="$\n\0"), max_size=8)


@given(QUOTES, SECRET, SECRET, st.integers(0, 80))
def test_no_literal_is_ever_shown_wherever_the_statement_was_cut(
    quotes: tuple[str, str], before: str, after: str, cut: int
) -> None:
    opening, closing = quotes
    literal = f"{before}hunter2{after}"
    if "'" in closing:
        literal = literal.replace("'", "''")
    if opening == "E'":
        literal = literal.replace("\\", "\\\\")
    literal = literal.replace("*/", "").replace("/*", "")
    statement = (
        f"SELECT a FROM t WHERE b = {opening}{literal}{closing} AND c = {opening}{literal}{closing}"
    )
    assert "hunter2" not in without_literals(statement)
    assert "hunter2" not in without_literals(statement[: len(statement) - cut])


@given(st.text())
def test_any_text_becomes_one_short_line(statement: str) -> None:
    assert len(shape(statement)) <= LENGTH
    assert "\n" not in shape(statement)
