# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database holds in one snapshot: its tables with exact counts, and all that goes with it.

The session that reads it also exports the snapshot for pg_dump, so both see the same rows.
"""

from __future__ import annotations

import select
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...core.deadline import DeadlineExceeded
from ...core.errors import NotCollected
from ..url import Target
from ..worker import StatementFailed, Worker
from . import queries
from .manifest import Table

APPLICATION = "gpt_agent.runbook/pg_backup"
#: Tables that one statement counts, and their pages together.
BATCH, BATCH_PAGES = 50, 10_000
#: Seconds that `Snapshot.wait` waits for the server at a time.
_WAIT = 0.1


#: SQLSTATE of a lock that could not be had in time, and what to do about it.
LOCK_NOT_AVAILABLE = "55P03"
LOCKED = "Find out which session holds the lock, or raise lock_wait."


class TableLocked(NotCollected):
    """Another session has locked a table for too long; later it may work."""


@dataclass(frozen=True)
class Contents:
    """What is in a database."""

    tables: tuple[Table, ...]
    sequences: tuple[tuple[str, str, int | None], ...]
    """Sequences do not belong to a snapshot: they are read before pg_dump does, and only grow."""
    large_objects: int
    extensions: tuple[tuple[str, str, str], ...]
    roles: tuple[str, ...]
    properties: Mapping[str, Any]
    bytes: int
    """pg_database_size."""


@dataclass(frozen=True)
class _Relation:
    oid: int
    schema: str
    name: str
    kind: str
    quoted: str
    pages: int
    children: list[int] | None
    """None unless it is partitioned."""


class Snapshot:
    """A session in one read-only transaction, whose snapshot others can use while it is open.

    ``seconds`` is the time limit of a short question, ``lock_wait`` that of waiting for a lock.
    ``workers`` are the server's processes that help to count one table.
    Raises `Unreachable`, `NotCollected`, or `UsageError` behind a pooler.
    """

    def __init__(self, target: Target, seconds: float, lock_wait: float, workers: int = 0) -> None:
        settings = {
            "lock_timeout": str(int(lock_wait * 1000)),
            "idle_in_transaction_session_timeout": "0",
            "max_parallel_workers_per_gather": str(workers),
            "row_security": "off",  # an error instead of too few rows, as for pg_dump
        }
        self.worker = Worker(target, APPLICATION, seconds, settings)
        self.id = ""
        """Of the snapshot, for pg_dump."""
        self._counts: dict[int, int] = {}
        self._left: list[list[_Relation]] = []
        self._relations: list[_Relation] = []
        self._sequences: list[Any] = []
        self._running = False
        self._role = target.user

    def open(self) -> None:
        try:
            self.worker.open()
        except DeadlineExceeded:
            raise self.worker.no_answer() from None
        self.id = self.ask("its snapshot", queries.BEGIN)[0][0]

    def close(self) -> None:
        """End the transaction, and what is running in it."""
        if self._running:
            self.worker.cancel()
        self.worker.close()

    def ask(self, question: str, query: str) -> list[tuple[Any, ...]]:
        try:
            return self.worker.ask(question, query)
        except StatementFailed as error:
            raise self._not_collected(question, error) from None
        except DeadlineExceeded:
            raise self.worker.no_answer() from None

    def start_counting(self) -> None:
        """Start to count every table; `step` and `wait` go on with it.

        Sequences are read now: whoever dumps the database from here on reads the same values or
        later ones, so none of those that are restored may be lower.
        """
        self._sequences = [tuple(row) for row in self.ask("its sequences", queries.SEQUENCES)]
        self._relations = [_Relation(*row) for row in self.ask("its tables", queries.TABLES)]
        self._left = _batches([each for each in self._relations if each.kind != "p"])
        self.step()

    def step(self) -> None:
        """Take the result of the count that is running, if it has ended, and start the next one."""
        try:
            if self._running:
                if not self.worker.poll():
                    return
                self._running = False
                self._counts.update(self.worker.answer())
        except StatementFailed as error:
            raise self._not_collected("the rows of its tables", error) from None
        if self._left:
            parts = [
                queries.COUNT.format(oid=each.oid, quoted=each.quoted) for each in self._left.pop(0)
            ]
            self.worker.start(" UNION ALL ".join(parts))
            self._running = True

    @property
    def counting(self) -> bool:
        return self._running or bool(self._left)

    def wait(self) -> None:
        """Wait a moment for the count that is running, and take its result."""
        if self._running:
            select.select([self.worker], [], [], _WAIT)
        self.step()

    def contents(self) -> Contents:
        """Everything, once the counting has ended."""
        properties = dict(self.ask("its properties", queries.PROPERTIES)[0][0])
        return Contents(
            tables=tuple(
                Table(each.schema, each.name, each.kind, self._rows(each.oid))
                for each in self._relations
            ),
            sequences=tuple(self._sequences),
            large_objects=self.ask("its large objects", queries.LARGE_OBJECTS)[0][0],
            extensions=tuple(tuple(row) for row in self.ask("its extensions", queries.EXTENSIONS)),
            roles=tuple(row[0] for row in self.ask("its roles", queries.ROLES)),
            bytes=properties.pop("bytes"),
            properties=properties,
        )

    def _rows(self, oid: int) -> int:
        """The rows of a table, or of all partitions below it."""
        if oid in self._counts:
            return self._counts[oid]
        children = next((each.children for each in self._relations if each.oid == oid), None)
        return sum(self._rows(child) for child in children or ())

    def _not_collected(self, question: str, error: StatementFailed) -> NotCollected:
        if error.sqlstate == LOCK_NOT_AVAILABLE:
            return TableLocked(f"another session has locked a table: {error}", LOCKED)
        remedy = error.remedy
        if error.sqlstate == "42501":
            remedy = f'As a superuser: GRANT pg_read_all_data TO "{self._role}".'
        return NotCollected(f"{question} could not be read: {error}", remedy)


def _batches(relations: list[_Relation]) -> list[list[_Relation]]:
    """Large tables alone, small ones together, the largest first."""
    batches: list[list[_Relation]] = []
    pages = 0
    for relation in sorted(relations, key=lambda each: -each.pages):
        if not batches or len(batches[-1]) == BATCH or pages + relation.pages > BATCH_PAGES:
            batches.append([])
            pages = 0
        batches[-1].append(relation)
        pages += relation.pages
    return batches


def read_contents(target: Target, seconds: float, lock_wait: float, workers: int = 0) -> Contents:
    """What a database holds now, with exact counts; raises like `Snapshot`."""
    snapshot = Snapshot(target, seconds, lock_wait, workers)
    try:
        snapshot.open()
        snapshot.start_counting()
        while snapshot.counting:
            snapshot.wait()
        return snapshot.contents()
    finally:
        snapshot.close()
