# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vacuum has left undone, sizes, bloat and sequences of a database, judged. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ansible_collections.gpt_agent.runbook.plugins.module_utils.check import OK, UNKNOWN, Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.limits import Limits
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_depth_queries import TABLE_SIZE, Contents, total_sizes
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_depth_words import DAY, SHOWN, at, unless, unseen
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_health_queries import Missing, Row
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_maintenance_plan import Rules, Step, make_plan
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_relations import ALIGNMENT, PAGE_HEADER, Inventory
from ansible_collections.gpt_agent.runbook.plugins.module_utils.text import counted, human

#: Seconds without a vacuum or analyze after which it is not only autovacuum's next round that is missing.
OVERDUE = 3600
#: Bytes below which a table needs no statistics of its own.
SMALL = 1024**2
#: Percent of a table that has to be empty for a rewrite to be worth it; estimates of a heap are off by ten percent and more.
TABLE_BLOAT = 40
#: Bytes of a row's header with its line pointer (storage/itemid.h, access/htup_details.h).
ROW_HEADER, LINE_POINTER = 24, 4


def vacuum(depth: Contents, subject: str, limits: Limits) -> Iterator[Check]:
    """What vacuum and analyze have left undone; a standby has it from its primary."""
    seen = depth.inventory
    if not isinstance(seen, Missing) and seen.facts["standby"]:
        seen = Missing("a standby does not count dead rows and changes", "Ask the primary.")
    if isinstance(seen, Missing):
        yield unseen("postgres.vacuum_due", seen, limits, subject)
        yield unseen("postgres.statistics_due", seen, limits, subject)
        return
    steps = make_plan(seen, Rules(operations=("freeze", "vacuum", "analyze"), dead_share=100, time_budget=7 * DAY), {}, {}).steps
    tables = seen.by_oid
    for name, operations, key, fine in (
        ("vacuum_due", ("freeze", "vacuum"), "vacuumed", "No table has more to vacuum than autovacuum lets pile up"),
        ("statistics_due", ("analyze",), "analyzed", "All tables have their statistics"),
    ):
        due = [step for step in steps if step.operation in operations and _overdue(tables[step.table], key, seen.facts["now"])]
        summary = f"{counted(len(due), 'table')}; {due[0].quoted}: {_reason(due[0])}" if due else fine
        evidence = tuple({"table": step.quoted, "reason": _reason(step), "bytes": tables[step.table]["bytes"]} for step in due[:SHOWN])
        yield limits.judged(f"postgres.{name}", len(due), summary, subject=subject, evidence=evidence)


def _reason(step: Step) -> str:
    return f"{step.reason}; {step.skip}" if step.skip else step.reason


def _overdue(table: Row, key: str, now: float) -> bool:
    """Whether it should have been done long ago; autovacuum never gets to a table that is small and does not change."""
    if table[key] is not None:
        return bool(now - table[key] > OVERDUE)
    return bool(table["partitioned"] or table["bytes"] >= SMALL)


def tables(depth: Contents, subject: str, limits: Limits) -> Iterator[Check]:
    """Sizes and their growth, bloat, and sequences."""
    if isinstance(depth.inventory, Missing):
        for name in ("table_sizes", "table_bloat"):
            yield unseen(f"postgres.{name}", depth.inventory, limits, subject)
    else:
        yield _sizes(depth, depth.inventory, subject, limits)
        yield _table_bloat(depth, depth.inventory, subject, limits)
    yield _sequences(depth, subject, limits)


def _sizes(depth: Contents, seen: Inventory, subject: str, limits: Limits) -> Check:
    sizes = sorted(total_sizes(seen).items(), key=lambda item: -item[1])
    evidence = []
    for oid, size in sizes[:SHOWN]:
        table, before = seen.by_oid[oid], depth.sizes.get(str(oid))
        more = {"rows": max(0, int(table["rows"])), "indexes_bytes": int(seen.index_bytes.get(oid, 0))}
        evidence.append({"table": table["quoted"], "bytes": int(size), **more, "growth_bytes": None if before is None else int(size - before)})
    summary = seen.summary
    if sizes:
        summary += f"; the largest is {evidence[0]['table']} with {human(sizes[0][1], 'bytes')}"
    known = [(oid, size) for oid, size in sizes if str(oid) in depth.sizes]
    before = sum(depth.sizes[str(oid)] for oid, _size in known)
    if not before:
        return limits.verdict("postgres.table_sizes", OK, summary + ("; growth is known from the next run on" if sizes else ""), **at(subject, evidence))
    grown = 100 * (sum(size for _oid, size in known) - before) / before
    most = max(known, key=lambda item: item[1] - depth.sizes[str(item[0])])
    gain = most[1] - depth.sizes[str(most[0])]
    if gain > 0:
        summary += f"; {seen.by_oid[most[0]]['quoted']} has grown most, by {human(gain, 'bytes')}"
    return limits.judged("postgres.table_sizes", round(grown, 1), summary, window=depth.window, **at(subject, evidence))


