# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of a maintenance run, from its record. Pure."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..core.check import CRITICAL, OK, STATUSES, UNKNOWN, WARNING, Check
from ..core.text import shorten
from ..core.thresholds import Thresholds
from ..core.units import format_duration, pluralize
from .options import CERTIFICATES, DATABASE, DEPENDENCIES, LOGS, Health
from .others import Others
from .record import (
    DONE,
    FAILED,
    FOUND_CRITICAL,
    FOUND_UNKNOWN,
    LEFT_OUT,
    NOTHING_SET,
    STOPPED,
    PartResult,
    Run,
)

#: What it means if a part was not done, and how it is done alone.
MEANING = {
    DEPENDENCIES: (
        "The packages are as old as before. Read the npm checks and actions, then run "
        "playbooks/update_dependencies.yml."
    ),
    DATABASE: (
        "Dead rows and bloat stay until the next run; no data is at risk unless "
        "postgres.wraparound says so. Read the actions of PostgreSQL, then run "
        "playbooks/database_maintenance.yml."
    ),
    LOGS: (
        "Logs that were not rotated keep growing, and rotated ones that were not archived stay on "
        "the disk; watch host.disk_used. Read the checks and actions of the rotation, then run "
        "playbooks/log_rotation.yml."
    ),
    CERTIFICATES: (
        "The old certificates stay in service until they expire: certificate.expiry says when. "
        "Read the actions, then run playbooks/renew_certificates.yml."
    ),
}
#: How a part ended, and what that is as a check.
_STATUSES = {
    DONE: OK,
    FOUND_UNKNOWN: UNKNOWN,
    LEFT_OUT: WARNING,
    FOUND_CRITICAL: CRITICAL,
    STOPPED: CRITICAL,
    FAILED: CRITICAL,
}
_WIDER = "Run the maintenance within its window, or widen maintenance_window."
#: How the checks are called that something answers at all.
_REACHABLE = ".reachable"
_REASON_LENGTH = 300


def clock(moment: float) -> str:
    """A time on the host: ``Sat 01:00``."""
    return f"{datetime.fromtimestamp(moment):%a %H:%M}"


def declined(run: Run, now: float, same_place: bool, thresholds: Thresholds) -> Check:
    """Another run is working on the host."""
    part = f", now at '{run.running}'" if run.running else ""
    summary = (
        f"Another maintenance run {run.controller.text} has been running "
        f"for {format_duration(now - run.began)}{part}"
    )
    remedy = "Wait until it has ended."
    if not same_place:
        remedy += (
            f" From here its process cannot be seen, so it counts as alive until "
            f"{clock(run.alive + run.lease)}. If you know that it is dead: "
            f"-e maintenance_take_over={run.id}"
        )
    return thresholds.verdict("maintenance.run", CRITICAL, summary, remedy=remedy)


def killed(run: Run, now: float, resumed: Run | None) -> str:
    """How the last run was killed, and what is done about it."""
    where = f"during '{run.running}'" if run.running else "between two parts"
    text = f"the run {run.controller.text} that began {clock(run.began)} was killed {where}"
    if resumed is None:
        ago = format_duration(now - run.began)
        return f"{text}, {ago} ago, which is too long to go on with: all parts are done anew"
    done = [part for part, result in resumed.results.items() if result.status == DONE]
    tail = f", and does not repeat: {', '.join(done)}" if done else ""
    return f"{text}; this run goes on with it{tail}"


def run_check(run: Run, thresholds: Thresholds, now: float | None = None) -> Check:
    """maintenance.run, at the beginning or, with the time, at the end."""
    if now is not None and _nothing_begun(run):
        text = (
            f"The run {run.controller.text} {_tally(run, now)}. Every part that would change "
            "something was left out, for lack of time"
        )
        text += f"; {run.note}" if run.note else ""
        return thresholds.verdict("maintenance.run", CRITICAL, text, remedy=_WIDER)
    if run.note:
        remedy = "Find out what ended it: the output of that run, and the log of its controller."
        text = run.note[:1].upper() + run.note[1:]
        return thresholds.verdict("maintenance.run", WARNING, text, remedy=remedy)
    if not run.order and not run.results:
        text = "None of the chosen parts is one of this host"
        return thresholds.not_judged("maintenance.run", text, "its groups decide which it has")
    parts = pluralize(len(run.order), "part")
    when = f"begins with {parts}" if now is None else _tally(run, now)
    return thresholds.verdict("maintenance.run", OK, f"The run {run.controller.text} {when}")


def _nothing_begun(run: Run) -> bool:
    """Whether all parts that would change something were left out."""
    parts = [
        each.status
        for each in run.results.values()
        if not each.read_only and each.reason != NOTHING_SET
    ]
    return bool(parts) and set(parts) == {LEFT_OUT}


def _tally(run: Run, now: float) -> str:
    statuses = [result.status for result in run.results.values()]
    counts = [f"{statuses.count(each)} {each}" for each in _STATUSES if each in statuses]
    return f"took {format_duration(now - run.began)}: {', '.join(counts) or 'no part'}"


def others_check(others: Others, thresholds: Thresholds) -> Check:
    """maintenance.others: work that is going on stops the run, people do not."""
    name, evidence = "maintenance.others", (*others.work, *others.people)
    if others.work:
        return thresholds.verdict(name, CRITICAL, working(others), evidence=evidence)
    if others.people:
        users = sorted({row["user"] for row in others.people})
        text = f"{pluralize(len(users), 'other user')} logged in: {', '.join(users)}"
        return thresholds.verdict(name, WARNING, text, evidence=evidence)
    if others.unseen:
        path = others.unseen[0]
        text = f"Another operation may be running: this user lacks permission to see {path}"
        remedy = f"Let it enter that folder: 'setfacl -m u:USER:x {os.path.dirname(path)}'."
        return thresholds.verdict(name, UNKNOWN, text, remedy=remedy)
    return thresholds.verdict(name, OK, "No one else is working on the host")


