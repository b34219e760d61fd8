# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One statement that a worker carries out, and the relation it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ...core.errors import Unreachable
from ..worker import StatementFailed, Worker
from .queries import CANCEL, INDEX_OID, INVALID_INDEXES, RELATION_STATE
from .step import Step


class RelationState(NamedTuple):
    """What maintenance changes about a relation."""

    bytes: int
    dead_rows: int
    xid_age: int


class InvalidIndex(NamedTuple):
    oid: int
    quoted: str
    name: str


@dataclass
class RunningStatement:
    """A statement that a worker carries out."""

    step: Step
    worker: Worker
    started: float
    """By the monotonic clock."""
    before: RelationState
    known_invalid: frozenset[int]
    """Invalid indexes of the table from before."""
    may_retry: bool
    """Whether the step may be tried once more if it is cancelled."""
    waited: float = 0.0
    """Seconds that it has waited for other sessions."""
    waits_for: str = ""
    cancelled: str = ""
    """Why it was cancelled; empty if it was not."""
    phase: str = ""
    share: float | None = None
    """The share of the phase that is done, from 0 to 1."""

    def cancel(self, control: Worker, reason: str, retry: bool = True) -> None:
        """Cancel it, over the control connection if that works; may raise `DeadlineExceeded`."""
        self.cancelled = reason
        self.may_retry = self.may_retry and retry
        try:
            control.ask("a statement's end", CANCEL, {"pid": self.worker.pid})
        except (Unreachable, StatementFailed):  # lost, or interrupted in the middle of a question
            self.worker.cancel()


def relation_state(control: Worker, oid: int) -> RelationState | None:
    """The state of a table or index; none if it is gone."""
    rows = control.ask("a relation", RELATION_STATE, {"oid": oid})
    return RelationState(*rows[0]) if rows else None


def index_oid(control: Worker, quoted: str) -> int | None:
    """The index that has this name now; none if there is none."""
    rows = control.ask("a relation", INDEX_OID, {"quoted": quoted})
    return int(rows[0][0]) if rows else None


def invalid_indexes(control: Worker, table: int) -> list[InvalidIndex]:
    """The invalid indexes of a table."""
    rows = control.ask("invalid indexes", INVALID_INDEXES, {"table": table})
    return [InvalidIndex(*row) for row in rows]
