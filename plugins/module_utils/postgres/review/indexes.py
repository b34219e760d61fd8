# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bloated, invalid, unused, duplicate and missing indexes of a database, judged. Pure."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...core.check import OK, UNKNOWN, Check
from ...core.state import interval, now_sample
from ...core.text import shorten
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value, pluralize
from ..bloat import INDEX_SIZE
from ..health.collect import Missing, Row, Statements
from ..relations import LEFTOVER, Inventory
from ..statements import shape
from .collect import TABLE_SIZE, Contents, Use, table_scans
from .wording import DAY, UNCOUNTED, counted_since, host_port, unless, unseen

#: Sequential scans in the window, and for each of its days, below which a table is not judged; rows for each (runbook); and percent of
#: reads by an index (PgHero).
SCANS_ENOUGH, ROWS_PER_SCAN, INDEX_SHARE = 50, 10_000, 95


def indexes(
    depth: Contents,
    subject: str,
    thresholds: Thresholds,
    statements: Statements | Missing,
    unused_after: float,
) -> Iterator[Check]:
    """Bloated, invalid, unused, duplicate and missing indexes; ``unused_after`` are days without a scan."""
    seen, use = depth.inventory, depth.use
    if isinstance(seen, Missing):
        yield from _unseen(seen, subject, thresholds)
        return
    if isinstance(use, Missing):
        yield from _unseen(use, subject, thresholds)
        return
    known = Known(seen, use)
    yield _index_bloat(seen, subject, thresholds)
    yield _invalid(seen, subject, thresholds)
    yield _unused(depth, known, subject, thresholds, unused_after)
    yield _duplicates(known, subject, thresholds)
    yield _missing(depth, seen, use, subject, thresholds, statements)


def _unseen(missing: Missing, subject: str, thresholds: Thresholds) -> Iterator[Check]:
    for name in (
        "index_bloat",
        "invalid_indexes",
        "unused_indexes",
        "duplicate_indexes",
        "missing_indexes",
    ):
        yield unseen(f"postgres.{name}", missing, thresholds, subject)


def _index_bloat(seen: Inventory, subject: str, thresholds: Thresholds) -> Check:
    evidence, unknown = [], []
    for index in seen.own_indexes:
        if index["bytes"] < INDEX_SIZE or index["method"] != "btree" or not index["valid"]:
            continue
        bloat = seen.bloat(index)
        wasteful = bloat is not None and bloat.is_worth_rebuilding(index["bytes"])
        if bloat is None or (wasteful and bloat.confidence == "low"):
            unknown.append(index["quoted"])
        elif wasteful:
            wasted = int(bloat.share * index["bytes"])
            evidence.append(
                {
                    "index": index["quoted"],
                    "wasted_bytes": wasted,
                    "bytes": index["bytes"],
                    "method": bloat.method,
                    "confidence": bloat.confidence,
                }
            )
    evidence.sort(key=lambda row: -row["wasted_bytes"])
    total = sum(row["wasted_bytes"] for row in evidence)
    summary = "No large B-tree index is worth a rebuild"
    if evidence:
        first = evidence[0]
        share = 100 * first["wasted_bytes"] / first["bytes"]
        summary = f"{format_value(total, 'bytes')} are empty in {pluralize(len(evidence), 'index', 'indexes')}, {share:.0f} % of {first['index']} ({first['method']})"
    return unless(
        thresholds.evaluate("postgres.index_bloat", total, summary, **host_port(subject, evidence)),
        unknown,
        "index",
        seen,
        thresholds,
    )


