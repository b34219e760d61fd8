# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release on trial in a container of its own, and a live container that is asked directly."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import uuid
from types import TracebackType

from ...core.errors import NotCollected
from ...core.units import format_duration
from ...logs.last_error import last_error
from .client import Docker
from .container import Container, container_from
from .project import Project

#: Lines at the end of its log that are searched for its last error.
_LINES = 200
#: Removes a container once the other end of its input is closed: this process is gone.
_GUARD = 'read -r line; exec docker rm --force --volumes "$1"'


class Running:
    """A `Candidate`: a container that runs, asked at an address of its own."""

    def __init__(self, docker: Docker, name: str, port: int) -> None:
        self._docker = docker
        self._name = name
        self._began = time.monotonic()
        self._seen: Container | None = None
        self.listen()
        self.host = self._seen.address if self._seen else ""
        self.port = port if self.host else 0

    @property
    def ready(self) -> bool:
        """Whether it has passed its health check, or has none."""
        return self._seen is not None and self._seen.health in ("", "healthy")

    @property
    def ended(self) -> str:
        self.listen()
        if self._seen is None:
            return "its container is gone"
        problem = self._seen.problem
        after = format_duration(time.monotonic() - self._began)
        return f"{problem} after {after}" if problem else ""

    def listen(self) -> None:
        found = self._docker.inspect("container", [self._name])
        self._seen = container_from(found[0]) if found else None

    def last_error(self) -> str:
        with contextlib.suppress(NotCollected):
            errors = last_error(self._docker.log(self._name, _LINES), plain=True)
            output = self._docker("logs", "--tail", str(_LINES), self._name)
            return errors or last_error(output, plain=False)
        return ""


class Trial:
    """Runs an image as a service would, beside it: no port of the host, and no alias.

    The container is removed when the block ends, and also if this process is killed.
    """

    def __init__(self, project: Project, service: str, image: str, port: int) -> None:
        self._project = project
        self._service, self._image, self._port = service, image, port
        self._name = f"{project.known.name}-{service}-trial-{uuid.uuid4().hex[:8]}"
        self._pipe = -1
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Running:
        docker = self._project.docker
        self._start_guard()
        try:
            with self._project.with_image(self._service, self._image) as file:
                flags = (
                    "--detach",
                    "--no-deps",
                    "--name",
                    self._name,
                    "--label",
                    self._project.label,
                )
                self._project.compose("run", *flags, self._service, more=[file])
            return Running(docker, self._name, self._port)
        except BaseException:
            self._end()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _start_guard(self) -> None:
        given, self._pipe = os.pipe()
        try:
            self._guard = subprocess.Popen(  # noqa: S603 - a constant, and a name of ours
                ["/bin/sh", "-c", _GUARD, "guard", self._name],
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(given)

    def _end(self) -> None:
        try:
            self._project.docker.discard(self._name)
        finally:
            if self._guard:
                self._guard.kill()
                self._guard.wait()
            with contextlib.suppress(OSError):
                os.close(self._pipe)
