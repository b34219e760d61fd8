# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vacuum has left undone, sizes, bloat and sequences of a database, judged. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...core.check import OK, UNKNOWN, Check
from ...core.state import SPACING
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value, pluralize
from ..bloat import has_fresh_statistics, heap_size
from ..health.collect import Missing, Row
from ..maintenance.step import Step
from ..relations import Inventory
from .collect import TABLE_SIZE, TOTAL, Contents, total_sizes
from .due import due_steps
from .wording import SHOWN, UNCOUNTED, counted_since, host_port, unless, unseen

#: Seconds without a vacuum or analyze after which it is not only autovacuum's next round that is missing.
OVERDUE = 3600
#: How a storage parameter or a setting says no.
OFF = {"off", "false", "no", "0", "f", "n"}
#: Bytes below which a table needs no statistics of its own.
SMALL = 1024**2
#: Percent of a table that has to be empty for a rewrite to be worth it; estimates of a heap are off by ten percent and more.
TABLE_BLOAT = 40


def vacuum(depth: Contents, subject: str, thresholds: Thresholds) -> Iterator[Check]:
    """What vacuum and analyze have left undone; a standby has it from its primary."""
    seen = depth.inventory
    if not isinstance(seen, Missing) and seen.facts["standby"]:
        seen = Missing("a standby does not count dead rows and changes", "Ask the primary.")
    elif (
        not isinstance(seen, Missing)
        and not isinstance(depth.use, Missing)
        and not depth.use.counts
    ):
        seen = UNCOUNTED
    if isinstance(seen, Missing):
        yield unseen("postgres.vacuum_due", seen, thresholds, subject)
        yield unseen("postgres.statistics_due", seen, thresholds, subject)
        return
    steps = due_steps(seen)
    for kind, name, key, fine in (
        (
            "vacuum",
            "vacuum_due",
            "vacuumed",
            "No table has more to vacuum than autovacuum lets pile up",
        ),
        ("analyze", "statistics_due", "analyzed", "All tables have their statistics"),
    ):
        yield _due(
            f"postgres.{name}",
            kind,
            [step for step in steps[kind] if _overdue(seen.by_oid[step.table], key, seen)],
            fine,
            depth,
            seen,
            subject,
            thresholds,
        )


def _due(
    name: str,
    kind: str,
    steps: list[Step],
    fine: str,
    depth: Contents,
    seen: Inventory,
    subject: str,
    thresholds: Thresholds,
) -> Check:
    """A table is called due if it was at the last run as well, or if nobody will come: the next round of autovacuum takes a minute and more."""
    due = [
        step for step in steps if f"due {kind} {step.table}" in depth.sizes or _forsaken(step, seen)
    ]
    evidence = [
        {"table": step.quoted, "reason": _reason(step), "bytes": seen.by_oid[step.table]["bytes"]}
        for step in due or steps
    ]
    more: dict[str, Any] = {
        "window": counted_since(depth.use, seen.facts["now"]),
        "subject": subject,
    }
    if due:
        return thresholds.evaluate(
            name,
            len(due),
            f"{pluralize(len(due), 'table')}; {due[0].quoted}: {_reason(due[0])}",
            evidence=tuple(evidence[:SHOWN]),
            **more,
        )
    if steps and TOTAL not in depth.sizes:
        words = f"{pluralize(len(steps), 'table')} at this moment, such as {steps[0].quoted}: {_reason(steps[0])}; whether autovacuum is late, the next run tells"
        return thresholds.verdict(
            name,
            UNKNOWN,
            words,
            evidence=tuple(evidence[:SHOWN]),
            remedy=f"Look again in {format_duration(SPACING)} or later.",
            **more,
        )
    return thresholds.evaluate(name, 0, fine, **more)


def _reason(step: Step) -> str:
    return f"{step.reason}; {step.skip}" if step.skip else step.reason


def _overdue(table: Row, key: str, seen: Inventory) -> bool:
    """Whether the last one is long ago; autovacuum never gets to a table that is small and does not change."""
    if table[key] is not None:
        return bool(seen.facts["now"] - table[key] > OVERDUE)
    return bool(table["partitioned"] or table["bytes"] >= SMALL)


def _forsaken(step: Step, seen: Inventory) -> bool:
    """Whether autovacuum does not come at all; against wraparound it always does."""
    table, settings = seen.by_oid[step.table], seen.facts["settings"] or {}
    off = {
        str(value).lower()
        for value in (
            (table["options"] or {}).get("autovacuum_enabled"),
            settings.get("autovacuum"),
        )
    } & OFF
    return bool(table["partitioned"] and step.operation == "analyze") or bool(
        off and step.operation != "freeze"
    )


def tables(depth: Contents, subject: str, thresholds: Thresholds) -> Iterator[Check]:
    """Sizes and their growth, bloat, and sequences."""
    if isinstance(depth.inventory, Missing):
        for name in ("table_sizes", "table_bloat"):
            yield unseen(f"postgres.{name}", depth.inventory, thresholds, subject)
    else:
        yield _sizes(depth, depth.inventory, subject, thresholds)
        yield _table_bloat(depth, depth.inventory, subject, thresholds)
    yield _sequences(depth, subject, thresholds)


