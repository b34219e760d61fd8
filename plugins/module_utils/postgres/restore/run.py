# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all states share: time, progress, the steps that were done, and what is cleaned up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ...core.check import DONE, FAILED, Action
from ...core.deadline import DeadlineExceeded
from ...core.errors import RunbookError
from ...core.progress import ProgressCallback, progress, running_item
from ...core.units import format_duration
from .options import Options

#: Seconds between two questions how far the work has come.
_ASK = 2.0


class StepFailed(RunbookError):
    """A step failed, and the steps after it were not done."""


@dataclass
class Run:
    """One run of the module."""

    options: Options
    report: ProgressCallback
    actions: list[Action] = field(default_factory=list)
    total: int = 1
    """Steps that there are."""
    started: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds of the time limit that are left; raises `StepFailed` if none are."""
        left = self.options.time_limit - (time.monotonic() - self.started)
        if left <= 0:
            budget = format_duration(self.options.time_limit)
            raise StepFailed(f"the time limit of {budget} is used up", "Raise time_limit, or jobs.")
        return left

    @contextmanager
    def step(self, name: str, subject: str, reason: str) -> Iterator[dict[str, Any]]:
        """Record a step as done, or as failed with the reason; fill in further fields."""
        started = time.monotonic()
        fields: dict[str, Any] = {}
        self._show(name, subject, 0.0, None)
        try:
            yield fields
        except DeadlineExceeded:
            text = "PostgreSQL did not answer in time"
            self._failed(name, subject, text, started, fields)
            raise StepFailed(text, "Raise timeout, or check the server.") from None
        except RunbookError as error:
            self._failed(name, subject, str(error), started, fields)
            raise
        fields.setdefault("reason", reason)
        seconds = round(time.monotonic() - started, 3)
        self.actions.append(Action(name, DONE, subject=subject, seconds=seconds, **fields))

    def watch(
        self, name: str, subject: str, share: Callable[[], float | None] = lambda: None
    ) -> Callable[[], None]:
        """For a long step: reports progress, and ends it when the time limit is used up."""
        started, asked = time.monotonic(), 0.0

        def look() -> None:
            nonlocal asked
            _ = self.left
            now = time.monotonic()
            if now - asked < _ASK:
                return
            asked = now
            found: float | None = None
            with suppress(RunbookError, DeadlineExceeded):
                found = share()
            self._show(name, subject, now - started, found)

        return look

    def _show(self, name: str, subject: str, seconds: float, share: float | None) -> None:
        what = f"{name.partition('.')[2]} {subject}"
        done = sum(action.status == DONE for action in self.actions)
        total = max(self.total, done + 1)
        self.report(progress(done, total, [running_item(what, seconds, share=share)]))

    def _failed(
        self, name: str, subject: str, reason: str, started: float, fields: dict[str, Any]
    ) -> None:
        seconds = round(time.monotonic() - started, 3)
        fields.pop("reason", None)
        self.actions.append(
            Action(name, FAILED, reason, subject=subject, seconds=seconds, **fields)
        )