def working(others: Others) -> str:
    """Who holds locks, as text."""
    return "; ".join(f"{row['lock']} is held by {row['held by']}" for row in others.work)


def part_check(part: str, result: PartResult | None, thresholds: Thresholds) -> Check:
    """maintenance.part: how a part ended, and what it means if it was not done."""
    if result is None:
        result = PartResult(FAILED, reason="it was not begun; the output of the run says why")
    if result.status == DONE and result.reason == NOTHING_SET:
        return thresholds.not_judged(
            "maintenance.part", "Nothing to do", result.reason, subject=part
        )
    took = "" if result.seconds is None else f" in {format_duration(result.seconds)}"
    reason = shorten(result.reason, _REASON_LENGTH)
    summary = {
        DONE: f"{'Done' if result.changed else 'Nothing had to be changed'}{took}",
        FOUND_CRITICAL: f"{_did(result)}{took}, but critical: {reason}",
        FOUND_UNKNOWN: f"Not done in full{took.replace(' in ', ' after ')}: {reason}",
        LEFT_OUT: f"Left out; due at the next run: {reason}",
        STOPPED: f"Not begun: {reason}",
    }.get(result.status, f"Failed{took}: {reason}")
    if result.status == FOUND_UNKNOWN and result.changed:
        summary = f"{_did(result)}{took}, but unknown: {reason}"
    if result.status == DONE and reason:
        summary += f", {reason}"
    status = _STATUSES.get(result.status, CRITICAL)
    return thresholds.verdict(
        "maintenance.part", status, summary, subject=part, remedy=_remedy(part, result)
    )


def _did(result: PartResult) -> str:
    if result.read_only:
        return "Reported"
    return "Done" if result.changed else "Nothing was changed"


def _remedy(part: str, result: PartResult) -> str:
    if result.status == LEFT_OUT:
        return _WIDER
    if result.status == STOPPED:
        again = "Fix what is critical, then run the maintenance again."
        down = [name for name in result.checks if name.partition(" ")[0].endswith(_REACHABLE)]
        if down:
            return (
                f"First see to what does not answer ({', '.join(down)}): other checks may be "
                "critical for that alone. Then run the maintenance again."
            )
        if not result.checks:
            return again
        given = json.dumps({"maintenance_despite": list(result.checks)})
        return f"{again} If it does not matter for the maintenance: -e '{given}'"
    if result.status in (FOUND_CRITICAL, FOUND_UNKNOWN) and result.changed:
        return ""  # the part was done, so only its own checks say what is left
    return MEANING[part]


def health_check(
    before: Sequence[Health], after: Sequence[Health], thresholds: Thresholds, checked: bool = True
) -> Check:
    """maintenance.health: what is worse after the maintenance than before it."""
    name = "maintenance.health"
    if before and not checked:
        text = f"Nothing was changed, so that before holds: {_counts(s for _n, _s, s in before)}"
        return thresholds.verdict(name, OK, text, value=0)
    if not before or not after:
        when = "before" if not before else "after"
        return thresholds.not_judged(
            name, "The health was not compared", f"no check was made {when} the maintenance"
        )
    worse = [*_worse(before, after), *_missing(before, after)]
    if not worse:
        text = f"No worse than before: {_counts(status for _n, _s, status in after)}"
        return thresholds.verdict(name, OK, text, value=0)
    worst = CRITICAL if any(row["after"] == CRITICAL for row in worse) else WARNING
    if all(row["after"] in (UNKNOWN, "not checked") for row in worse):
        worst = UNKNOWN
    names = ", ".join(dict.fromkeys(row["check"] for row in worse))
    text = f"{pluralize(len(worse), 'check')} worse than before the maintenance: {names}"
    return thresholds.verdict(name, worst, text, value=len(worse), evidence=worse)


def _worse(before: Iterable[Health], after: Iterable[Health]) -> list[dict[str, Any]]:
    known = {(name, subject): status for name, subject, status in before}
    rows = []
    for name, subject, status in after:
        was = known.get((name, subject), OK)
        if STATUSES.index(status) > STATUSES.index(was):
            rows.append({"check": name, "subject": subject, "before": was, "after": status})
    return sorted(rows, key=lambda row: -STATUSES.index(row["after"]))


def _missing(before: Iterable[Health], after: Iterable[Health]) -> list[dict[str, Any]]:
    """Services of which nothing at all was checked afterwards."""
    checked = {_service(name) for name, _subject, _status in after}
    gone = dict.fromkeys(
        _service(name) for name, _subject, _status in before if _service(name) not in checked
    )
    return [{"check": each, "before": "checked", "after": "not checked"} for each in gone]


def _service(name: str) -> str:
    return name.partition(".")[0]


def _counts(statuses: Iterable[str]) -> str:
    found = list(statuses)
    return ", ".join(f"{found.count(each)} {each}" for each in STATUSES if each in found)


def failures(results: Mapping[str, PartResult]) -> str:
    """Why the task fails: the parts that failed; empty if none did."""
    failed = [
        f"{part} failed: {shorten(result.reason, _REASON_LENGTH)}"
        for part, result in results.items()
        if result.status == FAILED
    ]
    return "; ".join(failed)