def _invalid(seen: Inventory, subject: str, thresholds: Thresholds) -> Check:
    """Indexes whose build was cut off; one of a partitioned table is invalid while a partition lacks its own, which may be on purpose."""
    name, bad = (
        "postgres.invalid_indexes",
        [index for index in seen.indexes if not index["valid"] and not index["building"]],
    )
    parents = [index for index in bad if index["partitioned"]]
    unclear = [index for index in bad if index["contended"] and not index["partitioned"]]
    sure = [index for index in bad if not index["contended"] and not index["partitioned"]]
    evidence = [
        {
            "index": index["quoted"],
            "table": index["table_name"],
            "leftover": bool(LEFTOVER.search(index["name"])),
            "bytes": index["bytes"],
        }
        for index in (*sure, *unclear, *parents)
    ]
    lacking = ""
    if parents:
        lacking = f"{pluralize(len(parents), 'index', 'indexes')} of a partitioned table, such as {parents[0]['quoted']}, not valid as long as partitions lack theirs"
    if sure:
        words = f"{pluralize(len(sure), 'invalid index', 'invalid indexes')}, such as {sure[0]['quoted']} on {sure[0]['table_name']}"
        return thresholds.evaluate(
            name,
            len(sure),
            f"{words}; and {lacking}" if lacking else words,
            **host_port(subject, evidence),
        )
    if unclear:
        index = unclear[0]
        words = f"{index['quoted']} is invalid, and somebody locks {index['table_name']}, perhaps to build or drop it"
        return thresholds.verdict(
            name,
            UNKNOWN,
            words,
            remedy="Look again when that session has ended (pg_locks).",
            **host_port(subject, evidence),
        )
    if parents:
        remedy = "Create the index on the partitions that lack it and ALTER INDEX ... ATTACH PARTITION, or drop it."
        return thresholds.verdict(
            name,
            UNKNOWN,
            f"All others are valid, but {lacking}",
            remedy=remedy,
            **host_port(subject, evidence),
        )
    return thresholds.evaluate(name, 0, "All indexes are valid", **host_port(subject, evidence))


@dataclass(frozen=True)
class Whole:
    """An index that can be dropped, with what is attached to it where its table is partitioned."""

    index: Row
    row: Row
    scans: int
    bytes: int
    last: float | None
    """When it was used last, where PostgreSQL knows (16)."""
    kept: bool
    """Whether something else than queries needs it, or a part of it."""

    @property
    def drop(self) -> str:
        return f"DROP INDEX {'' if self.index['partitioned'] else 'CONCURRENTLY '}{self.index['quoted']}"


def _wholes(seen: Inventory, use: Use) -> dict[int, Whole]:
    """By oid, the topmost ones; each partition's scans and bytes count for them."""
    known, parts = seen.relations, dict[int, list[Row]]()
    for row in use.indexes.values():
        parts.setdefault(row["top"] or row["oid"], []).append(row)
    found = {}
    for top, rows in parts.items():
        if top in known and top in use.indexes:
            scans, size = (
                sum(row["scans"] or 0 for row in rows),
                sum(known[row["oid"]]["bytes"] for row in rows if row["oid"] in known),
            )
            last = max((row["last"] for row in rows if row["last"] is not None), default=None)
            found[top] = Whole(
                known[top], use.indexes[top], scans, size, last, any(row["kept"] for row in rows)
            )
    return found


@dataclass(frozen=True)
class Known:
    """The indexes of a database, and which of them could go."""

    seen: Inventory
    use: Use

    @cached_property
    def wholes(self) -> dict[int, Whole]:
        return _wholes(self.seen, self.use)

    @cached_property
    def superfluous(self) -> dict[int, int]:
        """By oid, what does the same."""
        return _superfluous(self.seen, self.use, self.wholes)


