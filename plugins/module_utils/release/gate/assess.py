# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a deployment may go on, by the answers and by what is known of the releases. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ...core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
from ..choose import previous_good
from ..collect import Snapshot
from ..options import Options as ReleaseOptions
from ..record import BAD, GOOD, Release
from ..schema import known, unknown_to
from ..target import Target
from .options import Options
from .questions import AFTER, BEFORE, NO
from .record import Record

#: Migrations that a summary lists.
_LISTED = 3
#: Seconds within which an answer was given just now.
_JUST_NOW = 60.0


@dataclass(frozen=True)
class Facts:
    """What the gate judges by."""

    snapshot: Snapshot
    target: Target | None
    """The release to deploy; none if no version was named."""
    record: Record
    now: float
    """Unix time."""
    held_by: str = ""
    """Who deploys right now; empty if no one does."""
    pending: str = ""
    """What a killed run has begun; empty if there is nothing."""
    failed_commands: Mapping[str, str] = field(default_factory=dict)
    """Why a command did not answer its question with yes, by question."""


def assess(facts: Facts, options: Options, thresholds: Thresholds) -> list[Check]:
    """The checks of one moment; the verdict comes first."""
    answers = [_answer(name, text, facts, options, thresholds) for name, text in _asked(options)]
    if options.moment == AFTER:
        return answers
    if facts.target is None:
        names = ", ".join(options.questions)
        reason = f"no version is named; the questions will be {names}"
        return [
            thresholds.not_judged("release.gate", "no verdict", reason),
            _idle(facts, thresholds),
        ]
    checks = [
        *answers,
        _hours(facts, options, thresholds),
        _idle(facts, thresholds),
        way_back(facts.snapshot, facts.target, options.release, thresholds),
    ]
    return [_verdict(checks, facts.target.release, facts, options, thresholds), *checks]


def is_go(checks: Sequence[Check]) -> bool:
    """Whether the verdict of these checks is to go on."""
    return any(
        check.name == "release.gate" and check.status == OK and not check.not_judged
        for check in checks
    )


def _asked(options: Options) -> list[tuple[str, str]]:
    return list(options.asked.items())


def _verdict(
    checks: Sequence[Check],
    release: Release,
    facts: Facts,
    options: Options,
    thresholds: Thresholds,
) -> Check:
    against = [check for check in checks if check.status in (CRITICAL, UNKNOWN)]
    subject = release.version
    if against:
        open_ones = [check.subject for check in against if check.status == UNKNOWN]
        reasons = [check.summary for check in against if check.status == CRITICAL]
        if open_ones:
            reasons.append(f"not answered: {', '.join(open_ones)}")
        text = f"no go: {'; '.join(reasons)}"
        remedy = "" if open_ones else against[0].remedy
        return thresholds.verdict("release.gate", CRITICAL, text, subject=subject, remedy=remedy)
    times = [facts.record.answers[name].at for name, _text in _asked(options)]
    left = min(times, default=facts.now) + options.valid_for * 3600 - facts.now
    text = f"go: {pluralize(len(times), 'answer')} for {release.id}"
    text += f", valid for another {format_duration(left)}"
    return thresholds.verdict("release.gate", OK, text, subject=subject)


def _answer(
    name: str, question: str, facts: Facts, options: Options, thresholds: Thresholds
) -> Check:
    check = "release.answer"
    failed = facts.failed_commands.get(name)
    if failed:
        remedy = "Fix what the command reports, then run this again."
        text = f"{question}: {failed}"
        return thresholds.verdict(check, CRITICAL, text, subject=name, remedy=remedy)
    answer = facts.record.answers.get(name)
    if answer is None:
        text = f"{question}: not answered yet"
        return thresholds.verdict(check, UNKNOWN, text, subject=name, remedy=_how(name))
    age = max(0.0, facts.now - answer.at)
    ago = f"{format_duration(age)} ago" if age >= _JUST_NOW else "just now"
    who = f"{answer.by or 'unnamed'}, {ago}"
    when = datetime.fromtimestamp(answer.at).astimezone().isoformat(timespec="seconds")
    evidence = ({"answer": answer.text, "by": answer.by, "at": when},)
    status, text, remedy = OK, f"{question}: {answer.text} ({who})", ""
    if answer.text == NO:
        status = CRITICAL
    elif options.moment == BEFORE and age > options.valid_for * 3600:
        limit = format_duration(options.valid_for * 3600)
        status, text = UNKNOWN, f"{question}: the answer has expired ({who}; valid for {limit})"
        remedy = _how(name)
    return thresholds.verdict(check, status, text, subject=name, remedy=remedy, evidence=evidence)


def _how(name: str) -> str:
    return f'Answer it once it is so: -e \'{{"answers": {{"{name}": "TEXT"}}}}\'.'


def _hours(facts: Facts, options: Options, thresholds: Thresholds) -> Check:
    name = "release.hours"
    local = datetime.fromtimestamp(facts.now).astimezone()
    shown = f"{local:%H:%M} {local.tzname()}"
    if not options.hours:
        reason = "the inventory names no hours of low traffic"
        return thresholds.not_judged(name, f"it is {shown} on the host", reason)
    spans = ", ".join(hours.text for hours in options.hours)
    if any(hours.has(local.time()) for hours in options.hours):
        return thresholds.verdict(name, OK, f"it is {shown} on the host, within {spans}")
    return thresholds.verdict(name, CRITICAL, f"it is {shown} on the host, not within {spans}")


def _idle(facts: Facts, thresholds: Thresholds) -> Check:
    name, subject = "release.idle", facts.snapshot.layout.store.root
    if facts.held_by:
        text = f"{facts.held_by} is working on the releases"
        return thresholds.verdict(name, CRITICAL, text, subject=subject)
    if facts.pending:
        return thresholds.verdict(name, CRITICAL, facts.pending, subject=subject)
    return thresholds.verdict(name, OK, "no other run is working on the releases", subject=subject)


def way_back(
    snapshot: Snapshot, target: Target, options: ReleaseOptions, thresholds: Thresholds
) -> Check:
    """release.way_back: where a rollback of this deployment would lead."""
    name, subject = "release.way_back", target.release.version
    back = snapshot.current
    text = f"a rollback returns to {back.id}"
    if back.status == BAD:
        try:
            back = previous_good(snapshot.releases, snapshot.history, back.id)
        except NotCollected as error:
            text = f"{snapshot.current.id} is marked as bad, and {error}"
            return thresholds.verdict(name, CRITICAL, text, subject=subject, remedy=error.remedy)
        text = f"{snapshot.current.id} is marked as bad, so a rollback goes further back to "
        return thresholds.verdict(name, WARNING, text + back.id, subject=subject)
    # The migrations of an image that is not recorded yet are not known.
    if target.source is not None and (back.migrations or not back.image):
        own = known(target.source, options.migrations_folder)
        strange = unknown_to(back.migrations, own, options.compatible_migrations)
        if strange:
            more = f" and {len(strange) - _LISTED} more" if len(strange) > _LISTED else ""
            text = f"once the database has {', '.join(strange[:_LISTED])}{more}, a rollback to "
            text += f"{back.id} is refused, as it does not know them"
            return thresholds.verdict(name, WARNING, text, subject=subject)
    known_good = "known to be good" if back.status == GOOD else "judged before the switch"
    return thresholds.verdict(name, OK, f"{text}, {known_good}", subject=subject)