def _table_bloat(depth: Contents, seen: Inventory, subject: str, limits: Limits) -> Check:
    if isinstance(depth.widths, Missing):
        return unseen("postgres.table_bloat", depth.widths, limits, subject)
    evidence, unknown = [], []
    for oid, row in depth.widths.items():
        table = seen.by_oid[oid]
        if row["known"] < row["columns"] or table["rows"] < 0:
            unknown.append(table["quoted"])
            continue
        needed = heap_size(row, table["rows"], seen.facts["block"])
        wasted = max(0.0, row["bytes"] - needed)
        if row["bytes"] >= TABLE_SIZE and 100 * wasted / row["bytes"] >= TABLE_BLOAT:
            evidence.append({"table": table["quoted"], "wasted_bytes": int(wasted), "bytes": row["bytes"], "method": "estimated", "confidence": "low"})
    evidence.sort(key=lambda row: -row["wasted_bytes"])
    total = sum(row["wasted_bytes"] for row in evidence)
    summary = f"No large table is more than {TABLE_BLOAT} % empty"
    if evidence:
        first = evidence[0]
        share = 100 * first["wasted_bytes"] / first["bytes"]
        summary = f"{human(total, 'bytes')} are empty in {counted(len(evidence), 'table')} (estimated), {share:.0f} % of {first['table']}"
    check = limits.judged("postgres.table_bloat", total, summary, **at(subject, evidence))
    return unless(check, unknown, "table", seen, limits)


def heap_size(row: Row, rows: float, block: int) -> float:
    """Bytes that so many rows of the average width take when pages are as full as they may be."""
    header = ROW_HEADER + (ALIGNMENT * math.ceil(row["columns"] / 64) if row["nulls"] else 0)
    each = LINE_POINTER + header + math.ceil((row["width"] or 0) / ALIGNMENT) * ALIGNMENT
    usable = (block - PAGE_HEADER) * (row["fillfactor"] or 100) / 100
    return block * math.ceil(rows / max(1, usable // each))


def _sequences(depth: Contents, subject: str, limits: Limits) -> Check:
    if isinstance(depth.sequences, Missing):
        return unseen("postgres.sequences", depth.sequences, limits, subject)
    rows = [(used, row) for row in depth.sequences if (used := sequence_use(row)) is not None]
    rows.sort(key=lambda pair: -pair[0])
    limit = limits.limit("postgres.sequences", subject)
    evidence = [{"sequence": row["name"], "percent": round(used, 1), "last": row["last"], "column": row["column"], "type": row["type"]} for used, row in rows]
    hidden = [row["name"] for row in depth.sequences if not row["readable"]]
    if not rows:
        summary = "No sequence has been used"
    else:
        used, row = rows[0]
        fills = f", which fills {row['column']} ({row['type']})," if row["column"] else ""
        summary = f"{row['name']}{fills} is the furthest: {used:.1f} % used up"
    shown = [row for row in evidence if limit.judge(row["percent"]) != OK] or evidence[:1]
    check = limits.judged("postgres.sequences", round(rows[0][0], 1) if rows else 0.0, summary, **at(subject, shown))
    if check.status == OK and hidden:
        summary = f"{counted(len(hidden), 'sequence')} may not be read, such as {hidden[0]}"
        remedy = "As a superuser: GRANT pg_read_all_data to the role, or SELECT on the sequences."
        return limits.verdict("postgres.sequences", UNKNOWN, summary, subject=subject, remedy=remedy)
    altered = [row["name"] for row in depth.sequences if row.get("held")]
    if check.status == OK and altered:
        summary = f"{counted(len(altered), 'sequence')} cannot be read right now, such as {altered[0]}: another session alters or locks it"
        return limits.verdict("postgres.sequences", UNKNOWN, summary, subject=subject, remedy="Look again when that session is done.")
    return check


def sequence_use(row: Row) -> float | None:
    """Percent of the numbers that a sequence can give, and its column can hold, that have been given."""
    if row["last"] is None:
        return None
    least, most = row["least"], row["most"]
    for kind, bits in (("smallint", 15), ("integer", 31), ("bigint", 63)):
        if row["type"] == kind:
            least, most = max(least, -(2**bits)), min(most, 2**bits - 1)
    given, room = (row["last"] - least, most - least) if row["step"] > 0 else (most - row["last"], most - least)
    return min(100.0, 100 * given / room) if room > 0 else 100.0
