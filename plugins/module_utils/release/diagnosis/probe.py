# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of deployment_check, one after the other, so that a time limit leaves the first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from ...core.check import CRITICAL, UNKNOWN, Check
from ...core.deadline import Deadline
from ...core.errors import NotCollected, Unreachable
from ...core.thresholds import Thresholds
from ..backend import Backend
from ..collect import Snapshot
from ..options import Options
from ..source import ENV_FILES, Folder, engines, variables
from ..target import Target
from . import assess
from .collect import (
    ask_registry,
    ask_repository,
    checkout_of,
    free_inodes,
    node_of_builds,
    release_to_check,
)
from .environment import Names, compare
from .failed import failed_release
from .lockfile import differences

_OTHERWISE = (
    "Under Docker, 'deploy.yml --check' with the version says what forbids it; on Vercel,"
    " vercel_deployment with state=diagnosed says why a build failed."
)


def probe(
    options: Options, backend: Backend, thresholds: Thresholds, deadline: Deadline
) -> Iterator[Check]:
    """Every check; what cannot be collected is a check that says why."""
    try:
        options.require_pm2(_OTHERWISE)
        snapshot = backend.snapshot()
    except (NotCollected, Unreachable) as error:
        yield thresholds.verdict(
            "release.live", UNKNOWN, str(error), subject=options.name, remedy=error.remedy
        )
        return
    failed = snapshot.layout.store.failed_build()
    yield assess.build_log(failed, time.time(), thresholds)
    if not options.version:
        bad = failed_release(snapshot.releases.values(), snapshot.history)
        yield assess.failed_after_build(bad, thresholds)
    yield assess.repository(
        *ask_repository(options, snapshot, deadline), options.version, thresholds
    )
    try:
        target = release_to_check(options, snapshot)
    except NotCollected as error:
        yield thresholds.verdict(
            "release.target", CRITICAL, str(error), subject=options.version, remedy=error.remedy
        )
        return
    yield from _guards(options, backend, snapshot, target, thresholds)
    yield from _files(snapshot, target, thresholds, deadline)
    folder = snapshot.layout.store.releases_folder
    yield assess.inodes(free_inodes(folder), folder, thresholds)
    yield _checkout(options, snapshot, thresholds, deadline)
    answered = ask_registry(options.build, target.source, snapshot, deadline)
    yield assess.registry(answered, thresholds)


def _guards(
    options: Options,
    backend: Backend,
    snapshot: Snapshot,
    target: Target,
    thresholds: Thresholds,
) -> Iterator[Check]:
    """What the guards of a deployment say; they are the judges of what they judge."""
    built = replace(target, exists=False)  # so that the space for a build is judged as well
    for check in backend.guards(backend.facts(snapshot, built), thresholds):
        if check.name == "release.target":  # a version that failed may well be deployed again
            continue
        if check.name == "release.environment":
            yield assess.environment(check, _names(options, snapshot, target))
            continue
        yield check


def _names(options: Options, snapshot: Snapshot, target: Target) -> Names:
    if target.source is None or not options.env_example:
        return Names((), ())
    example = variables(target.source, [options.env_example])
    if not example:
        return Names((), ())
    files = variables(Folder(snapshot.layout.current), ENV_FILES)
    return compare(example, files, snapshot.live.environment)


def _files(
    snapshot: Snapshot, target: Target, thresholds: Thresholds, deadline: Deadline
) -> Iterator[Check]:
    if target.source is None:  # the guards say so
        return
    try:
        version = node_of_builds(snapshot, deadline)
        yield assess.node_of_builds(engines(target.source), version, thresholds)
    except NotCollected as error:
        text = f"the Node.js of builds is not known: {error}"
        yield thresholds.verdict("release.node_version", UNKNOWN, text, subject="builds")
    yield assess.lock_file(differences(target.source), target.release, thresholds)


def _checkout(
    options: Options, snapshot: Snapshot, thresholds: Thresholds, deadline: Deadline
) -> Check:
    folder = snapshot.layout.current
    try:
        return assess.checkout(checkout_of(options, snapshot, deadline), folder, thresholds)
    except NotCollected as error:
        text = f"git does not say: {error}"
        return thresholds.verdict("release.checkout", UNKNOWN, text, subject=folder)


def no_answer(options: Options, seconds: float, thresholds: Thresholds) -> Check:
    """If the time limit passed first."""
    text = f"not all was checked within {seconds:g} s"
    remedy = "Raise timeout; the check that is missing names what is slow."
    return thresholds.verdict("release.live", UNKNOWN, text, subject=options.name, remedy=remedy)
