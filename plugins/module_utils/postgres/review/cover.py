# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one index does all that another one does. Pure."""

from __future__ import annotations

from ..bloat import Row

#: Storage parameters that change how an index is kept, not what it can be used for.
_UPKEEP = (
    "fillfactor",
    "deduplicate_items",
    "fastupdate",
    "gin_pending_list_limit",
    "buffering",
    "autosummarize",
)
#: The bits of DESC and NULLS FIRST: read backwards, an index has the opposite of both.
_BACKWARDS = 3


def covers(index: Row, row: Row, smaller: Row, less: Row) -> bool:
    """Whether an index serves every query that a smaller one serves, and is as unique.

    Either they have the same columns, or it is a B-tree that begins with those of the smaller one.
    Included columns may be anywhere in it. ``row`` and ``less`` are how both are used.
    """
    if index["method"] != smaller["method"] or _storage(row) != _storage(less):
        return False
    # Expressions are compared as a whole: only with the same ones do the zeros among the columns
    # stand for the same.
    if any(row[key] != less[key] for key in ("predicate", "expressions")):
        return False
    if less["unique"] and not _as_unique(row, less):
        return False
    return _has_columns(index, row, less) and _sorts_alike(index, row, less)


def _storage(row: Row) -> set[str]:
    options = (option for option in row["storage"] or () if option.split("=")[0] not in _UPKEEP)
    return set(options)


def _as_unique(row: Row, less: Row) -> bool:
    """Whether an index rejects every duplicate that the other one rejects, and as early."""
    return bool(
        row["unique"]
        and row["key_count"] == less["key_count"]
        and row["immediate"] >= less["immediate"]
        and row["nulls_equal"] >= less["nulls_equal"]
    )


def _has_columns(index: Row, row: Row, less: Row) -> bool:
    count = less["key_count"]
    if row["keys"][:count] != less["keys"][:count] or row["key_count"] < count:
        return False
    if index["method"] != "btree" and row["key_count"] != count:
        return False
    return set(less["keys"][count:]) <= set(row["keys"])


def _sorts_alike(index: Row, row: Row, less: Row) -> bool:
    """Whether the columns that both sort by are sorted by the same rules, or all the other way."""
    count = less["key_count"]
    for key in ("classes", "collations", "class_options"):
        if row[key][:count] != less[key][:count]:
            return False
    own, others = row["options"][:count], less["options"][:count]
    backwards = [option ^ _BACKWARDS for option in others]
    return bool(own == others or (index["method"] == "btree" and own == backwards))
