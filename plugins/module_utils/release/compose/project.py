# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Compose project: its files, its configuration, its containers."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Callable

from ...core.errors import NotCollected, UsageError
from .client import LABEL, Docker
from .container import Container, by_service, container_from, filters
from .dotenv import DotEnv, may_be_secret

#: The names that Compose looks for, in its order, and those of the file that it adds by itself.
_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
#: The file of ours that gives services their image, where no variable does.
PIN_FILE = "compose.runbook.yaml"
SEPARATOR = ":"
_IMAGE, _VARIABLE = re.compile(r"\s*-?\s*[\"']?image[\"']?\s*:"), re.compile(r"\$\{?([A-Za-z_]\w*)")


class Project:
    """The project in a folder; its services are those of one app."""

    def __init__(
        self, folder: str, files: Sequence[str], services: Sequence[str], seconds: float
    ) -> None:
        self.folder = os.path.realpath(folder)
        if not os.path.isdir(folder):
            raise UsageError(f"compose_project_dir: {folder} is not a folder on this host")
        self.services = tuple(services)
        self.env = DotEnv(os.path.join(self.folder, ".env"))
        self._given = tuple(files)
        self._config: Config | None = None
        self.docker = Docker(seconds, self.env.secrets(self.image_variables()))

    @property
    def files(self) -> tuple[str, ...]:
        """The operator's files, or those that a plain 'docker compose' in the folder reads."""
        separator = self.env.get("COMPOSE_PATH_SEPARATOR") or SEPARATOR
        named = tuple(filter(None, self.env.get("COMPOSE_FILE").split(separator)))
        if self._given:
            ours = (PIN_FILE,) if PIN_FILE in named and PIN_FILE not in self._given else ()
            return (*self._given, *ours)
        if named:
            return named
        found = [name for name in _NAMES if os.path.exists(os.path.join(self.folder, name))][:1]
        if not found:
            raise UsageError(f"compose_project_dir: {self.folder} has no {_NAMES[0]}")
        there = [name for name in _OVERRIDES if os.path.exists(os.path.join(self.folder, name))]
        return (*found, *there[:1])

    def image_variables(self) -> list[str]:
        """The variables that the files name images with."""
        names: list[str] = []
        for file in self.files:
            with suppress(OSError), open(os.path.join(self.folder, file)) as stream:
                for line in stream:
                    if _IMAGE.match(line):
                        names += _VARIABLE.findall(line)
        return list(dict.fromkeys(names))

    def compose(
        self,
        *arguments: str,
        more: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        seconds: float = 0,
        report: Callable[[], None] = lambda: None,
    ) -> str:
        """Run Compose with the project's files and ``more`` of them; raises `NotCollected`."""
        own = {
            **(variables or {}),
            "COMPOSE_FILE": SEPARATOR.join((*self.files, *more)),
            "COMPOSE_PATH_SEPARATOR": SEPARATOR,
        }
        return self.docker(
            "compose",
            *arguments,
            folder=self.folder,
            environment=own,
            seconds=seconds,
            report=report,
        )

    def config(self, variables: Mapping[str, str] | None = None) -> Config:
        """What Compose makes of the files now; raises `NotCollected`.

        ``variables`` replace those of ``.env``.
        """
        said = self.compose("config", "--format", "json", variables=variables)
        config = Config(json.loads(said))
        for name in self.services:
            if name not in config.services:
                known = ", ".join(sorted(config.services))
                raise UsageError(f"services: {self.folder} has no service {name}, only {known}")
        self.docker.hide(config.secrets())
        if not variables:
            self._config = config
        return config

    @property
    def known(self) -> Config:
        """The configuration as it was read last."""
        return self._config or self.config()

    def containers(self) -> dict[str, list[Container]]:
        """The containers of the app's services, by service."""
        found = self.docker.inspect_all(self.docker.ids(*filters(self.known.name)))
        return by_service([container_from(one) for one in found], self.services)

    def up(self, service: str, seconds: float, report: Callable[[], None]) -> None:
        """Let a service run as it is configured, and no other; raises `NotCollected`.

        Nothing is waited for: Compose's own wait takes a container for good that has only started.
        """
        flags = ("--detach", "--no-deps", "--no-build", "--pull", "never")
        self.compose("up", *flags, service, seconds=seconds, report=report)

    def hashes(self) -> dict[str, str]:
        """The hash of each service's configuration, as its container would get it."""
        said = self.compose("config", "--hash", ",".join(self.services))
        return dict(line.split()[:2] for line in said.splitlines() if len(line.split()) > 1)

    @contextmanager
    def with_image(self, service: str, image: str) -> Iterator[str]:
        """A file that gives a service another image."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as stream:
            override = {"image": image, "pull_policy": "never"}
            json.dump({"services": {service: override}}, stream)
            stream.flush()
            yield stream.name

    @property
    def label(self) -> str:
        """How the containers of a trial are marked."""
        return f"{LABEL}={self.known.name}"


class Config:
    """A configuration, as Compose resolves it; its environments are secrets."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.name = str(content.get("name") or "")
        self.services: Mapping[str, Any] = content.get("services") or {}

    def secrets(self) -> list[str]:
        """The values in all environments, also those of ``env_file``, that may be secrets."""
        found = [one.get("environment") or {} for one in self.services.values()]
        given = {str(value) for each in found for value in each.values() if value is not None}
        values = {value.replace("$$", "$") for value in given}  # as Compose escapes it
        images = [str(one.get("image") or "") for one in self.services.values()]
        return [
            value
            for value in values
            if may_be_secret(value) and not any(value in image for image in images)
        ]

    def image(self, service: str) -> str:
        """The image of a service; raises `NotCollected` for one that is built on this host."""
        found = self.services[service].get("image")
        if not found:
            raise NotCollected(
                f"service {service} names no image: it is built on this host",
                "Build the image elsewhere, push it with a tag, and name it in the compose file.",
            )
        return str(found)

    def port(self, service: str, published: int, exposed: Sequence[int]) -> int:
        """The port in the container that answers what is asked at a port of this host.

        0 if that cannot be told.
        """
        given = self.services[service]
        ports = [one for one in given.get("ports") or () if one.get("target")]
        fitting = [one for one in ports if str(one.get("published") or "") == str(published)]
        own = [int(str(one).partition("/")[0]) for one in given.get("expose") or ()]
        for found in ([int(one["target"]) for one in fitting or ports], own, list(exposed)):
            if len(set(found)) == 1:
                return found[0]
        return 0

    def has_health_check(self, service: str) -> bool | None:
        """Whether the files give it one; none if that is left to the image."""
        found = self.services[service].get("healthcheck")
        if not found:
            return None
        return not found.get("disable") and found.get("test") != ["NONE"]


def pinned(services: Sequence[str], image: str) -> str:
    """A compose file, in JSON, which is YAML, that gives services an image."""
    return json.dumps({"services": {name: {"image": image} for name in services}}, indent=1) + "\n"
