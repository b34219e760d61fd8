# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release that the operator means, and where its files are until it is built."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ..core.errors import NotCollected
from .choose import named, previous_good, require_not_bad
from .collect import Snapshot, git_for
from .git import Git
from .options import DEPLOYED, ROLLED_BACK, Options
from .record import Release
from .source import Commit, Folder, Source


@dataclass(frozen=True)
class Target:
    """A release to switch to."""

    release: Release
    exists: bool
    """Whether it is built; otherwise it is built from git first."""
    source: Source | None
    """Its files; none if they are not on this host yet."""
    git: Git | None = None
    origin: str = ""
    """What it will be made from if it does not exist: ``commit 3f2a91c0d2aa``."""


def choose_target(options: Options, snapshot: Snapshot, *, fetch: bool) -> Target:
    """The release to roll back to, or to deploy; raises `NotCollected` or `UsageError`.

    Without ``fetch``, nothing is copied from the repository: it is only asked for the commit.
    """
    if options.state == ROLLED_BACK and not options.rollback_to:
        release = previous_good(snapshot.releases, snapshot.history, snapshot.current.id)
        return Target(release, True, Folder(release.path))
    found = named(snapshot.releases, options.wanted)
    if found and options.state == ROLLED_BACK:
        require_not_bad(found)
    git = git_for(options, snapshot)
    is_fixed = found and (options.state == ROLLED_BACK or found.id == options.wanted)
    if found and (is_fixed or git is None):
        return Target(found, True, Folder(found.path))
    if git is None:
        raise NotCollected(
            f"there is no release {options.wanted} on this host, and no repository is known",
            "Set repository to the app's git repository.",
        )
    return _from_git(options, snapshot, git, fetch=fetch)


def _from_git(options: Options, snapshot: Snapshot, git: Git, *, fetch: bool) -> Target:
    commit = _commit(options, git, fetch=fetch)
    if not commit:
        raise NotCollected(f"{git.shown} has no version {options.wanted}")
    for release in snapshot.releases.values():
        if release.commit == commit:
            if options.state != DEPLOYED:
                require_not_bad(release)
            return Target(release, True, Folder(release.path))
    slug = re.sub(r"[^\w.-]+", "-", options.wanted)
    identity = commit[:12] if commit.startswith(options.wanted) else f"{slug}-{commit[:7]}"
    folder = os.path.realpath(snapshot.layout.store.releases_folder)
    release = Release(identity, options.wanted, os.path.join(folder, identity), commit=commit)
    known = fetch or bool(git.resolve(commit))
    source = Commit(git, commit) if known else None
    return Target(release, False, source, git, f"commit {commit[:12]}")


def _commit(options: Options, git: Git, *, fetch: bool) -> str:
    """The commit of the target; a rollback makes do with the copy from earlier runs."""
    try:
        if not fetch:
            return git.ask(options.wanted)
        git.fetch()
    except NotCollected:
        commit = git.resolve(options.wanted) if options.state == ROLLED_BACK else ""
        if not commit:
            raise
        return commit
    return git.resolve(options.wanted)
