# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects what may keep a release from being built, and changes nothing."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...core.deadline import Deadline
from ...core.errors import NotCollected
from ..collect import Snapshot, git_for
from ..commands import CommandFailed, inherited, run
from ..git import Git
from ..options import DEPLOYED
from ..options import Options as ReleaseOptions
from ..record import Release
from ..source import Commit, Folder, Source, package
from ..target import Target, choose_target
from .checkout import COMMAND, Checkout, parse
from .failed import failed_release

#: Build commands that ask a registry.
_ASKS_REGISTRY = re.compile(r"\b(npm\s+(ci|install|i|update)|yarn|pnpm\s+i|npx)\b")
#: Seconds for an answer of the git repository.
_FAR = 10.0


@dataclass(frozen=True)
class Answered:
    """What a program that asks another host came back with."""

    asked: str
    """What it was asked for; empty if there was nothing to ask."""
    problem: str = ""
    """Why there is no answer; empty if there is one."""
    output: str = ""
    """What it wrote if it failed."""


def release_to_check(options: ReleaseOptions, snapshot: Snapshot) -> Target:
    """The named version; else the last that failed to build, or failed later; else the live one.

    Raises `NotCollected`.
    """
    if options.version:
        return choose_target(replace(options, state=DEPLOYED), snapshot, fetch=False)
    failed = snapshot.layout.store.failed_build()
    git = git_for(options, snapshot)
    if failed and git and git.resolve(failed.commit):
        release = Release(failed.release, failed.version, "", commit=failed.commit)
        return Target(release, False, Commit(git, failed.commit), git)
    bad = failed_release(snapshot.releases.values(), snapshot.history)
    if bad:
        return Target(bad, True, Folder(bad.path))
    folder = Folder(snapshot.layout.current)
    return Target(snapshot.current, True, folder)


def free_inodes(folder: str) -> float | None:
    """Percent of the inodes that are free; none if the file system does not count them."""
    while not os.path.exists(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    found = os.statvfs(folder)
    return round(100 * found.f_favail / found.f_files, 1) if found.f_files else None


def node_of_builds(snapshot: Snapshot, deadline: Deadline) -> str:
    """The version of the Node.js that a build finds; raises `NotCollected`."""
    environment = inherited(snapshot.live.environment)
    said = run(["node", "--version"], snapshot.layout.current, environment, deadline.remaining())
    return said.strip().lstrip("v")


def ask_registry(
    build: Sequence[str], source: Source | None, snapshot: Snapshot, deadline: Deadline
) -> Answered:
    """Ask for one of the app's packages as npm does, with its proxy, its login and no cache."""
    if not any(map(_ASKS_REGISTRY.search, build)):
        return Answered("")
    wanted = package(source).get("dependencies") if source else None
    name = next(iter(wanted), "") if isinstance(wanted, dict) else ""
    question = ["npm", "view", name, "version"] if name else ["npm", "ping"]
    with tempfile.TemporaryDirectory() as cache:
        own = {
            "npm_config_cache": cache,
            "npm_config_fetch_retries": "0",
            "npm_config_update_notifier": "false",
        }
        environment = {**inherited(snapshot.live.environment), **own}
        try:
            run(question, snapshot.layout.current, environment, deadline.remaining() * 0.8)
        except CommandFailed as failed:
            return Answered(name or "npm ping", str(failed), failed.output)
        except NotCollected as error:
            return Answered(name or "npm ping", str(error))
    return Answered(name or "npm ping")


def ask_repository(
    options: ReleaseOptions, snapshot: Snapshot, deadline: Deadline
) -> tuple[str, str, str]:
    """The repository as it is shown, the commit of the version, and why there is no answer.

    All are empty if no repository is known.
    """
    git = _git(options, snapshot, deadline)
    if git is None:
        return "", "", ""
    try:
        return git.shown, git.ask(options.version or "HEAD"), ""
    except NotCollected as error:
        return git.shown, "", str(error)


def checkout_of(options: ReleaseOptions, snapshot: Snapshot, deadline: Deadline) -> Checkout | None:
    """The state of the app's checkout; none if it runs in a release. Raises `NotCollected`."""
    if not snapshot.layout.checkout:
        return None
    environment = {**inherited(snapshot.live.environment), "LC_ALL": "C"}
    folder = snapshot.layout.current
    found = parse(run(COMMAND, folder, environment, deadline.remaining()))
    git = _git(options, snapshot, deadline)
    if git and found.branch:
        try:
            return replace(found, newest=git.ask(found.branch))
        except NotCollected:  # release.repository says so
            return found
    return found


def _git(options: ReleaseOptions, snapshot: Snapshot, deadline: Deadline) -> Git | None:
    git = git_for(options, snapshot)
    return replace(git, seconds=min(_FAR, deadline.remaining())) if git else None
