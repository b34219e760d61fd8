# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images: how they are named, what is known of them, and which one a tag means."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import NotCollected
from ...net.url import is_loopback
from .client import Docker

#: Tag in the app's own repository that keeps an image from being pruned.
_KEPT = "runbook-"
_SHORT = 12
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
#: Labels in which images say what they were built from.
_REVISION = "org.opencontainers.image.revision"


@dataclass(frozen=True)
class Reference:
    """The parts of ``registry.example.com/app:v1@sha256:...``."""

    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        name, _at, digest = text.partition("@")
        repository, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:  # the colon is that of a port
            repository, tag = name, ""
        return cls(repository, tag, digest)

    @property
    def fixed(self) -> str:
        """What a registry is asked for by digest."""
        return f"{self.repository}@{self.digest}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


def wanted(text: str, repository: str) -> Reference:
    """The image that an operator means: a tag or a digest in the app's repository, or any image."""
    if _DIGEST.fullmatch(text):
        return Reference(repository, "", text)
    if "/" in text or ":" in text or "@" in text:
        found = Reference.parse(text)
        return found if found.tag or found.digest else Reference(found.repository, "latest")
    return Reference(repository, text)


@dataclass(frozen=True)
class Image:
    """An image on this host."""

    id: str
    digests: tuple[str, ...] = ()
    """Its names by digest, as registries know it; none if it never was in one."""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    """The TCP ports that it says it listens on."""
    has_health_check: bool = False
    folder: str = "/"
    """The working directory in it."""

    @property
    def revision(self) -> str:
        return self.labels.get(_REVISION, "")

    def digest_in(self, repository: str) -> str:
        """Its digest in a repository; empty if it is not known there."""
        known = map(Reference.parse, self.digests)
        return next((one.digest for one in known if one.repository == repository), "")

    def kept_as(self, repository: str) -> Reference:
        """The local tag that keeps it."""
        return Reference(repository, _KEPT + self.id.rpartition(":")[2][:_SHORT])


def find(docker: Docker, reference: str) -> Image | None:
    """An image on this host; none if it is not there."""
    found = docker.inspect("image", [reference])
    return image_from(found[0]) if found else None


def image_from(inspected: Mapping[str, Any]) -> Image:
    """By what ``docker image inspect`` says."""
    config = inspected.get("Config") or {}
    ports = [port.partition("/") for port in config.get("ExposedPorts") or {}]
    check = config.get("Healthcheck") or {}
    return Image(
        id=str(inspected["Id"]),
        digests=tuple(inspected.get("RepoDigests") or ()),
        labels=dict(config.get("Labels") or {}),
        ports=tuple(int(port) for port, _slash, kind in ports if kind in ("", "tcp")),
        has_health_check=bool(check.get("Test")) and check["Test"] != ["NONE"],
        folder=str(config.get("WorkingDir") or "/"),
    )


def resolve(docker: Docker, reference: Reference) -> str:
    """The digest that a tag means in its registry now; raises `NotCollected`.

    The client asks the registry, so its logins apply. Of an image for several platforms it is the
    digest of the one for this engine.
    """
    if reference.digest:
        return reference.digest
    ask = ("manifest", "inspect", "--verbose")
    try:
        said = json.loads(docker(*ask, *_insecurely(docker, reference), str(reference)))
    except NotCollected as problem:
        raise NotCollected(
            f"the registry does not say which image {reference} is: {problem}",
            "Check that the registry answers, that the image was pushed, and that this user is "
            "logged in to it ('docker login').",
        ) from None
    entries = said if isinstance(said, list) else [said]
    if len(entries) > 1:
        platform = docker("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}").strip()
        entries = [each for each in entries if _platform(each) == platform]
    if not entries:
        raise NotCollected(f"{reference} is not made for the platform {platform} of this host")
    return str(entries[0]["Descriptor"]["digest"])


def _insecurely(docker: Docker, reference: Reference) -> tuple[str, ...]:
    """The client does not know which registries the engine uses without TLS."""
    host = reference.repository.partition("/")[0]
    known = json.loads(docker("info", "--format", "{{json .RegistryConfig.IndexConfigs}}"))
    insecure = not (known or {}).get(host, {}).get("Secure", True)
    return ("--insecure",) if insecure or is_loopback(host.partition(":")[0]) else ()


def _platform(entry: Mapping[str, Any]) -> str:
    found = entry["Descriptor"].get("platform") or {}
    return f"{found.get('os')}/{found.get('architecture')}"


def keep(docker: Docker, image: Image, repository: str) -> Reference:
    """Give an image a local tag, so that no prune removes it."""
    tag = image.kept_as(repository)
    docker("image", "tag", image.id, str(tag))
    return tag


def copy_out(docker: Docker, image: Image, paths: list[str], target: str, label: str) -> None:
    """Copy files and folders of an image to a folder; those that it does not have are left out."""
    # It is never started, so the command does not matter; an image may have none of its own.
    made = docker("container", "create", "--label", label, image.id, "-").strip()
    try:
        for path in paths:
            place = os.path.join(target, path)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            try:
                docker("cp", f"{made}:{os.path.join(image.folder, path)}", place)
            except NotCollected:
                continue
    finally:
        docker.discard(made)
