"""Which of two indexes is redundant."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.indexes import (
    indexes,
)
from tests.support.postgres_review import (
    BIG,
    LIMITS,
    NOBODY,
    TWO,
    by_name,
    contents,
    usage_of,
    used,
)
from tests.support.relations import MIB, index, table


@pytest.mark.parametrize(
    ("first", "second", "gone"),
    [
        ({}, {}, ["public.i12"]),
        ({}, TWO, ["public.i11"]),
        (
            {},
            {"keys": [1, 2], "class_options": [None, None]},
            ["public.i11"],
        ),  # the second column is only included
        ({"unique": True}, {"keys": [1, 2], "class_options": [None, None]}, []),
        ({"storage": ["fillfactor=70"]}, {}, ["public.i12"]),
        ({"storage": ["pages_per_range=4"]}, {}, []),
        ({"class_options": [["siglen=8"]]}, {}, []),
        ({"options": [3]}, {}, ["public.i12"]),  # a B-tree can be read backwards
        ({"options": [1]}, {}, []),  # NULLs are elsewhere
        ({"options": [2]}, {}, []),
        ({"options": [3]}, TWO, ["public.i11"]),
        ({**TWO, "options": [0, 3]}, {**TWO, "options": [3, 0]}, ["public.i12"]),
        ({**TWO, "options": [0, 3]}, TWO, []),
        ({**TWO, "options": [3, 3]}, TWO, ["public.i12"]),
        ({"collations": [100]}, {}, []),
        ({"classes": [7]}, {}, []),
        ({"predicate": "a > 1"}, {}, []),
        ({"unique": True}, {"unique": True}, ["public.i12"]),
        ({"unique": True}, {**TWO, "unique": True}, []),
        ({"unique": True}, {"unique": True, "immediate": False}, ["public.i12"]),
        ({"unique": True, "nulls_equal": True}, {"unique": True}, ["public.i12"]),
        ({"unique": True}, {"unique": True, "predicate": "a > 1"}, []),
        ({"unique": True}, {}, ["public.i12"]),
        ({"needed": True, "unique": True}, {"needed": True, "unique": True}, []),
        ({"needed": True}, {}, ["public.i12"]),
        (
            {"unique": True, "unique_constraint": "c"},
            {"unique": True, "scans": 9},
            ["public.i12"],
        ),
        (
            {"keys": [1, 2], "class_options": [None, None]},
            {"keys": [1, 2, 3], "class_options": [None, None, None]},
            ["public.i11"],
        ),  # both include the second column
        ({"keys": [1, 2], "class_options": [None, None]}, TWO, ["public.i11"]),
        (
            {"keys": [0], "expressions": "lower(a)"},
            {**TWO, "keys": [0, 2], "expressions": "lower(a)"},
            ["public.i11"],
        ),
        (
            {"keys": [0], "expressions": "lower(a)"},
            {**TWO, "keys": [0, 0], "expressions": "lower(a), lower(b)"},
            [],
        ),
        (
            {"keys": [1, 2], "classes": [1], "collations": [0], "options": [0]},
            {"keys": [1, 3], "classes": [1], "collations": [0], "options": [0]},
            [],
        ),
    ],
)
def test_which_of_two_indexes_is_superfluous(
    first: dict[str, Any], second: dict[str, Any], gone: list[str]
) -> None:
    rows = [used(11, **first), used(12, **second)]
    found = contents(
        table(), index(11, "i11", **BIG), index(12, "i12", **BIG), usage=usage_of(*rows)
    )
    check = by_name(indexes(found, "d", LIMITS, NOBODY, 10))["duplicate_indexes"]
    assert [row["drop"] for row in check.evidence] == gone


def test_a_partitioned_index_that_is_superfluous_counts_with_its_partitions() -> None:
    rows = [used(11), used(12), used(21, table=2, top=11), used(22, table=2, top=12)]
    known = [index(oid, f"i{oid}", unique=False, partitioned=True, bytes=0) for oid in (11, 12)]
    known += [index(oid, f"i{oid}", table=2, **BIG) for oid in (21, 22)]
    found = contents(
        table(partitioned=True, bytes=0), table(2, "p", parents=[1]), *known, usage=usage_of(*rows)
    )
    (row,) = by_name(indexes(found, "d", LIMITS, NOBODY, 10))["duplicate_indexes"].evidence
    assert (row["drop"], row["bytes"], row["statement"]) == (
        "public.i12",
        200 * MIB,
        "DROP INDEX public.i12",
    )


def test_a_unique_constraint_beside_the_primary_key_is_dropped_as_a_constraint() -> None:
    key = used(11, unique=True, needed=True)
    twin = used(12, unique=True, unique_constraint="orders_id_key")
    found = contents(
        table(), index(11, "i11", **BIG), index(12, "i12", **BIG), usage=usage_of(key, twin)
    )
    (row,) = by_name(indexes(found, "d", LIMITS, NOBODY, 10))["duplicate_indexes"].evidence
    assert (row["drop"], row["keep"]) == ("public.i12", "public.i11")
    assert row["statement"] == "ALTER TABLE public.t DROP CONSTRAINT orders_id_key"
