# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A maintenance run step by step: it begins, each part begins and ends, it ends."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict, replace
from typing import Any

from ..core.check import SKIPPED, Action
from ..core.errors import RunbookError
from ..core.operation import Outcome
from ..core.thresholds import Thresholds
from . import assess
from .options import BEGUN, ENDED, FINISHED, PART, PART_ENDED, Finding, Options
from .others import Others, others
from .plan import (
    budget,
    duration_key,
    is_alive,
    lease,
    obstacle,
    order_of,
    still_left_out,
    to_resume,
)
from .record import (
    DONE,
    FAILED,
    FOUND_UNKNOWN,
    NOTHING_SET,
    RUNNING,
    PartResult,
    Record,
    Run,
    Store,
)


class Lost(RunbookError):
    """The run has no claim on this host any more."""


class Maintenance:
    """One call of the module."""

    def __init__(self, options: Options, thresholds: Thresholds, check_mode: bool) -> None:
        self._options = options
        self._thresholds = thresholds
        self._check_mode = check_mode
        self._store = Store(options.state_dir, options.observed.host)
        self._now = time.time()

    def run(self) -> Outcome:
        """Do what the state asks for; raises OSError, `Locked` and `Lost`."""
        if self._options.state == ENDED:  # the action plugin answers it
            return Outcome()
        if self._check_mode:
            return self._planned()
        found = others(self._options.locks) if self._options.state == BEGUN else Others()
        with self._store.locked(self._options.controller.owner):
            self._now = time.time()
            record = self._store.load()
            if self._options.state == BEGUN:
                return self._begin(record, found)
            run = self._own(record)
            if self._options.state == PART:
                return self._begin_part(record, run)
            if self._options.state == PART_ENDED:
                return self._end_part(record, run)
            if self._options.state == FINISHED:
                return self._finish(record, run)
            return self._fail_part(record, run)

    # --- check mode -------------------------------------------------------------------------------

    def _planned(self) -> Outcome:
        """The same without a record of this run."""
        options, record = self._options, self._store.load()
        if options.state == BEGUN:
            return self._begin(record, others(options.locks))
        if options.state == PART:
            return self._decision(obstacle(options.part, self._now, record, options))
        if options.state == FINISHED:
            return Outcome([self._health()])
        return Outcome()

    # --- the run ----------------------------------------------------------------------------------

    def _begin(self, record: Record, found: Others) -> Outcome:
        options, before = self._options, record.run
        if before is not None and is_alive(before, self._now, options):
            return self._declined(before)
        resumed = to_resume(before, self._now, options)
        run = self._new_run(record, resumed)
        if before is not None and before.ended is None:
            run = replace(run, note=assess.killed(before, self._now, resumed))
        critical = list(options.observed.critical)
        if found.work:
            text = assess.working(found)
            critical.append(Finding(options.observed.host, "maintenance.others", "", text))
        observed = replace(options.observed, critical=tuple(critical))
        self._options = replace(options, observed=observed, part=next(iter(run.order), ""))
        first = self._begin_first(record, run)
        return Outcome(
            [
                assess.run_check(run, self._thresholds),
                assess.others_check(found, self._thresholds),
            ],
            self._not_planned(record, run) if self._check_mode else [],
            results={
                "run": run.id,
                "order": list(run.order),
                "resumes": run.resumes,
                "health": [list(each) for each in run.health],
                "critical": [asdict(each) for each in critical],
                "first": first,
            },
        )

    def _begin_first(self, record: Record, run: Run) -> dict[str, Any]:
        """Claim the host; if it is the only one, begin the first part at once: it saves a call."""
        part = self._options.part
        if self._check_mode or not part or not self._options.observed.alone:
            if not self._check_mode:
                self._store.save(replace(record, run=run))
            return {}
        return {"part": part, **self._begin_part(record, run).results}

    def _new_run(self, record: Record, resumed: Run | None) -> Run:
        options = self._options
        done = {
            part: replace(result, reason="by the run that was killed")
            for part, result in (resumed.results if resumed else {}).items()
            if result.status == DONE
        }
        return Run(
            id=f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(self._now))}-{secrets.token_hex(3)}",
            began=resumed.began if resumed else self._now,
            controller=options.controller,
            order=order_of(options.parts, record, resumed),
            results=done,
            health=(resumed.health if resumed else ()) or options.observed.health,
            alive=self._now,
            lease=lease("", options),
            resumes=resumed.id if resumed else "",
        )

    def _not_planned(self, record: Record, run: Run) -> list[Action]:
        """In check mode: the parts that would not begin now; each other one shows its own plan."""
        found = [(part, obstacle(part, self._now, record, self._options)) for part in run.order]
        return [
            Action("maintenance.part", SKIPPED, result.reason, part)
            for part, result in found
            if result is not None
        ]

    def _declined(self, run: Run) -> Outcome:
        same = run.controller.place == self._options.controller.place
        check = assess.declined(run, self._now, same, self._thresholds)
        holder: dict[str, Any] = {"run": run.id, **asdict(run.controller)}
        return Outcome([check], problem=check.summary, results={"holder": holder})

    def _own(self, record: Record) -> Run:
        """This run's own entry; raises `Lost` if another run has taken over."""
        run = record.run
        if run is None or run.id != self._options.observed.run or run.ended is not None:
            by = f" {run.controller.text}" if run and run.ended is None else ""
            raise Lost(
                f"This maintenance run has lost its claim on the host: another run{by} has taken "
                "over, or the record was removed. It begins nothing more here"
            )
        return run

    # --- its parts --------------------------------------------------------------------------------

    def _begin_part(self, record: Record, run: Run) -> Outcome:
        options = self._options
        record, run = self._close(record, run)
        reason = obstacle(options.part, self._now, record, options)
        read_only = options.part in options.read_only
        result = replace(reason or PartResult(RUNNING, self._now), read_only=read_only)
        run = replace(
            run.with_result(options.part, result),
            alive=self._now,
            lease=lease("" if reason else options.part, options),
        )
        self._store.save(replace(record, run=run))
        return self._decision(reason)

    def _decision(self, reason: PartResult | None) -> Outcome:
        options = self._options
        return Outcome(
            results={
                "go": reason is None,
                "seconds": budget(options.part, self._now, options),
                "reason": reason.reason if reason else "",
            }
        )

    def _end_part(self, record: Record, run: Run) -> Outcome:
        """At once, as this host's next part may begin only after those of other hosts."""
        record, run = self._close(record, run)
        run = replace(run, alive=self._now, lease=lease("", self._options))
        self._store.save(replace(record, run=run))
        return Outcome()

    def _fail_part(self, record: Record, run: Run) -> Outcome:
        part = run.running
        if part:
            reason = self._options.reason or "a step failed; the output of the run says why"
            run = run.with_result(part, self._ended(run.results[part], FAILED, reason))
            self._store.save(replace(record, run=replace(run, alive=self._now)))
        return Outcome()

    def _close(self, record: Record, run: Run) -> tuple[Record, Run]:
        """Note how the part ended that was being done."""
        part, observed = run.running, self._options.observed
        if not part:
            return record, run
        status, reason = DONE, "" if observed.ran else NOTHING_SET
        if observed.problems:
            status, reason = FAILED, "; ".join(observed.problems)
        elif observed.doubts:
            status, reason = observed.doubts[0]
            more = len(observed.doubts) - 1
            reason += f"; and {more} more" if more else ""
        result = self._ended(run.results[part], status, reason)
        if status not in (FAILED, FOUND_UNKNOWN) and result.seconds is not None:
            record = record.with_duration(duration_key(part, result.read_only), result.seconds)
        return record, run.with_result(part, result)

    def _ended(self, result: PartResult, status: str, reason: str) -> PartResult:
        seconds = round(max(0.0, self._now - result.began), 1)
        changed = self._options.observed.changed
        return replace(result, status=status, seconds=seconds, reason=reason, changed=changed)

    def _finish(self, record: Record, run: Run) -> Outcome:
        record, run = self._close(record, run)
        run = replace(run, ended=self._now)
        self._store.save(replace(record, run=run, left_out=still_left_out(record, run)))
        parts = dict.fromkeys([*run.results, *run.order])
        checks = [
            assess.part_check(each, run.results.get(each), self._thresholds) for each in parts
        ]
        checks.insert(0, assess.run_check(run, self._thresholds, self._now))
        return Outcome([*checks, self._health()], problem=assess.failures(run.results))

    def _health(self) -> Any:
        observed = self._options.observed
        return assess.health_check(
            observed.before, observed.health, self._thresholds, observed.checked
        )
