# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on an app's packages. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from ..core.check import OK, UNKNOWN, WARNING, Check
from ..core.errors import NotCollected
from ..core.thresholds import Thresholds
from ..core.units import format_duration, pluralize
from .audit import assess_audit
from .node import assess_node
from .options import Options
from .snapshot import Package, Snapshot

_LISTED = 3


def assess(
    snapshot: Snapshot, options: Options, thresholds: Thresholds, today: date
) -> Iterator[Check]:
    yield from assess_audit(snapshot, options, thresholds, today)
    yield _outdated(snapshot, options, thresholds)
    yield _installed(snapshot, options, thresholds)
    yield assess_node(snapshot, options, thresholds, today)


def no_app(problem: NotCollected, options: Options, thresholds: Thresholds) -> Check:
    """The verdict if there is no app to check."""
    return thresholds.verdict(
        "npm.installed", UNKNOWN, str(problem), subject=options.path, remedy=problem.remedy
    )


def no_answer(seconds: float, options: Options, thresholds: Thresholds) -> Check:
    """The verdict if npm was not done in time."""
    summary = f"npm was not done within {format_duration(seconds)}"
    remedy = "Check that the registry answers: 'npm ping'. Raise timeout for a large app."
    return thresholds.verdict("npm.outdated", UNKNOWN, summary, subject=options.path, remedy=remedy)


def _outdated(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    name, found = "npm.outdated", snapshot.outdated
    if isinstance(found, NotCollected):
        return thresholds.verdict(
            name, UNKNOWN, str(found), subject=options.path, remedy=found.remedy
        )
    if snapshot.unknown_packages:
        return thresholds.verdict(
            name,
            UNKNOWN,
            "The registry does not tell the versions of " + _statuses(snapshot.unknown_packages),
            subject=options.path,
            remedy="Check the names in package.json, and the access to a private registry in "
            ".npmrc; npm leaves such packages out without a word.",
        )
    rows = tuple(
        map(_row, sorted(found, key=lambda one: _JUMPS.index(jump(one.current, one.latest))))
    )
    unlocked = [one.name for one in found if not one.current]
    if unlocked:
        return thresholds.verdict(
            name,
            UNKNOWN,
            f"{_some(unlocked)}: not installed, and no lockfile says which version",
            subject=options.path,
            remedy="Set the path to the folder where the app is installed, or keep its "
            "package-lock.json beside package.json.",
            evidence=rows,
        )
    within = {one.name for one in found if one.current != one.wanted}
    return thresholds.evaluate(
        name,
        float(len(within)),
        _compared(snapshot, found, len(within)),
        subject=options.path,
        evidence=rows,
    )


def _compared(snapshot: Snapshot, found: Sequence[Package], within: int) -> str:
    beyond = {one.name for one in found if one.wanted != one.latest}
    summary = f"{within} of {pluralize(snapshot.direct, 'package')} can be updated "
    summary += "within the ranges of package.json"
    if beyond:
        summary += f", {len(beyond)} beyond them"
    locked = [one.name for one in found if not one.installed]
    if locked:
        summary += f"; not installed, so by the lockfile: {_some(locked)}"
    if snapshot.not_compared:
        summary += f"; not compared: {_some(snapshot.not_compared)}"
    return summary


_JUMPS = ("major", "minor", "patch", "other")


def jump(current: str, latest: str) -> str:
    """The kind of update from one version to another: one of `_JUMPS`."""
    before, after = (version.partition("-")[0].split(".") for version in (current, latest))
    for kind, old, new in zip(_JUMPS, before, after):
        if old != new:
            return kind
    return "other"


def _row(one: Package) -> Mapping[str, Any]:
    return {
        "package": one.name,
        "current": _current(one),
        "wanted": one.wanted,
        "latest": one.latest,
        "update": jump(one.current, one.latest) if one.current else "other",
        "used": "development" if one.development else "production",
    }


def _current(one: Package) -> str:
    if not one.current:
        return "not installed"
    return one.current if one.installed else f"{one.current} by the lockfile, not installed"


def _statuses(packages: Mapping[str, int]) -> str:
    return _some([f"{name} (HTTP {status})" for name, status in sorted(packages.items())])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _installed(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    name, problems = "npm.installed", snapshot.problems
    if isinstance(problems, NotCollected):
        return thresholds.verdict(
            name, UNKNOWN, str(problems), subject=options.path, remedy=problems.remedy
        )
    if not snapshot.installed:
        return thresholds.verdict(
            name, WARNING, "No packages are installed in node_modules", subject=options.path
        )
    if problems:
        summary = f"npm finds {pluralize(len(problems), 'problem')}: {_some(problems)}"
        rows = tuple({"problem": problem} for problem in problems)
        return thresholds.verdict(name, WARNING, summary, subject=options.path, evidence=rows)
    summary = "The installed packages are those of package.json"
    if snapshot.development_omitted:
        summary += ", without those for development"
    return thresholds.verdict(name, OK, summary, subject=options.path)
