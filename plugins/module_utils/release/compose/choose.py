# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of an app under Compose: which one is live, and which one is to be."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...core.errors import NotCollected
from ..backend import Live
from ..choose import named, previous_good, require_not_bad
from ..collect import Snapshot
from ..layout import Layout
from ..options import ROLLED_BACK, Options
from ..record import GOOD, Release
from ..store import Store
from .client import Docker
from .container import Container
from .image import Image, Reference, find, keep, resolve, wanted
from .project import Config, Project

#: Hexadecimal digits of a digest in the id of a release.
_SHORT = 7
#: Seconds for the registry, where its answer is not needed.
_BRIEFLY = 5.0


@dataclass(frozen=True)
class Here:
    """What runs, in the words of the flow and in those of Compose."""

    snapshot: Snapshot
    config: Config
    containers: tuple[Container, ...]


def collect(project: Project, options: Options) -> Here:
    """What runs, and which releases are known; raises `NotCollected` or `UsageError`."""
    config = project.config()
    by_service = project.containers()
    empty = [service for service, found in by_service.items() if not found]
    nowhere = [f"no container of service {service}" for service in empty]
    containers = tuple(one for found in by_service.values() for one in found)
    if not containers:
        raise NotCollected(
            f"service {', '.join(empty)} of {project.folder} has no container",
            "Start the app once with 'docker compose up -d'.",
        )
    store = Store(options.root or project.folder, project.folder)
    releases = store.releases()
    configured = config.image(project.services[0])
    current = _current(project.docker, releases, configured, containers[0])
    live = Live(
        cwd=project.folder,
        folders=tuple(dict.fromkeys([*(one.image for one in containers), *nowhere])),
        running=sum(one.status == "running" for one in containers),
        environment=dict.fromkeys(containers[0].variables, ""),
    )
    layout = Layout(store, image=current.path)
    known = {**releases, current.id: current}
    return Here(Snapshot(live, layout, current, known, store.history()), config, containers)


def _current(
    docker: Docker, releases: Mapping[str, Release], configured: str, container: Container
) -> Release:
    """The release that the files name, or else the one that runs."""
    for name in (configured, container.reference):
        found = [each for each in releases.values() if each.image == name]
        if found:
            return found[0]
    found = [each for each in releases.values() if each.path == container.image]
    if found:
        return found[0]
    image = find(docker, container.image) or Image(container.image)
    return release_of(image, Reference.parse(container.reference))


def release_of(image: Image, reference: Reference) -> Release:
    """A release that is not recorded yet."""
    digest = image.digest_in(reference.repository)
    if digest:
        name = Reference(reference.repository, reference.tag, digest)
    else:
        name = image.kept_as(reference.repository)
    tag = reference.tag or "latest"
    return Release(
        identity(tag, digest or image.id),
        tag,
        image.id,
        commit=image.revision,
        image=str(name),
        adopted=True,
    )


def identity(tag: str, digest: str) -> str:
    """The id of a release: its tag, and the start of its digest."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', tag)}-{digest.rpartition(':')[2][:_SHORT]}"


@dataclass(frozen=True)
class Chosen:
    """A release to switch to."""

    release: Release
    recorded: bool
    moved: str = ""
    """What its tag means by now, if that is another image."""
    silent: str = ""
    """Why the registry could not be asked; empty if it answered or need not be asked."""


def choose(docker: Docker, options: Options, snapshot: Snapshot) -> Chosen:
    """By the records, or by the registry; raises `NotCollected` or `UsageError`."""
    if options.state == ROLLED_BACK and not options.rollback_to:
        release = previous_good(snapshot.releases, snapshot.history, snapshot.current.id)
        return _with_tag(docker, release)
    found = _named(options, snapshot)
    if found and options.state == ROLLED_BACK:
        require_not_bad(found)
    if found and (options.state == ROLLED_BACK or found.id == options.wanted):
        return _with_tag(docker, found)
    repository = Reference.parse(snapshot.current.image).repository
    return _from_registry(docker, options, snapshot, wanted(options.wanted, repository))


def _named(options: Options, snapshot: Snapshot) -> Release | None:
    """A recorded release; of several with one tag the last that was good, for a rollback."""
    if options.state == ROLLED_BACK:
        same = [each for each in snapshot.releases.values() if each.version == options.wanted]
        good = [each for each in same if each.status == GOOD and each.verified]
        if good:
            return max(good, key=lambda each: each.verified or 0.0)
    return named(snapshot.releases, options.wanted)


def _from_registry(
    docker: Docker, options: Options, snapshot: Snapshot, reference: Reference
) -> Chosen:
    silent = ""
    try:
        digest = resolve(docker, reference)
    except NotCollected as problem:
        local = find(docker, str(reference))
        if local is None:
            raise
        made = release_of(local, reference)
        silent = str(problem)
    else:
        fixed = Reference(reference.repository, reference.tag, digest)
        tag = reference.tag or "latest"
        made = Release(identity(tag, digest), tag, "", image=str(fixed))
    of_tag = [each for each in snapshot.releases.values() if each.version == made.version]
    moved = ""
    for each in snapshot.releases.values():
        if _same_image(each, made):
            if options.state == ROLLED_BACK:
                require_not_bad(each)
            return Chosen(each, True, silent=silent)
    if of_tag:
        newest = max(of_tag, key=lambda each: each.verified or each.built or 0.0)
        moved = f"{newest.id} was {_digest(newest)}, and it is {_digest(made)} now"
    return Chosen(made, False, moved, silent)


def _same_image(one: Release, other: Release) -> bool:
    first, second = Reference.parse(one.image), Reference.parse(other.image)
    if first.digest or second.digest:
        return (first.repository, first.digest) == (second.repository, second.digest)
    return one.path == other.path


def _with_tag(docker: Docker, release: Release) -> Chosen:
    """A recorded release, and whether its tag means another image by now."""
    known = Reference.parse(release.image)
    if not known.digest or not known.tag:
        return Chosen(release, True)
    try:
        digest = resolve(brief(docker), replace(known, digest=""))
    except NotCollected as problem:
        return Chosen(release, True, silent=str(problem))
    if digest == known.digest:
        return Chosen(release, True)
    moved = f"{release.id} is {_digest(release)}, and the tag means {digest[:19]} now"
    return Chosen(release, True, moved)


def brief(docker: Docker) -> Docker:
    """For a question whose answer is not needed."""
    return Docker(min(docker.seconds, _BRIEFLY))


def _digest(release: Release) -> str:
    return (Reference.parse(release.image).digest or release.path)[:19]


def fetched(docker: Docker, release: Release, seconds: float) -> tuple[Release, Image]:
    """The image on this host, kept from being pruned; raises `NotCollected`."""
    reference = Reference.parse(release.image)
    image = find(docker, release.image)
    if image is None and not reference.digest:
        raise NotCollected(
            f"the image of {release.id} is gone, and it was in no registry",
            "Name a version that is in the registry.",
        )
    if image is None:
        docker("pull", "--quiet", reference.fixed, seconds=seconds)
        image = find(docker, release.image)
    if image is None:
        raise NotCollected(f"{reference.fixed} was pulled, and Docker does not have it")
    keep(docker, image, reference.repository)
    commit = release.commit or image.revision
    built = release.built or (None if release.adopted else round(time.time(), 3))
    return replace(release, path=image.id, commit=commit, built=built), image
