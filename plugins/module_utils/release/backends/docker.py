# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app under Docker Compose: releases are images by digest, and the files name the live one."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from ...core.check import Check
from ...core.errors import NotCollected, Unreachable, UsageError
from ...core.files import free_bytes
from ...core.thresholds import Thresholds
from ...core.units import format_duration
from ...net.url import Url
from ..backend import Report, Switched
from ..collect import Snapshot, applied_migrations
from ..compose.candidate import Running, Trial
from ..compose.choose import Chosen, Here, choose, collect, fetched
from ..compose.guards import own_guards
from ..compose.image import Image, Reference, copy_out, find, keep
from ..compose.pin import pin
from ..compose.project import Project
from ..compose.watch import Watch
from ..guards import Facts, guard
from ..options import Options
from ..record import UNKNOWN, Release
from ..schema import FOLDERS, known
from ..source import Folder
from ..store import Store
from ..target import Target
from ..trial import Failed, await_healthy, targets_of, trial

#: Seconds that it may take to stop a container, beside those that the next one may take to start.
_STOPPING = 60.0
_MIGRATIONS_SECONDS = 60.0


class Docker:
    """A `Backend`."""

    manager = "Docker"

    def __init__(self, options: Options) -> None:
        if not options.compose_project_dir:
            raise UsageError("compose_project_dir: is needed with backend docker")
        self._options = options
        self.where = options.compose_project_dir
        self._project = Project(
            options.compose_project_dir,
            options.compose_files,
            options.services or (options.name,),
            options.timeout,
        )
        self._docker = self._project.docker
        self._chosen: Chosen | None = None
        self._here: Here | None = None
        self._files: list[tempfile.TemporaryDirectory[str]] = []

    def prepare(self) -> None:
        """Nothing that a killed run has left keeps a snapshot from being made."""

    def snapshot(self) -> Snapshot:
        self._here = here = collect(self._project, self._options)
        return here.snapshot

    def clean(self, store: Store) -> list[str]:
        found = self._docker.ids(f"label={self._project.label}")
        for one in found:
            self._docker.discard(one)
        return [one[:12] for one in found]

    def target(self, snapshot: Snapshot, *, fetch: bool) -> Target:
        self._chosen = chosen = choose(self._docker, self._options, snapshot)
        release = chosen.release
        image = find(self._docker, release.image)
        exists = chosen.recorded and image is not None and release.status != UNKNOWN
        exists = exists or release.id == snapshot.current.id
        if image is None and fetch:
            release, image = fetched(self._docker, release, self._options.build_timeout)
        source = None
        if image is not None:
            source = self._files_of(image)
            release = replace(
                release,
                path=image.id,
                commit=release.commit or image.revision,
                migrations=known(source, self._options.migrations_folder),
            )
        reference = Reference.parse(release.image)
        origin = reference.fixed if reference.digest else release.image
        return Target(release, exists, source, origin=f"image {origin}")

    def facts(self, snapshot: Snapshot, target: Target) -> Facts:
        migrations, problem = None, ""
        try:
            migrations = applied_migrations(self._options, snapshot, self._ask_migrations)
        except NotCollected as error:
            problem = str(error)
        return Facts(
            snapshot,
            target,
            self._free_bytes(),
            migrations,
            problem,
            frozenset(snapshot.live.environment),
        )

    def guards(self, facts: Facts, thresholds: Thresholds) -> list[Check]:
        checks = guard(facts, self._options, thresholds)
        release = facts.target.release
        image = find(self._docker, release.image) if release.path else None
        if self._here and self._chosen:
            here, chosen = self._here, self._chosen
            checks += own_guards(self._project, self._options, here, chosen, image, thresholds)
        return checks

    def adopt(self, snapshot: Snapshot) -> None:
        """What runs is a release already: an image."""

    def build(self, snapshot: Snapshot, target: Target, report: Report) -> Release:
        report("pulling the image")
        seconds = self._options.build_timeout
        release, _image = fetched(self._docker, target.release, seconds)
        snapshot.layout.store.write(release)
        return release

    def output(self, release: Release, snapshot: Snapshot, command: str, seconds: float) -> str:
        service = self._project.services[0]
        flags = ("--rm", "--no-deps", "-T", "--label", self._project.label)
        words = ("run", *flags, "--entrypoint", "sh", service, "-c", command)
        with self._project.with_image(service, release.image) as file:
            return self._project.compose(*words, seconds=seconds, more=[file])

    def trial(self, release: Release, report: Report) -> list[Check]:
        service = self._project.services[0]

        def start() -> Trial:
            return Trial(self._project, service, release.image, self._port(service, release))

        return trial(release, self._options, start, report)

    def activate(
        self, release: Release, store: Store, report: Report, only_others: bool = False
    ) -> Switched:
        """Pin the image, and recreate one service after the other; each must answer first."""
        try:
            self._keep_what_runs()
            pin(self._project, release.image)
            for number, service in enumerate(self._project.services):
                if number and self._changes(service, release):
                    # A proxy avoids for a while what it has seen fail.
                    report(f"{format_duration(self._options.settle_for)} until {service}")
                    time.sleep(self._options.settle_for)
                report(f"recreating {service}")
                limit = self._options.start_within + _STOPPING
                self._project.up(service, limit, lambda: None)
                self._await(service, release, report)
        except (Failed, NotCollected, Unreachable) as problem:
            return Switched(str(problem))
        return Switched()

    def watch(self, since: float | None) -> Watch:
        return Watch(self._project, self._options.name)

    def remove(self, store: Store, release: Release) -> None:
        """Only our tag: an image that anything else uses stays."""
        image = find(self._docker, release.image)
        if image:
            tag = image.kept_as(Reference.parse(release.image).repository)
            with suppress(NotCollected):
                self._docker("image", "rm", str(tag))

    def _changes(self, service: str, release: Release) -> bool:
        """Whether a service that serves is about to be interrupted."""
        found = self._project.containers()[service]
        return any(one.image != release.path and one.status == "running" for one in found)

    def _await(self, service: str, release: Release, report: Report) -> None:
        """Wait until each container of a service answers; raises `Failed`."""
        report(f"waiting for {service}")
        port = self._port(service, release)
        for one in self._project.containers()[service]:
            running = Running(self._docker, one.id, port)
            try:
                await_healthy(running, targets_of(running, self._options), self._options)
            except Failed as problem:
                raise Failed(f"{one.name}: {problem}") from None

    def _port(self, service: str, release: Release) -> int:
        """The port that the app listens on in its container; 0 if that cannot be told."""
        urls = self._options.health_urls
        image = find(self._docker, release.image)
        published = Url.parse("health_urls", urls[0]).port if urls else 0
        exposed: Sequence[int] = image.ports if image else ()
        return self._project.known.port(service, published, exposed)

    def _keep_what_runs(self) -> None:
        """So that there is something to return to, whatever is pruned meanwhile."""
        for found in self._project.containers().values():
            for one in found:
                image = find(self._docker, one.image)
                if image:
                    keep(self._docker, image, Reference.parse(one.reference).repository)

    def _files_of(self, image: Image) -> Folder:
        """The files of an image that the guards read."""
        options = self._options
        folders = [options.migrations_folder] if options.migrations_folder else FOLDERS
        made = tempfile.TemporaryDirectory(prefix="runbook-image-")
        self._files.append(made)
        paths = [path for path in (*folders, options.env_example) if path]
        copy_out(self._docker, image, paths, made.name, self._project.label)
        return Folder(made.name)

    def _ask_migrations(self) -> str:
        """The output of the operator's command, run in the live container if it runs."""
        service, command = self._project.services[0], self._options.migrations_command
        if self._here and self._here.containers[0].status == "running":
            words: tuple[str, ...] = ("exec", "-T", service, "sh", "-c", command)
        else:  # a new one with the same image
            flags = ("--rm", "--no-deps", "-T", "--label", self._project.label)
            words = ("run", *flags, "--entrypoint", "sh", service, "-c", command)
        return self._project.compose(*words, seconds=_MIGRATIONS_SECONDS)

    def _free_bytes(self) -> int:
        root = self._docker("info", "--format", "{{.DockerRootDir}}").strip()
        return free_bytes(root if os.path.isdir(root) else "/")
