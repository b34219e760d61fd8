# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects what is live, which releases there are, and what the guards must know."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Callable

from ..core.errors import NotCollected
from ..core.text import shorten
from .backend import Live
from .build import REVISION, complete
from .commands import inherited
from .git import Git, described, origin_of
from .layout import Layout
from .options import Options
from .record import Release, Switch
from .schema import applied
from .source import Folder


@dataclass(frozen=True)
class Snapshot:
    """The app and its releases."""

    live: Live
    layout: Layout
    current: Release
    """What the link leads to, recorded or not."""
    releases: Mapping[str, Release]
    """All releases whose folders are there, by id."""
    history: Sequence[Switch] = field(default_factory=list)
    unfinished: Sequence[str] = ()
    """Ids of the releases that a killed run was building."""

    @property
    def serving(self) -> Release:
        """The live release where it is now: a checkout is not among the releases yet."""
        return replace(self.current, path=self.layout.current)


def collect(options: Options, live: Live, layout: Layout) -> Snapshot:
    """Raises `NotCollected`."""
    store = layout.store
    unfinished = store.unfinished()
    releases = {**_found(layout, options, unfinished), **store.releases()}
    current = next((each for each in releases.values() if each.path == layout.current), None)
    if current is None:
        current = _describe(layout.current, options, live, checkout=layout.checkout)
        if layout.checkout:
            place = os.path.join(os.path.realpath(store.releases_folder), current.id)
            current = replace(current, path=place)
    releases = {**releases, current.id: current}
    return Snapshot(live, layout, current, releases, store.history(), unfinished)


def git_for(options: Options, snapshot: Snapshot) -> Git | None:
    """The repository that releases are built from; none if no one names one."""
    environment = inherited(snapshot.live.environment)
    store = snapshot.layout.store
    origin = options.repository or origin_of(snapshot.layout.current, environment) or store.origin
    if not origin:
        return None
    folder = os.path.join(store.records, "repository.git")
    return Git(folder, origin, environment)


def applied_migrations(
    options: Options, snapshot: Snapshot, ask: Callable[[], str]
) -> tuple[str, ...]:
    """The migrations that the database has; raises `NotCollected`.

    ``ask`` runs the operator's command. Without one: those of every release that is or was live,
    as each may have applied its own.
    """
    if not options.migrations_command:
        was_live = {snapshot.current.id, *(switch.after for switch in snapshot.history)}
        of = [each.migrations for each in snapshot.releases.values() if each.id in was_live]
        return tuple(sorted({name for names in of for name in names}))
    output = ask()
    found = applied(output)
    if found is None:
        said = shorten(output, 120)
        raise NotCollected(f"'{options.migrations_command}' names no migrations: {said}")
    return found


def _found(layout: Layout, options: Options, unfinished: Sequence[str]) -> dict[str, Release]:
    """The releases that another tool made, as far as their folders tell."""
    folder = os.path.realpath(layout.store.releases_folder)
    found = {}
    for name in Folder(folder).names(""):
        path = os.path.join(folder, name)
        is_release = os.path.isdir(path) and not os.path.islink(path) and name[0] != "."
        if is_release and name not in unfinished:
            commit = Folder(path).read(REVISION).strip()
            release = Release(name, name, path, commit=commit, adopted=True)
            found[name] = complete(release, options)
    return found


def _describe(path: str, options: Options, live: Live, *, checkout: bool) -> Release:
    """A live release that is not recorded."""
    name = os.path.basename(path)
    version, commit = described(path, inherited(live.environment)) if checkout else ("", "")
    identity = f"{version.replace('/', '-')}-{commit[:7]}" if commit else name
    commit = commit or Folder(path).read(REVISION).strip()
    release = Release(identity, version or name, path, commit=commit, adopted=True)
    return complete(release, options)
