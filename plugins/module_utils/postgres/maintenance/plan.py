# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database needs: which tables to vacuum and analyze, which indexes to rebuild, why, and in which order. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from ...core.errors import UsageError
from ...core.units import format_duration, format_value
from ..relations import INDEX_SIZE, Bloat, Inventory, Row

#: In the order in which one table is dealt with.
OPERATIONS = ("cleanup", "freeze", "vacuum", "analyze", "reindex")
#: Bytes a second until an earlier run has shown better: a slow disk, at the default cost delay.
RATES = {"cleanup": 1e9, "freeze": 20e6, "vacuum": 40e6, "analyze": 40e6, "reindex": 20e6}
#: ANALYZE reads so many pages for each unit of default_statistics_target, which is 100 by default.
SAMPLED_PAGES = 300 * 100
#: Dead rows below this are not worth a vacuum that autovacuum would not start itself (awesome-prometheus-alerts: 10 % and 10,000).
DEAD_ROWS = 10_000
#: Indexes up to this size are rebuilt where the free space on the disk is not known.
UNKNOWN_DISK = 1024**3
#: Seconds since a vacuum within which a slot or standby, whose age in time is not known, explains dead rows that stayed.
HOUR = 3600
WEEK = 7 * 86400

LEFTOVER = re.compile(r"_cc(new|old)\d*$")
#: Why a step is left out; a statement that waits for autovacuum makes PostgreSQL cancel it, and hours of its work are lost.
WORKED_ON = "autovacuum, or a VACUUM or ANALYZE of somebody else, is at work on the table"
OLD_STATISTICS = "the statistics of its table are too old to tell"