def _unused(
    depth: Contents, known: Known, subject: str, thresholds: Thresholds, unused_after: float
) -> Check:
    name, use, now = "postgres.unused_indexes", known.use, known.seen.facts["now"]
    if not use.counts:
        return unseen(name, UNCOUNTED, thresholds, subject)
    maybe = _idle_ones(depth, known, max(unused_after, 1.0) * DAY)
    sure = {
        oid
        for oid, seconds in maybe.items()
        if seconds >= unused_after * DAY and (use.since is not None or known.wholes[oid].scans)
    }
    doubt = _doubt(depth, known, bool(sure), unused_after)
    # Where others can be judged, those that are too young are not named.
    found = sorted(
        (known.wholes[oid] for oid in _expendable(sure or (set(maybe) if doubt else set()), known)),
        key=lambda whole: -whole.bytes,
    )
    evidence = [
        {
            "index": each.index["quoted"],
            "table": each.index["table_name"],
            "bytes": each.bytes,
            "unused_days": int(maybe[each.index["oid"]] // DAY),
            "drop": each.drop,
        }
        for each in found
    ]
    more: dict[str, Any] = {"window": counted_since(use, now), **host_port(subject, evidence)}
    if not found:
        return thresholds.evaluate(
            name,
            0,
            "Every large index has been used, is needed for another reason, or is too young to tell",
            **more,
        )
    total = sum(whole.bytes for whole in found)
    words = f"{pluralize(len(found), 'index', 'indexes')} of {format_value(total, 'bytes')} that nobody has used"
    words += (
        f" for {unused_after:g} days" if sure and unused_after else ""
    ) + f", such as {found[0].index['quoted']}"
    check = thresholds.evaluate(name, total, words, **more)
    if check.status == OK or not doubt:
        return check
    return thresholds.verdict(name, UNKNOWN, f"{words}; but {doubt[0]}", remedy=doubt[1], **more)


def _idle_ones(depth: Contents, known: Known, used_before: float) -> dict[int, float]:
    """Indexes without a scan, and those with none for so many seconds; and for how long each is known to be there and unused."""
    use, found, keep = (
        known.use,
        dict[int, float](),
        {known.use.indexes[oid]["top"] or oid for oid in known.superfluous.values()},
    )
    now = known.seen.facts["now"]
    for oid, whole in known.wholes.items():
        if oid in keep or not _spare(whole):
            continue
        if not whole.scans:
            found[oid] = (
                depth.index_age(oid)
                if use.since is None
                else max(0.0, min(depth.index_age(oid), now - use.since))
            )
        elif whole.last is not None and now - whole.last >= used_before:
            found[oid] = now - whole.last
    return found


def _doubt(
    depth: Contents, known: Known, sure: bool, unused_after: float
) -> tuple[str, str] | None:
    """Why nobody may call an index unused, and what to do about it."""
    facts, since = known.seen.facts, known.use.since
    later = f"Look again when the statistics span {unused_after:g} days and the first run is as long ago."
    if not sure and (since is None or facts["now"] - since < unused_after * DAY):
        return (
            f"the statistics are {'of unknown age' if since is None else 'only ' + format_duration(max(0.0, facts['now'] - since)) + ' old'}",
            later,
        )
    if not sure and not any(depth.index_age(oid) >= unused_after * DAY for oid in known.wholes):
        return f"no run {unused_after:g} days ago has seen an index, so they may be younger", later
    remedy = "Run the review on the primary and on each standby; drop what all of them name."
    if facts["standby"]:
        return "this is a standby: its primary and other standbys count for themselves", remedy
    return ("its standbys count for themselves", remedy) if facts["standbys"] else None


def _spare(whole: Whole) -> bool:
    """Whether it matters and only queries need it; one on an expression gives the planner statistics even where no query scans it."""
    return bool(
        whole.index["valid"]
        and not whole.kept
        and not whole.row["expressions"]
        and whole.bytes >= INDEX_SIZE
    )


def _expendable(named: set[int], known: Known) -> set[int]:
    """Those without which every foreign key still has an index; rows of the other table cannot be deleted fast without."""
    left, dropped, relations = set(named), set(known.superfluous), known.seen.relations
    by_table: dict[int, list[Row]] = {}
    for row in known.use.indexes.values():
        index = relations.get(row["oid"])
        if index and index["valid"] and index["method"] == "btree" and not row["predicate"]:
            by_table.setdefault(row["table"], []).append(row)
    for key in known.use.foreign_keys:
        columns = set(key["columns"])
        serving = {
            row["top"] or row["oid"]
            for row in by_table.get(key["table"], ())
            if set(row["keys"][: row["key_count"]][: len(columns)]) == columns
        }
        if left & serving and not serving - left - dropped:
            left.discard(
                min(
                    left & serving,
                    key=lambda oid: (
                        oid in dropped,
                        known.wholes[oid].row["key_count"],
                        known.wholes[oid].bytes,
                    ),
                )
            )
    return left


def _superfluous(seen: Inventory, use: Use, wholes: Mapping[int, Whole]) -> dict[int, int]:
    """Indexes whose columns are the first ones of another, sorted alike, and the one that does what they do; what a constraint needs stays.

    Of equal ones the one that is used more stays, for the planner may prefer either.
    """
    by_table: dict[int, list[tuple[Row, Row]]] = {}
    for index in seen.indexes:
        row = use.indexes.get(index["oid"])
        if row is not None and index["valid"]:
            by_table.setdefault(index["table"], []).append((index, row))
    instead: dict[int, int] = {}
    for pairs in by_table.values():
        own = [
            (wholes[index["oid"]], index, row) for index, row in pairs if index["oid"] in wholes
        ]  # one that is attached to another cannot go alone
        for whole, index, row in sorted(
            own, key=lambda each: (len(each[2]["keys"]), each[0].scans, -each[1]["oid"])
        ):
            others = (
                each
                for each, more in pairs
                if each["oid"] != index["oid"]
                and each["oid"] not in instead
                and _covers(each, more, index, row)
            )
            other = None if whole.kept or row["unique"] or row["constraint"] else next(others, None)
            if other is not None:
                instead[index["oid"]] = other["oid"]
    return {oid: _last(other, instead) for oid, other in instead.items()}


def _last(oid: int, instead: dict[int, int]) -> int:
    """The one that stays when those that stand for each other have gone."""
    while oid in instead:
        oid = instead[oid]
    return oid


def _duplicates(known: Known, subject: str, thresholds: Thresholds) -> Check:
    evidence = []
    for oid, other in known.superfluous.items():
        whole = known.wholes[oid]
        row = {
            "drop": whole.index["quoted"],
            "keep": known.seen.relations[other]["quoted"],
            "table": whole.index["table_name"],
        }
        evidence.append({**row, "bytes": whole.bytes, "statement": whole.drop})
    evidence.sort(key=lambda row: -row["bytes"])
    words = (
        f"{pluralize(len(evidence), 'superfluous index', 'superfluous indexes')}; {evidence[0]['keep']} does what {evidence[0]['drop']} does"
        if evidence
        else ""
    )
    return thresholds.evaluate(
        "postgres.duplicate_indexes",
        len(evidence),
        words or "No index does what another one does",
        **host_port(subject, evidence),
    )


def _covers(index: Row, row: Row, smaller: Row, less: Row) -> bool:
    """Whether an index serves every query that a smaller one does: the same, or a B-tree that begins with all of its columns."""
    if index["method"] != smaller["method"] or any(
        row[key] != less[key] for key in ("predicate", "expressions", "storage")
    ):
        return False
    if all(
        row[key] == less[key]
        for key in ("keys", "key_count", "classes", "collations", "options", "class_options")
    ):
        return True
    count = len(less["keys"])
    if (
        index["method"] != "btree"
        or less["key_count"] < count
        or row["key_count"] < count
        or len(row["keys"]) <= count
        or 0 in row["keys"]
    ):
        return False  # columns that are only included, and expressions, are compared as a whole
    return all(
        row[key][:count] == less[key]
        for key in ("keys", "classes", "collations", "options", "class_options")
    )


def _missing(
    depth: Contents,
    seen: Inventory,
    use: Use,
    subject: str,
    thresholds: Thresholds,
    statements: Statements | Missing,
) -> Check:
    if not use.counts:
        return unseen("postgres.missing_indexes", UNCOUNTED, thresholds, subject)
    window = (
        interval(depth.earlier, now_sample("", {}))
        if depth.earlier
        else counted_since(use, seen.facts["now"])
    )
    days = (
        (time.time() - depth.earlier.time) / DAY
        if depth.earlier
        else None
        if use.since is None
        else (seen.facts["now"] - use.since) / DAY
    )
    evidence = []
    for table in seen.tables:
        delta = (
            None
            if table["partitioned"] or table["bytes"] < TABLE_SIZE
            else _scanned(depth, table["oid"])
        )
        if delta is None or not _lacks(delta, days or 0.0):
            continue
        share = 100 * delta["indexed"] / (delta["indexed"] + delta["scans"])
        counts = {
            "scans": int(delta["scans"]),
            "rows_per_scan": int(delta["read"] / delta["scans"]),
            "index_share_percent": round(share, 1),
        }
        statement = _statement_of(table["name"], seen.database, statements)
        evidence.append(
            {
                "table": table["quoted"],
                **counts,
                "writes": int(delta["writes"]),
                "bytes": table["bytes"],
                "statement": statement,
            }
        )
    evidence.sort(key=lambda row: -row["scans"] * row["rows_per_scan"])
    summary = "No large table is often read from end to end"
    if evidence:
        first = evidence[0]
        summary = f"Perhaps {pluralize(len(evidence), 'table lacks', 'tables lack')} an index: {first['table']} was read from end to end {first['scans']:,} times"
        summary += f", {first['rows_per_scan']:,} rows each" + (
            f", as by: {shorten(first['statement'], 70)}" if first["statement"] else ""
        )
    if evidence and days is None:
        words = f"{summary}; but since when is not known"
        return thresholds.verdict(
            "postgres.missing_indexes",
            UNKNOWN,
            words,
            remedy="Look again: the next run compares with this one.",
            **host_port(subject, evidence),
        )
    return thresholds.evaluate(
        "postgres.missing_indexes",
        len(evidence),
        summary,
        window=window,
        **host_port(subject, evidence),
    )


def _scanned(depth: Contents, oid: int) -> dict[str, float] | None:
    """How a table was used in the window; none where the window begins with a sample that does not know it."""
    now = table_scans(depth, oid)
    if depth.earlier is None:
        return {key: float(value) for key, value in now.items()}
    then = depth.earlier.counters
    return (
        {key: max(0.0, value - then.get(f"{key} {oid}", 0.0)) for key, value in now.items()}
        if f"scans {oid}" in then
        else None
    )


def _lacks(delta: Mapping[str, float], days: float) -> bool:
    """Whether it is read from end to end often enough, also for each day, and more than it is written, for which an index would cost more."""
    if (
        delta["scans"] < SCANS_ENOUGH * max(1.0, days)
        or delta["read"] / delta["scans"] < ROWS_PER_SCAN
        or delta["writes"] > delta["read"]
    ):
        return False
    return 100 * delta["indexed"] / (delta["indexed"] + delta["scans"]) < INDEX_SHARE


def _statement_of(table: str, database: str, statements: Statements | Missing) -> str:
    """The statement with the most time that names a table after FROM, JOIN or UPDATE."""
    if isinstance(statements, Missing):
        return ""
    name = re.compile(
        rf'\b(?:from|join|update)\s+(?:only\s+)?(?:"?[\w$]+"?\.)?"?{re.escape(table)}"?(?![\w$])',
        re.IGNORECASE,
    )
    return next(
        (
            shape(row["statement"])
            for row in statements.top
            if row["statement"] and row["database"] == database and name.search(row["statement"])
        ),
        "",
    )
