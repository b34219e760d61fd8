# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bloated, invalid, unused, duplicate and missing indexes of a database, judged. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.gpt_agent.runbook.plugins.module_utils.check import UNKNOWN, Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.limits import Limits
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_depth_queries import TABLE_SIZE, Contents, Use, table_scans
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_depth_words import DAY, at, unless, unseen
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_health_queries import Missing, Row, Statements
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_maintenance_plan import LEFTOVER, Rules, worth
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_relations import INDEX_SIZE, Inventory
from ansible_collections.gpt_agent.runbook.plugins.module_utils.sql_text import shape
from ansible_collections.gpt_agent.runbook.plugins.module_utils.state import interval, now_sample, span
from ansible_collections.gpt_agent.runbook.plugins.module_utils.text import counted, human, shorten

#: Sequential scans in the window below which a table is not judged, rows for each (runbook), and percent of reads by an index (PgHero).
SCANS_ENOUGH, ROWS_PER_SCAN, INDEX_SHARE = 50, 10_000, 95


def indexes(depth: Contents, subject: str, limits: Limits, statements: Statements | Missing, unused_after: float) -> Iterator[Check]:
    """Bloated, invalid, unused, duplicate and missing indexes; ``unused_after`` are days without a scan."""
    seen, use = depth.inventory, depth.use
    if isinstance(seen, Missing):
        yield from _unseen(seen, subject, limits)
        return
    if isinstance(use, Missing):
        yield from _unseen(use, subject, limits)
        return
    yield _index_bloat(seen, subject, limits)
    invalid = [index for index in seen.indexes if not index["valid"] and not index["building"] and not index["partitioned"]]
    words = f"{counted(len(invalid), 'invalid index', 'invalid indexes')}, such as {invalid[0]['quoted']} on {invalid[0]['table_name']}" if invalid else ""
    evidence = [
        {"index": index["quoted"], "table": index["table_name"], "leftover": bool(LEFTOVER.search(index["name"])), "bytes": index["bytes"]} for index in invalid
    ]
    yield limits.judged("postgres.invalid_indexes", len(invalid), words or "All indexes are valid", **at(subject, evidence))
    yield _unused(seen, use, subject, limits, unused_after)
    yield _duplicates(seen, use, subject, limits)
    yield _missing(depth, seen, use, subject, limits, statements)


def _unseen(missing: Missing, subject: str, limits: Limits) -> Iterator[Check]:
    for name in ("index_bloat", "invalid_indexes", "unused_indexes", "duplicate_indexes", "missing_indexes"):
        yield unseen(f"postgres.{name}", missing, limits, subject)


def _index_bloat(seen: Inventory, subject: str, limits: Limits) -> Check:
    rules = Rules()
    evidence, unknown = [], []
    for index in seen.indexes:
        if index["bytes"] < INDEX_SIZE or index["method"] != "btree" or not index["valid"]:
            continue
        bloat = seen.bloat(index)
        if bloat is None:
            unknown.append(index["quoted"])
        elif worth(bloat, index["bytes"], rules):
            wasted = int(bloat.share * index["bytes"])
            evidence.append({"index": index["quoted"], "wasted_bytes": wasted, "bytes": index["bytes"], "method": bloat.method, "confidence": bloat.confidence})
    evidence.sort(key=lambda row: -row["wasted_bytes"])
    total = sum(row["wasted_bytes"] for row in evidence)
    summary = "No large index is worth a rebuild"
    if evidence:
        first = evidence[0]
        share = 100 * first["wasted_bytes"] / first["bytes"]
        summary = f"{human(total, 'bytes')} are empty in {counted(len(evidence), 'index', 'indexes')}, {share:.0f} % of {first['index']} ({first['method']})"
    return unless(limits.judged("postgres.index_bloat", total, summary, **at(subject, evidence)), unknown, "index", seen, limits)


def _unused(seen: Inventory, use: Use, subject: str, limits: Limits, unused_after: float) -> Check:
    used_parents = {each["parent"] for each in use.indexes.values() if each["parent"] and each["scans"]}
    needed = _foreign_key_indexes(use)
    found = []
    for index in seen.indexes:
        row = use.indexes.get(index["oid"])
        if row is None or not index["valid"] or index["partitioned"] or row["kept"] or row["scans"] or row["parent"] in used_parents:
            continue
        if index["oid"] not in needed and index["bytes"] >= INDEX_SIZE:
            found.append(index)
    found.sort(key=lambda index: -index["bytes"])
    total = sum(index["bytes"] for index in found)
    days = None if use.since is None else (seen.facts["now"] - use.since) / DAY
    window = "" if days is None else f"since statistics reset {span(max(0.0, days * DAY))} ago"
    evidence = [{"index": index["quoted"], "table": index["table_name"], "bytes": index["bytes"]} for index in found]
    if not found:
        return limits.judged("postgres.unused_indexes", 0, "Every large index has been used, or is needed for another reason", window=window, subject=subject)
    words = f"{counted(len(found), 'index', 'indexes')} of {human(total, 'bytes')} that nobody has used, such as {found[0]['quoted']}"
    more = {"window": window, **at(subject, evidence)}
    if days is None or days < unused_after:
        summary = f"{words}; but the statistics are {'of unknown age' if days is None else f'only {span(max(0.0, days * DAY))} old'}"
        return limits.verdict("postgres.unused_indexes", UNKNOWN, summary, remedy=f"Look again when the statistics span {unused_after:g} days.", **more)
    if seen.facts["standbys"]:
        words += "; its standbys have counters of their own, ask them, too"
    return limits.judged("postgres.unused_indexes", total, words, **more)


