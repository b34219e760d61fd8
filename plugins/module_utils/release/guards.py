# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards: what must be true before anything is built or switched. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ..core.definition import Threshold
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from .collect import Snapshot
from .engines import allows
from .options import DEPLOYED, Options
from .record import BAD, GOOD
from .schema import known, some, unknown_to
from .source import engines, variables
from .target import Target

_NO_FILES = "its files are not on this host yet; they are checked before it is built"


@dataclass(frozen=True)
class Facts:
    """What the guards judge by."""

    snapshot: Snapshot
    target: Target
    free_bytes: int
    migrations: tuple[str, ...] | None
    """Those that the database has; none if that could not be found out."""
    migrations_problem: str = ""
    variables: frozenset[str] = frozenset()
    """Names of the variables that the app has."""


def guard(facts: Facts, options: Options, thresholds: Thresholds) -> list[Check]:
    """One check for each guard; all of them are made, so that all problems are known at once."""
    checks = [_target(facts, options, thresholds)]
    if facts.snapshot.live.node_version:
        checks.append(_node(facts, thresholds))
    if not facts.target.exists:
        checks.append(_disk(facts, options, thresholds))
    checks += [_environment(facts, options, thresholds), _schema(facts, options, thresholds)]
    return checks


def obstacles(checks: Sequence[Check]) -> list[Check]:
    """The checks that forbid the switch."""
    return [check for check in checks if check.status in (CRITICAL, UNKNOWN)]


def _target(facts: Facts, options: Options, thresholds: Thresholds) -> Check:
    release = facts.target.release
    status, summary = OK, f"{release.id} is built, and was good when it was live"
    if not facts.target.exists:
        summary = f"{release.id} will be made from {facts.target.origin}"
    elif release.status == BAD:
        status = OK if options.state == DEPLOYED else CRITICAL
        summary = f"{release.id} is marked as bad: {release.reason or 'no reason recorded'}"
        summary += "; it gets another trial, as it was named" if status == OK else ""
    elif release.status != GOOD:
        summary = f"{release.id} is there, but never was live under this module's eyes"
    if facts.target.exists and release.status != GOOD and not options.try_first:
        status, summary = CRITICAL, f"{summary}, and it is not to be tried first"
    return thresholds.verdict("release.target", status, summary, subject=release.version)


def _node(facts: Facts, thresholds: Thresholds) -> Check:
    name, subject = "release.node_version", facts.target.release.version
    source, running = facts.target.source, facts.snapshot.live.node_version
    if source is None:
        return _not_judged(facts, thresholds, name, _NO_FILES)
    wanted = engines(source)
    if not wanted:
        reason = "its package.json names no version of Node.js"
        return _not_judged(facts, thresholds, name, reason)
    fits = allows(wanted, running)
    if fits is None:
        summary = f"it is not understood whether Node.js {running} is one of '{wanted}'"
        return thresholds.verdict(name, WARNING, summary, subject=subject)
    summary = f"Node.js {running} {'is' if fits else 'is not'} one of '{wanted}'"
    return thresholds.verdict(name, OK if fits else CRITICAL, summary, subject=subject)


def _disk(facts: Facts, options: Options, thresholds: Thresholds) -> Check:
    return thresholds.evaluate(
        "release.disk_free",
        float(facts.free_bytes),
        f"{format_value(facts.free_bytes, 'bytes')} free for the build",
        threshold=Threshold(critical=options.free_disk * (1 << 30), below=True),
    )


def _environment(facts: Facts, options: Options, thresholds: Thresholds) -> Check:
    name, subject = "release.environment", facts.target.release.version
    source = facts.target.source
    if source is None:
        return _not_judged(facts, thresholds, name, _NO_FILES)
    needed = variables(source, [options.env_example] if options.env_example else [])
    if not needed:
        reason = f"it has no {options.env_example} that names its variables"
        return _not_judged(facts, thresholds, name, reason)
    missing = [each for each in needed if each not in facts.variables]
    if missing:
        summary = f"{pluralize(len(missing), 'variable')} missing: {some(missing)}"
        return thresholds.verdict(name, CRITICAL, summary, subject=subject)
    summary = f"{pluralize(len(needed), 'variable')} of {options.env_example} set"
    return thresholds.verdict(name, OK, summary, subject=subject)


def _schema(facts: Facts, options: Options, thresholds: Thresholds) -> Check:
    name, subject = "release.schema", facts.target.release.version
    source = facts.target.source
    if source is None:
        return _not_judged(facts, thresholds, name, _NO_FILES)
    if facts.migrations is None:
        problem = f"the migrations of the database are not known: {facts.migrations_problem}"
        status = WARNING if options.schema_compatible else UNKNOWN
        return thresholds.verdict(name, status, problem, subject=subject)
    own = known(source, options.migrations_folder)
    if not own and not facts.migrations:
        return _not_judged(facts, thresholds, name, "neither it nor the app has migrations")
    unknown = unknown_to(own, facts.migrations, options.compatible_migrations)
    if unknown:
        many = pluralize(len(unknown), "migration")
        summary = f"the database has {many} that it does not know: {some(unknown)}"
        status = WARNING if options.schema_compatible else CRITICAL
        return thresholds.verdict(name, status, summary, subject=subject)
    missing = sorted(set(own) - set(facts.migrations)) if options.migrations_command else []
    if missing:
        summary = f"the database lacks {pluralize(len(missing), 'migration')}: {some(missing)}"
        if options.migrate and options.state == DEPLOYED:
            summary += f"; '{options.migrate}' applies what it lacks before the trial"
            return thresholds.verdict(name, OK, summary, subject=subject)
        return thresholds.verdict(
            name,
            CRITICAL,
            summary,
            subject=subject,
            remedy="Apply them, or set migrate, then run this again.",
        )
    compatible = len(set(facts.migrations) - set(own))
    summary = f"it knows {pluralize(len(own), 'migration')}"
    if compatible:
        summary += f", and works with {pluralize(compatible, 'newer one')} by compatible_migrations"
    return thresholds.verdict(name, OK, summary, subject=subject)


def _not_judged(facts: Facts, thresholds: Thresholds, name: str, reason: str) -> Check:
    release = facts.target.release
    return thresholds.not_judged(name, release.id, reason, subject=release.version)
