"""Names and marks of the databases that a restore makes."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.restore.names import (
    BEFORE,
    KINDS,
    Mark,
    format_time,
    identifier,
    is_new,
    literal,
    name_of,
    parse_mark,
)

TIME = "20261128_030000"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("comment", ["", "the app's", "two\nlines", "gpt_agent.runbook before x"])
@pytest.mark.parametrize("database", ["shop", 'a "quoted" one', "Ünder score"])
def test_a_mark_says_what_the_comment_was(kind: str, comment: str, database: str) -> None:
    mark = Mark(kind, TIME, database, comment)
    assert parse_mark(str(mark)) == mark


@pytest.mark.parametrize(
    "comment",
    [
        None,
        "",
        "the app's database",
        f"gpt_agent.runbook elsewhere {TIME} shop",
        "gpt_agent.runbook before 20261399_030000 shop",
        f"see gpt_agent.runbook before {TIME} shop",
    ],
)
def test_another_comment_is_no_mark(comment: str | None) -> None:
    assert parse_mark(comment) is None


def test_a_long_name_is_cut_between_characters() -> None:
    assert name_of("shop", BEFORE, TIME) == f"shop_before_{TIME}"
    long = name_of("ü" * 30, BEFORE, TIME)
    assert len(long.encode()) <= 63
    assert long == "ü" * 20 + f"_before_{TIME}"


def test_a_time_is_that_of_the_mark() -> None:
    assert format_time(Mark(BEFORE, TIME, "shop").made) == TIME


@pytest.mark.parametrize(
    ("name", "new"),
    [
        (f"shop_restore_{TIME}", True),
        (f"shop_verify_{TIME}", True),
        (f"shop_before_{TIME}", False),
        (f"_restore_{TIME}", False),
        (f"shop_restore_{TIME}_2", False),
    ],
)
def test_the_name_of_a_new_database_is_known(name: str, new: bool) -> None:
    assert is_new(name) is new


def test_texts_are_quoted() -> None:
    assert identifier('a"b') == '"a""b"'
    assert literal("it's") == "'it''s'"
    assert literal("it's \\") == " E'it''s \\\\'"