def _sizes(depth: Contents, seen: Inventory, subject: str, thresholds: Thresholds) -> Check:
    sizes = sorted(total_sizes(seen).items(), key=lambda item: -item[1])
    evidence = []
    growth = (
        {oid: size - depth.sizes.get(str(oid), 0.0) for oid, size in sizes}
        if TOTAL in depth.sizes
        else {}
    )
    for oid, size in sizes[:SHOWN]:
        table, grown = seen.by_oid[oid], growth.get(oid)
        more = {
            "rows": max(0, int(table["rows"])),
            "indexes_bytes": int(seen.index_bytes.get(oid, 0)),
        }
        evidence.append(
            {
                "table": table["quoted"],
                "bytes": int(size),
                **more,
                "growth_bytes": None if grown is None else int(grown),
            }
        )
    summary = seen.summary
    if sizes:
        summary += (
            f"; the largest is {evidence[0]['table']} with {format_value(sizes[0][1], 'bytes')}"
        )
    if TOTAL not in depth.sizes:
        return thresholds.verdict(
            "postgres.table_sizes",
            OK,
            summary + ("; growth is known from the next run on" if sizes else ""),
            **host_port(subject, evidence),
        )
    most = max(growth, key=lambda oid: growth[oid], default=0)
    if growth and growth[most] > 0:
        summary += f"; {seen.by_oid[most]['quoted']} has grown most, by {format_value(growth[most], 'bytes')}"
    return thresholds.evaluate(
        "postgres.table_sizes",
        _percent(depth.sizes[TOTAL], seen.bytes),
        summary,
        window=depth.window,
        **host_port(subject, evidence),
    )


def _percent(before: float, now: float) -> float:
    """How much everything has grown; what is small as a whole may well double."""
    return (
        round(100 * (now - before) / max(before, TABLE_SIZE), 1)
        if abs(now - before) >= TABLE_SIZE
        else 0.0
    )


def _table_bloat(depth: Contents, seen: Inventory, subject: str, thresholds: Thresholds) -> Check:
    if isinstance(depth.widths, Missing):
        return unseen("postgres.table_bloat", depth.widths, thresholds, subject)
    evidence, unknown = [], []
    for oid, row in depth.widths.items():
        table = seen.by_oid[oid]
        if row["known"] < row["columns"] or table["rows"] < 0 or not has_fresh_statistics(table):
            unknown.append(table["quoted"])
            continue
        needed = heap_size(row, table["rows"], seen.facts["block"])
        wasted = max(0.0, row["bytes"] - needed)
        if row["bytes"] >= TABLE_SIZE and 100 * wasted / row["bytes"] >= TABLE_BLOAT:
            evidence.append(
                {
                    "table": table["quoted"],
                    "wasted_bytes": int(wasted),
                    "bytes": row["bytes"],
                    "method": "estimated",
                    "confidence": "low",
                }
            )
    evidence.sort(key=lambda row: -row["wasted_bytes"])
    total = sum(row["wasted_bytes"] for row in evidence)
    summary = f"No large table is more than {TABLE_BLOAT} % empty, TOAST not included"
    if evidence:
        first = evidence[0]
        share = 100 * first["wasted_bytes"] / first["bytes"]
        summary = f"{format_value(total, 'bytes')} are empty in {pluralize(len(evidence), 'table')} (estimated, without TOAST), {share:.0f} % of {first['table']}"
    check = thresholds.evaluate(
        "postgres.table_bloat", total, summary, **host_port(subject, evidence)
    )
    return unless(check, unknown, "table", seen, thresholds)


def _sequences(depth: Contents, subject: str, thresholds: Thresholds) -> Check:
    if isinstance(depth.sequences, Missing):
        return unseen("postgres.sequences", depth.sequences, thresholds, subject)
    rows = [(used, row) for row in depth.sequences if (used := sequence_use(row)) is not None]
    rows.sort(key=lambda pair: -pair[0])
    limit = thresholds.of("postgres.sequences", subject)
    evidence = [
        {
            "sequence": row["name"],
            "percent": round(used, 1),
            "last": row["last"],
            "column": row["column"],
            "type": row["type"],
        }
        for used, row in rows
    ]
    hidden = [row["name"] for row in depth.sequences if not row["readable"]]
    if not rows:
        summary = "No sequence has been used"
    else:
        used, row = rows[0]
        fills = f", which fills {row['column']} ({row['type']})," if row["column"] else ""
        summary = f"{row['name']}{fills} is the furthest: {used:.1f} % used up"
    shown = [row for row in evidence if limit.status_of(row["percent"]) != OK] or evidence[:1]
    check = thresholds.evaluate(
        "postgres.sequences",
        round(rows[0][0], 1) if rows else 0.0,
        summary,
        **host_port(subject, shown),
    )
    if check.status == OK and hidden:
        summary = f"{pluralize(len(hidden), 'sequence')} may not be read, such as {hidden[0]}"
        remedy = "As a superuser: GRANT pg_read_all_data to the role, or SELECT on the sequences."
        return thresholds.verdict(
            "postgres.sequences", UNKNOWN, summary, subject=subject, remedy=remedy
        )
    altered = [row["name"] for row in depth.sequences if row.get("held")]
    if check.status == OK and altered:
        summary = f"{pluralize(len(altered), 'sequence')} cannot be read right now, such as {altered[0]}: another session alters or locks it"
        return thresholds.verdict(
            "postgres.sequences",
            UNKNOWN,
            summary,
            subject=subject,
            remedy="Look again when that session is done.",
        )
    return check


def sequence_use(row: Row) -> float | None:
    """Percent of the numbers that a sequence can give, and its column can hold, that have been given."""
    if row["last"] is None:
        return None
    least, most = row["least"], row["most"]
    for kind, bits in (("smallint", 15), ("integer", 31), ("bigint", 63)):
        if row["type"] == kind:
            least, most = max(least, -(2**bits)), min(most, 2**bits - 1)
    given, room = (
        (row["last"] - least, most - least)
        if row["step"] > 0
        else (most - row["last"], most - least)
    )
    return min(100.0, 100 * given / room) if room > 0 else 100.0
