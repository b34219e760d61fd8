# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds a release in a folder of its own, while another one serves."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress

from ..core.errors import NotCollected
from ..core.text import redact, shorten
from .backend import Report
from .commands import CommandFailed, end_processes_in, inherited, shell
from .git import Git
from .options import DEPLOYED, Options
from .record import FailedBuild, Release
from .schema import known
from .source import Folder, lockfile
from .store import Store

#: File in a release that names its commit, as other deployment tools write it.
REVISION = "REVISION"


def build(
    options: Options,
    store: Store,
    git: Git,
    release: Release,
    environment: Mapping[str, str],
    report: Report,
) -> Release:
    """Build a release from git and record it; raises `NotCollected`, and leaves nothing then.

    ``environment`` is the app's, whose NODE_ENV must not keep build tools from being installed.
    """
    remove(store, release)
    try:
        store.begin_build(release.id)
        os.makedirs(release.path)
        report("laying out the files")
        git.lay_out(release.commit, release.path)
        _link_shared(options, store, release.path)
        _write_revision(release)
        for command in options.build:
            report(f"running {shorten(command, 60)}")
            _run(command, options, store, release, environment)
        built = complete(release, options)
        store.write(built)
        store.remember_origin(git.origin)
        # A rollback to an older release says nothing of the version that failed.
        store.forget_failed_build("" if options.state == DEPLOYED else release.id)
    except OSError as error:
        _remove_failed(store, release)
        raise NotCollected(f"{release.path} cannot be built: {error.strerror}") from None
    except BaseException:
        _remove_failed(store, release)
        raise
    store.end_build(release.id)
    return built


def complete(release: Release, options: Options) -> Release:
    """The record of a release that is there now, with what its files say."""
    source = Folder(release.path)
    return Release(
        **{
            **vars(release),
            "lockfile": lockfile(source),
            "migrations": known(source, options.migrations_folder),
            "built": release.built or (None if release.adopted else round(time.time(), 3)),
        }
    )


def remove(store: Store, release: Release) -> None:
    """Remove the folder of a release, and whatever still writes to it; raises OSError."""
    if os.path.isdir(release.path):
        end_processes_in(release.path)
        shutil.rmtree(release.path)
    store.end_build(release.id)


def remove_unfinished(store: Store) -> list[str]:
    """Remove what killed builds have left behind; their ids."""
    removed = []
    for name in store.unfinished():
        path = os.path.join(os.path.realpath(store.releases_folder), name)
        remove(store, Release(name, name, path))
        removed.append(name)
    return removed


def _keep(store: Store, release: Release, command: str, output: str) -> None:
    """Keep what a failed command wrote: its folder is removed, and an error only quotes the end."""
    now = round(time.time(), 3)
    with suppress(OSError):  # a full disk, perhaps the reason itself, must not hide the error
        store.keep_failed_build(
            FailedBuild(release.id, release.version, release.commit, now, redact(command), output)
        )


def _remove_failed(store: Store, release: Release) -> None:
    with suppress(OSError):  # else the next run removes it
        remove(store, release)


def _run(
    command: str, options: Options, store: Store, release: Release, environment: Mapping[str, str]
) -> None:
    own = inherited(environment)
    if command.split()[:2] == ["npm", "ci"]:
        own.pop("NODE_ENV", None)
    try:
        shell(command, release.path, own, options.build_timeout)
    except CommandFailed as failed:
        _keep(store, release, command, failed.output)
        raise


def _link_shared(options: Options, store: Store, folder: str) -> None:
    """Links to the files that all releases share, in place of those from git."""
    for name in options.shared:
        place = os.path.join(folder, name)
        shared = os.path.join(os.path.realpath(store.root), "shared", name)
        if not os.path.exists(shared):
            raise NotCollected(f"the shared file {shared} does not exist")
        if os.path.isdir(place) and not os.path.islink(place):
            shutil.rmtree(place)
        elif os.path.lexists(place):
            os.unlink(place)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.symlink(os.path.relpath(shared, os.path.dirname(place)), place)


def _write_revision(release: Release) -> None:
    path = os.path.join(release.path, REVISION)
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(f"{release.commit}\n")