def _foreign_key_indexes(use: Use) -> set[int]:
    """Indexes that a foreign key needs when rows of the other table are deleted, where no other index serves it."""
    needed = set()
    by_table: dict[int, list[Row]] = {}
    for row in use.indexes.values():
        by_table.setdefault(row["table"], []).append(row)
    for key in use.foreign_keys:
        count = len(key["columns"])
        serving = [row for row in by_table.get(key["table"], ()) if set(row["keys"][:count]) == set(key["columns"]) and not row["predicate"]]
        if len(serving) == 1:
            needed.add(serving[0]["oid"])
    return needed


def _duplicates(seen: Inventory, use: Use, subject: str, limits: Limits) -> Check:
    """Indexes of one table whose columns are the first ones of another, sorted alike; one that a constraint needs stays."""
    by_table: dict[int, list[tuple[Row, Row]]] = {}
    for index in seen.indexes:
        row = use.indexes.get(index["oid"])
        if row is not None and index["valid"]:
            by_table.setdefault(index["table"], []).append((index, row))
    evidence = []
    for pairs in by_table.values():
        gone: set[int] = set()
        for index, row in sorted(pairs, key=lambda pair: (len(pair[1]["keys"]), pair[1]["unique"], -pair[0]["oid"])):
            if row["unique"] or row["constraint"] or row["kept"] or row["parent"]:
                continue
            other = next((each for each, more in pairs if each["oid"] != index["oid"] and each["oid"] not in gone and _covers(each, more, index, row)), None)
            if other is not None:
                gone.add(index["oid"])
                evidence.append({"drop": index["quoted"], "keep": other["quoted"], "table": index["table_name"], "bytes": index["bytes"]})
    evidence.sort(key=lambda row: -row["bytes"])
    words = (
        f"{counted(len(evidence), 'superfluous index', 'superfluous indexes')}; {evidence[0]['keep']} does what {evidence[0]['drop']} does" if evidence else ""
    )
    return limits.judged("postgres.duplicate_indexes", len(evidence), words or "No index does what another one does", **at(subject, evidence))


def _covers(index: Row, row: Row, smaller: Row, less: Row) -> bool:
    """Whether an index serves every query that a smaller one does: the same, or a B-tree that begins with all of its columns."""
    if index["method"] != smaller["method"] or (row["predicate"], row["expressions"]) != (less["predicate"], less["expressions"]):
        return False
    if all(row[key] == less[key] for key in ("keys", "key_count", "classes", "collations", "options")):
        return True
    count = len(less["keys"])
    if index["method"] != "btree" or less["key_count"] < count or row["key_count"] <= count or 0 in row["keys"]:
        return False  # columns that are only included, and expressions, are compared as a whole
    return all(row[key][:count] == less[key] for key in ("keys", "classes", "collations", "options"))


def _missing(depth: Contents, seen: Inventory, use: Use, subject: str, limits: Limits, statements: Statements | Missing) -> Check:
    evidence = []
    for table in seen.tables:
        if table["partitioned"] or table["bytes"] < TABLE_SIZE:
            continue
        now = table_scans(depth, table["oid"])
        then = {key: depth.earlier.counters.get(f"{key} {table['oid']}", 0.0) for key in now} if depth.earlier else dict.fromkeys(now, 0.0)
        delta = {key: max(0.0, value - then[key]) for key, value in now.items()}
        if delta["scans"] < SCANS_ENOUGH or delta["read"] / delta["scans"] < ROWS_PER_SCAN:
            continue
        share = 100 * delta["indexed"] / (delta["indexed"] + delta["scans"])
        if share >= INDEX_SHARE:
            continue
        counts = {"scans": int(delta["scans"]), "rows_per_scan": int(delta["read"] / delta["scans"]), "index_share_percent": round(share, 1)}
        statement = _statement_of(table["name"], seen.database, statements)
        evidence.append({"table": table["quoted"], **counts, "writes": int(delta["writes"]), "bytes": table["bytes"], "statement": statement})
    evidence.sort(key=lambda row: -row["scans"] * row["rows_per_scan"])
    since = "" if use.since is None else f"since statistics reset {span(max(0.0, seen.facts['now'] - use.since))} ago"
    window = interval(depth.earlier, now_sample("", {})) if depth.earlier else since
    summary = "No large table is often read from end to end"
    if evidence:
        first = evidence[0]
        summary = f"Perhaps {counted(len(evidence), 'table lacks', 'tables lack')} an index: {first['table']} was read from end to end {first['scans']:,} times"
        summary += f", {first['rows_per_scan']:,} rows each" + (f", as by: {shorten(first['statement'], 70)}" if first["statement"] else "")
    return limits.judged("postgres.missing_indexes", len(evidence), summary, window=window, **at(subject, evidence))


def _statement_of(table: str, database: str, statements: Statements | Missing) -> str:
    """The statement with the most time that names a table after FROM, JOIN, UPDATE or INTO."""
    if isinstance(statements, Missing):
        return ""
    name = re.compile(rf'\b(?:from|join|update|into)\s+(?:only\s+)?(?:"?[\w$]+"?\.)?"?{re.escape(table)}"?(?![\w$])', re.IGNORECASE)
    return next((shape(row["statement"]) for row in statements.top if row["statement"] and row["database"] == database and name.search(row["statement"])), "")
