# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on what may keep a release from being built. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value, pluralize
from ..engines import allows
from ..record import FailedBuild, Release
from .causes import cause_of, last_lines
from .checkout import Checkout
from .collect import Answered
from .environment import Names

#: Names that a summary lists.
_LISTED = 5


def build_log(failed: FailedBuild | None, now: float, thresholds: Thresholds) -> Check:
    """release.build_log."""
    name = "release.build_log"
    if failed is None:
        return thresholds.verdict(name, OK, "no failed build is recorded")
    cause = cause_of(failed.output)
    ago = format_duration(now - failed.at)
    text = f"the build of {failed.release} failed {ago} ago at '{failed.command}'"
    text += f": {cause.text}" if cause.text else ""
    evidence = last_lines(failed.output, cause)
    return thresholds.verdict(
        name, CRITICAL, text, subject=failed.version, remedy=cause.remedy, evidence=evidence
    )


def failed_after_build(failed: Release | None, thresholds: Thresholds) -> Check:
    """release.failed."""
    name = "release.failed"
    if failed is None:
        return thresholds.verdict(name, OK, "no release has failed since the last that worked")
    text = failed.reason or f"{failed.id} is marked as bad, no reason is recorded"
    text = text if failed.id in text else f"{failed.id}: {text}"
    return thresholds.verdict(name, CRITICAL, text, subject=failed.version)


def environment(guarded: Check, names: Names) -> Check:
    """release.environment as the guards judge it, and what they do not ask: empty ones."""
    evidence = [
        {"variables": what, "names": ", ".join(found)}
        for what, found in (("empty", names.empty), ("not in the example", names.extra))
        if found
    ]
    if guarded.status != OK or not names.empty:
        return replace(guarded, evidence=(*guarded.evidence, *evidence))
    text = f"{pluralize(len(names.empty), 'variable')} without a value: {_some(names.empty)}"
    return replace(
        guarded,
        status=WARNING,
        summary=text,
        remedy="Give them values, or leave them empty in the example file if they may be.",
        evidence=tuple(evidence),
    )


def node_of_builds(wanted: str, version: str, thresholds: Thresholds) -> Check:
    """release.node_version of the Node.js that builds find, which may be another one."""
    name, subject = "release.node_version", "builds"
    if not wanted:
        reason = "package.json names no version of Node.js"
        return thresholds.not_judged(name, f"builds use {version}", reason, subject=subject)
    fits = allows(wanted, version)
    if fits is None:
        text = f"it is not understood whether Node.js {version} is one of '{wanted}'"
        return thresholds.verdict(name, WARNING, text, subject=subject)
    text = f"builds use Node.js {version}, which {'is' if fits else 'is not'} one of '{wanted}'"
    return thresholds.verdict(name, OK if fits else CRITICAL, text, subject=subject)


def lock_file(found: Sequence[str] | None, release: Release, thresholds: Thresholds) -> Check:
    """release.lockfile."""
    name, subject = "release.lockfile", release.version
    if found is None:
        reason = "it is not one of npm 7 or newer"
        return thresholds.not_judged(name, "the lock file was not read", reason, subject=subject)
    if found:
        text = f"package-lock.json is out of step: {'; '.join(found[:_LISTED])}"
        evidence = tuple({"difference": each} for each in found)
        return thresholds.verdict(name, CRITICAL, text, subject=subject, evidence=evidence)
    text = "package-lock.json is in step with package.json"
    return thresholds.verdict(name, OK, text, subject=subject)


def inodes(percent: float | None, folder: str, thresholds: Thresholds) -> Check:
    """release.inodes_free."""
    name = "release.inodes_free"
    if percent is None:
        reason = "the file system makes inodes as they are needed"
        return thresholds.not_judged(name, "inodes not counted", reason, subject=folder)
    text = f"{format_value(percent, 'percent')} of the inodes are free"
    return thresholds.evaluate(name, percent, text, subject=folder)


def registry(answered: Answered, thresholds: Thresholds) -> Check:
    """release.registry."""
    name = "release.registry"
    if not answered.asked:
        reason = "no build command installs packages"
        return thresholds.not_judged(name, "the registry was not asked", reason)
    if not answered.problem:
        return thresholds.verdict(name, OK, f"the registry answers for {answered.asked}")
    cause = cause_of(answered.output)
    text = cause.text or f"the registry could not be asked: {answered.problem}"
    return thresholds.verdict(
        name,
        CRITICAL if cause.text else UNKNOWN,
        f"{text}, asked for {answered.asked}",
        remedy=cause.remedy if cause.text else "",
        evidence=last_lines(answered.output, cause, 5),
    )


def repository(
    shown: str, commit: str, problem: str, version: str, thresholds: Thresholds
) -> Check:
    """release.repository."""
    name = "release.repository"
    if not shown:
        reason = "no repository is known (app_release_repository)"
        return thresholds.not_judged(name, "git was not asked", reason)
    if problem:
        return thresholds.verdict(name, CRITICAL, f"no answer: {problem}", subject=shown)
    if version and not commit:
        text, remedy = f"it has no version {version}", "Push the tag, or correct its name."
        return thresholds.verdict(name, CRITICAL, text, subject=shown, remedy=remedy)
    text = f"it has {version} as commit {commit[:12]}" if version else "it answers"
    return thresholds.verdict(name, OK, text, subject=shown)


def checkout(found: Checkout | None, folder: str, thresholds: Thresholds) -> Check:
    """release.checkout."""
    name = "release.checkout"
    if found is None:
        reason = "each release is a folder of its own, built from git"
        return thresholds.not_judged(name, "the app runs in no checkout", reason, subject=folder)
    evidence = tuple({"changed": path} for path in (*found.conflicts, *found.changed))
    more: Mapping[str, object] = {"subject": folder, "evidence": evidence}
    where = f"on {found.branch}" if found.branch else "on a detached head"
    if found.conflicts:
        text = f"{pluralize(len(found.conflicts), 'file')} with a conflict that is not resolved"
        remedy = "Resolve it, or 'git merge --abort' or 'git rebase --abort' there."
        return thresholds.verdict(name, CRITICAL, text, remedy=remedy, **more)
    problems = []
    if found.changed:
        problems.append(f"{pluralize(len(found.changed), 'file')} changed by hand")
    if found.behind:
        problems.append(f"{pluralize(found.behind, 'commit')} behind")
    elif found.newest and found.newest != found.commit and not found.ahead:
        problems.append(f"behind: the repository has commit {found.newest[:12]}")
    if found.ahead:
        problems.append(f"{pluralize(found.ahead, 'commit')} that the repository does not have")
    text = f"commit {found.commit[:12]}, {where}"
    if problems:
        return thresholds.verdict(name, WARNING, f"{text}: {', '.join(problems)}", **more)
    return thresholds.verdict(name, OK, f"{text}, without changes", subject=folder)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