@dataclass(frozen=True)
class Rules:
    """What the operator wants."""

    operations: tuple[str, ...] = OPERATIONS
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    time_budget: float = 3600.0
    """Seconds for everything."""
    jobs: int = 1
    """Tables worked on at the same time."""
    dead_share: float = 10.0
    """Percent of a table's rows that are dead, from which it is vacuumed."""
    bloat_share: float = 30.0
    """Percent of an index that is empty, from which it is rebuilt."""
    bloat_bytes: int = 10 * 1024 * 1024
    """Bytes that a rebuild has to win."""
    cost_delay: float = 2.0
    cost_limit: int = 200
    max_wait: float = 60.0
    """Seconds that a statement may wait for other sessions."""
    max_block: float = 1.0
    """Seconds that another session may wait for a statement of ours."""
    max_lag: float = 30.0
    """Seconds that a standby may be behind before nothing new is started."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("time_budget", 1, 7 * 86400), ("jobs", 1, 32), ("dead_share", 0, 100), ("bloat_share", 1, 100), ("bloat_bytes", 0, math.inf),
            ("cost_delay", 0, 100), ("cost_limit", 1, 10000), ("max_wait", 0.1, 86400), ("max_block", 0.1, 86400), ("max_lag", 0, 86400),
        ):  # fmt: skip
            value = getattr(self, name)
            if not least <= value <= most:
                raise UsageError(
                    f"{name}: {value:g} is not a number from {least:g} to {most:g}"
                    if most < math.inf
                    else f"{name}: {value:g} is not {least:g} or more"
                )

    def wants(self, *relations: Row) -> bool:
        """Whether an index or table is to be looked at, given with what it belongs to; names are matched with and without the schema."""
        known = [
            name
            for each in relations
            for name in (each["name"], f"{each['schema']}.{each['name']}")
        ]
        hit = [
            any(fnmatchcase(name, pattern) for name in known for pattern in patterns)
            for patterns in (self.only, self.exclude)
        ]
        return (hit[0] or not self.only) and not hit[1]


@dataclass(frozen=True)
class Step:
    """One statement for one relation."""

    operation: str
    table: int
    quoted: str
    """The relation as it is written in SQL."""
    reason: str
    relation: int = 0
    work: float = 0
    """Bytes that are read and written."""
    rank: float = 0
    """Within one operation, the highest first."""
    estimate: float = 0.0
    """Seconds."""
    space: int = 0
    """Bytes of free disk that it needs, in the tablespace."""
    tablespace: int = 0
    unsure: bool = False
    """Whether fresh statistics have to confirm it."""
    skip: str = ""
    """Why it is not to be carried out."""


@dataclass
class Plan:
    steps: list[Step] = field(default_factory=list)
    """Those to be skipped among them, in the order in which they are to be carried out."""

    @property
    def wanted(self) -> list[Step]:
        return [step for step in self.steps if not step.skip]

    @property
    def seconds(self) -> float:
        return sum(step.estimate for step in self.wanted)


def make_plan(
    seen: Inventory, rules: Rules, rates: Mapping[str, float], free: Mapping[int, float | None]
) -> Plan:
    """What is needed, ranked, as far as it fits.

    ``rates`` are bytes a second by operation, ``free`` is the room on the disk by tablespace, none where that is not known.
    """
    _check_names(seen, rules)
    tables = [table for table in seen.tables if rules.wants(*seen.line(table))]
    steps = [
        step
        for index in seen.indexes
        if rules.wants(*seen.line(index))
        for step in _index_steps(index, seen, rules)
    ]
    vacuums = [
        step for table in tables if not table["partitioned"] for step in _vacuum(table, seen, rules)
    ]
    analyzes = _analyzes(
        tables, seen, {step.table for step in steps if step.unsure and not step.skip}
    )
    wanted = [step for step in [*steps, *vacuums, *analyzes] if step.operation in rules.operations]
    wanted.sort(
        key=lambda step: (
            ("freeze", "cleanup", "vacuum", "analyze", "reindex").index(step.operation),
            -step.rank,
        )
    )
    return Plan(
        _fitted([_allowed(step, seen, rules, free) for step in _estimated(wanted, rates)], rules)
    )


def unjudged(seen: Inventory, rules: Rules) -> list[str]:
    """Large B-trees of which nothing tells how bloated they are, if rebuilds are wanted at all."""
    found = []
    for index in seen.indexes if "reindex" in rules.operations else ():
        table = seen.by_oid.get(index["table"])
        large = (
            index["valid"]
            and index["method"] == "btree"
            and index["bytes"] >= max(INDEX_SIZE, rules.bloat_bytes)
        )
        if (
            table
            and table["analyzed"] is not None
            and large
            and rules.wants(*seen.line(index))
            and seen.bloat(index) is None
        ):
            found.append(index["quoted"])
    return found


def _check_names(seen: Inventory, rules: Rules) -> None:
    for pattern in rules.only:
        single = replace(rules, only=(pattern,), exclude=())
        if not any(single.wants(each) for each in [*seen.tables, *seen.indexes]):
            raise UsageError(
                f"only: there is no table or index {pattern!r} in database '{seen.database}'"
            )


def _estimated(steps: Sequence[Step], rates: Mapping[str, float]) -> list[Step]:
    return [
        replace(step, estimate=step.work / rates.get(step.operation, RATES[step.operation]))
        for step in steps
    ]


def _allowed(step: Step, seen: Inventory, rules: Rules, free: Mapping[int, float | None]) -> Step:
    """The step, or why it cannot be done: rights, somebody at work, room on the disk."""
    if step.skip:
        return step
    relation = seen.relations[step.relation or step.table]
    if not relation["owned" if step.operation == "cleanup" else "mine"]:
        return replace(step, skip=_powerless(seen, step))
    if step.table in seen.by_oid and seen.by_oid[step.table]["worked"]:
        return replace(step, skip=WORKED_ON)
    if step.unsure and "analyze" not in rules.operations:
        return replace(step, skip=f"{OLD_STATISTICS}: allow the operation analyze")
    if step.operation == "reindex" and 140000 <= seen.facts["version"] < 140004:
        return replace(
            step,
            skip="PostgreSQL 14.0 to 14.3 can damage indexes that are rebuilt concurrently: install the latest 14 first",
        )
    if step.space:
        room = free.get(step.tablespace)
        if room is None and step.space / 2 > UNKNOWN_DISK:
            return replace(
                step,
                skip=f"it needs {format_value(step.space, 'bytes')} of disk, and how much is free is not known: give disk_free",
            )
        if room is not None and step.space > room:
            return replace(
                step,
                skip=f"it needs {format_value(step.space, 'bytes')} of disk, {format_value(max(0.0, room), 'bytes')} are free",
            )
    return step


def _powerless(seen: Inventory, step: Step) -> str:
    maintain = seen.facts["version"] >= 170000 and step.operation != "cleanup"
    what = (
        "needs MAINTAIN on the table"
        if maintain
        else "has to be a member of the role that owns the table"
    )
    verb = {"cleanup": "drop", "reindex": "rebuild"}.get(step.operation, step.operation)
    return f"role '{seen.facts['role']}' may not {verb} it: it {what}"


def _fitted(steps: Sequence[Step], rules: Rules) -> list[Step]:
    """Steps that do not fit what is left of the time are skipped; a shorter one after them may still fit."""
    left = rules.time_budget * rules.jobs
    found = []
    for step in steps:
        if not step.skip and step.estimate > min(left, rules.time_budget):
            words = f"it takes about {format_duration(step.estimate)}, and of the time budget {format_duration(max(0.0, min(left, rules.time_budget)))} are left"
            found.append(replace(step, skip=words))
            continue
        left -= 0 if step.skip else step.estimate
        found.append(step)
    return found


# --- tables -------------------------------------------------------------------------------------------------------


def setting(table: Row, seen: Inventory, name: str, fallback: float) -> float:
    """A parameter of autovacuum: the table's own, or the server's."""
    for values in (table["options"] or {}, seen.facts["settings"] or {}):
        if name in values:
            return float(values[name])
    return fallback


def vacuum_threshold(table: Row, seen: Inventory) -> float:
    """Dead rows beyond which autovacuum would start."""
    rows = max(0.0, table["rows"])
    most = setting(table, seen, "autovacuum_vacuum_max_threshold", -1)
    due = (
        setting(table, seen, "autovacuum_vacuum_threshold", 50)
        + setting(table, seen, "autovacuum_vacuum_scale_factor", 0.2) * rows
    )
    return min(due, most) if most >= 0 else due


def _vacuum(table: Row, seen: Inventory, rules: Rules) -> list[Step]:
    """Whether to vacuum a table: against wraparound, for its dead rows, or for rows that were only ever inserted."""
    dead, live = table["dead"] or 0, max(table["live"] or 0, 0)
    step = Step(
        "vacuum",
        table["oid"],
        table["quoted"],
        "",
        work=table["bytes"] + seen.index_bytes.get(table["oid"], 0.0),
    )
    for key, name, what in (
        ("xid_age", "vacuum_freeze_table_age", "transaction"),
        ("mxid_age", "vacuum_multixact_freeze_table_age", "multixact"),
    ):
        age, limit = table[key] or 0, setting(table, seen, name, 150_000_000)
        if age > limit:
            held = [holder for holder in seen.holders if holder["age"] > limit]
            skip = f"freezing cannot get past {whose(held[0])}" if held else ""
            words = f"its oldest {what} id is {age:,} ids old, beyond {name} ({limit:,.0f})"
            return [replace(step, operation="freeze", reason=words, rank=age, skip=skip)]
    share = 100 * dead / (dead + live) if dead else 0.0
    if dead > vacuum_threshold(table, seen) or (share >= rules.dead_share and dead > DEAD_ROWS):
        rank = table["bytes"] * share / 100
        return [
            replace(
                step,
                reason=f"{dead:,} dead rows, {share:.0f} % of all",
                rank=rank,
                skip=_held(table, seen),
            )
        ]
    inserted, limit = (
        table["inserted"] or 0,
        setting(table, seen, "autovacuum_vacuum_insert_threshold", 1000),
    )
    if limit >= 0 and inserted > limit + setting(
        table, seen, "autovacuum_vacuum_insert_scale_factor", 0.2
    ) * max(0.0, table["rows"]):
        return [
            replace(
                step,
                reason=f"{inserted:,} rows inserted since the last vacuum: they are neither frozen nor known as visible to all",
            )
        ]
    return []


def _held(table: Row, seen: Inventory) -> str:
    """Why another vacuum would remove nothing: whoever held the rows during the last one still does."""
    if table["vacuumed"] is None:
        return ""
    ago = seen.facts["now"] - table["vacuumed"]
    for holder in seen.holders:
        if (
            (ago < holder["seconds"])
            if holder["seconds"] is not None
            else (ago < HOUR and holder["age"] > DEAD_ROWS)
        ):
            return f"the vacuum {format_duration(max(0.0, ago))} ago could not remove them, because of {whose(holder)}, which is still there"
    return ""


def whose(holder: Row) -> str:
    open_for = (
        f", open for {format_duration(holder['seconds'])}" if holder["seconds"] is not None else ""
    )
    return f"{holder['kind']} {holder['whose']}{open_for}"


def _analyzes(tables: Sequence[Row], seen: Inventory, for_estimates: set[int]) -> list[Step]:
    """Which tables to analyze. A partitioned table stands for its partitions, and no autovacuum ever analyzes it."""
    leaves: dict[int, list[Row]] = {}
    for table in tables:
        for parent in table["parents"] or ():
            leaves.setdefault(parent, []).append(table)
    found = [
        step
        for table in tables
        for step in _analyze(table, leaves.get(table["oid"], []), seen, for_estimates)
    ]
    parents = {step.table for step in found}
    return [
        step for step in found if not parents.intersection(seen.by_oid[step.table]["parents"] or ())
    ]


def _analyze(
    table: Row, leaves: Sequence[Row], seen: Inventory, for_estimates: set[int]
) -> list[Step]:
    parts = (
        [leaf for leaf in leaves if not leaf["partitioned"]] if table["partitioned"] else [table]
    )
    size, rows = sum(part["bytes"] for part in parts), sum(max(0.0, part["rows"]) for part in parts)
    modified = sum(part["modified"] or 0 for part in parts)
    sampled = min(size, SAMPLED_PAGES * seen.facts["block"]) * (2 if table["partitioned"] else 1)
    step = Step("analyze", table["oid"], table["quoted"], "", work=sampled, rank=modified)
    due = (
        setting(table, seen, "autovacuum_analyze_threshold", 50)
        + setting(table, seen, "autovacuum_analyze_scale_factor", 0.1) * rows
    )
    latest = max((part["analyzed"] or 0 for part in parts), default=0)
    if table["rows"] < 0 and size:
        return [replace(step, reason="it has never been analyzed")]
    if modified > due:
        since = "since it was analyzed" if latest else "and when it was analyzed is not known"
        return [replace(step, reason=f"{modified:,} rows changed {since}")]
    if table["partitioned"] and table["analyzed"] and latest > table["analyzed"] + WEEK:
        return [replace(step, reason="its partitions have been analyzed since, it has not")]
    if table["oid"] in for_estimates:
        return [
            replace(step, reason="its statistics are too old to tell how bloated its indexes are")
        ]
    return []


# --- indexes ------------------------------------------------------------------------------------------------------


def _index_steps(index: Row, seen: Inventory, rules: Rules) -> list[Step]:
    """Whether to rebuild an index, or to drop what a rebuild that was cut off has left behind."""
    table = seen.by_oid.get(index["table"])
    step = Step(
        "reindex",
        index["table"],
        index["quoted"],
        "",
        relation=index["oid"],
        work=index["bytes"] + (table["bytes"] if table else 0),
    )
    step = replace(
        step, tablespace=index["tablespace"] or seen.facts["tablespace"], space=2 * index["bytes"]
    )
    if not index["valid"]:
        return _invalid(
            index, replace(step, space=max(step.space, int(table["bytes"]) if table else 0)), seen
        )
    bloat = seen.bloat(index)
    if (
        bloat is None
        and table
        and table["analyzed"] is None
        and index["method"] == "btree"
        and index["bytes"] >= max(INDEX_SIZE, rules.bloat_bytes)
    ):
        words = (
            "its table has never been analyzed: it is rebuilt if statistics show that it is bloated"
        )
        return [
            replace(step, reason=words, rank=index["bytes"] * rules.bloat_share / 100, unsure=True)
        ]
    if bloat is None or not worth(bloat, index["bytes"], rules):
        return []
    won = format_value(bloat.share * index["bytes"], "bytes")
    step = replace(
        step,
        reason=f"{bloat.words}, a rebuild wins {won}",
        rank=bloat.share * index["bytes"],
        unsure=bloat.confidence == "low",
    )
    return (
        [
            replace(
                step,
                skip="an index of an exclusion constraint cannot be rebuilt while it is in use",
            )
        ]
        if index["exclusion"]
        else [step]
    )


def worth(bloat: Bloat, size: float, rules: Rules) -> bool:
    """Whether a rebuild is worth it."""
    return 100 * bloat.share >= rules.bloat_share and bloat.share * size >= rules.bloat_bytes


def _invalid(index: Row, step: Step, seen: Inventory) -> list[Step]:
    if (
        index["building"] or index["partitioned"]
    ):  # that of a partitioned table is invalid until all partitions have theirs
        return []
    if LEFTOVER.search(index["name"]):
        base = LEFTOVER.sub("", index["name"])
        origin = index["twin"] or next(
            (
                each["quoted"]
                for each in seen.indexes
                if (each["table"], each["name"]) == (index["table"], base)
            ),
            None,
        )
        words = (
            f"left behind by a rebuild that was cut off; {origin} is what was rebuilt"
            if origin
            else "left behind by a rebuild that was cut off"
        )
        skip = (
            ""
            if origin
            else "no index like it is there: see whether it is needed, then rebuild or drop it"
        )
        return [replace(step, operation="cleanup", reason=words, work=0, space=0, skip=skip)]
    if not index["live"]:
        return [
            replace(
                step,
                operation="cleanup",
                reason="left behind by a DROP INDEX CONCURRENTLY that was cut off",
                work=0,
                space=0,
            )
        ]
    if index["twin"]:
        return [
            replace(
                step,
                reason="it is invalid",
                skip=f"{index['twin']} does the same and is valid: drop this one",
            )
        ]
    return [
        replace(
            step,
            reason="it is invalid: its build did not end well, so it costs every write and serves no query",
            rank=math.inf,
        )
    ]


def statement(step: Step, rules: Rules, seen: Inventory) -> str:
    """The step in SQL."""
    if step.operation == "cleanup":
        return f"DROP INDEX CONCURRENTLY IF EXISTS {step.quoted}"
    if step.operation == "reindex":
        return f"REINDEX INDEX CONCURRENTLY {step.quoted}"
    if step.operation == "analyze":
        return f"ANALYZE {step.quoted}"
    options = ["PARALLEL 0"]
    if step.operation == "freeze":
        options.append("FREEZE")
    if seen.facts["standbys"]:
        options.append("TRUNCATE FALSE")  # truncating cancels queries on the standbys
    if seen.facts["version"] >= 160000:
        options.append("SKIP_DATABASE_STATS")
    return f"VACUUM ({', '.join(options)}) {step.quoted}"
