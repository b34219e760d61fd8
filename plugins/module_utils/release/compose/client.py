# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker command line: no library is needed on hosts, and its logins to registries count."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Callable

from ...core.errors import NotCollected, Unreachable
from ..commands import run

#: How a container is marked that this module has made for a moment.
LABEL = "gpt_agent.runbook.trial"
#: How the client says that the engine does not answer.
_NO_ENGINE = (
    "Cannot connect to the Docker daemon",
    "error during connect:",
    "permission denied while trying to connect to",
)
#: How it says that it has no such plugin.
_NO_COMPOSE = ("is not a docker command", "docker [OPTIONS] COMMAND")


class Docker:
    """Runs docker, each time with a time limit."""

    def __init__(self, seconds: float, secrets: Sequence[str] = ()) -> None:
        self.seconds = seconds
        self._secrets = tuple(secrets)

    def hide(self, secrets: Sequence[str]) -> None:
        """Mask these, too, from now on."""
        self._secrets = tuple(dict.fromkeys((*self._secrets, *secrets)))

    def __call__(
        self,
        *arguments: str,
        folder: str = "/",
        environment: Mapping[str, str] | None = None,
        seconds: float = 0,
        report: Callable[[], None] = lambda: None,
    ) -> str:
        """What it writes; raises `NotCollected` if it fails, `Unreachable` without an engine."""
        own = {**os.environ, "LC_ALL": "C", "COMPOSE_ANSI": "never", **(environment or {})}
        argv = ["docker", *arguments]
        try:
            return run(argv, folder, own, seconds or self.seconds, report, self._secrets)
        except NotCollected as problem:
            if any(sign in str(problem) for sign in _NO_ENGINE):
                remedy = "Start Docker, or run this as a user in its group."
                raise Unreachable(str(problem), remedy) from None
            if any(sign in str(problem) for sign in _NO_COMPOSE):
                remedy = "Install Compose v2: Docker's package is docker-compose-plugin."
                raise Unreachable("Docker has no Compose v2 on this host", remedy) from None
            raise

    def log(self, container: str, lines: int) -> str:
        """The end of what a container has written to its error output."""
        command = 'exec docker logs --tail "$1" "$2" 2>&1 >/dev/null'
        argv = ["/bin/sh", "-c", command, "docker logs", str(lines), container]
        return run(argv, "/", os.environ, self.seconds, secrets=self._secrets)

    def inspect(self, kind: str, names: Sequence[str]) -> list[dict[str, Any]]:
        """What the engine knows of containers or images; those that do not exist are left out."""
        found: list[dict[str, Any]] = []
        for name in names:
            with suppress(NotCollected):
                found += json.loads(self(kind, "inspect", name))
        return found

    def inspect_all(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """The same of containers that were listed a moment ago, in one call where possible."""
        if not names:
            return []
        try:
            found: list[dict[str, Any]] = json.loads(self("container", "inspect", *names))
        except NotCollected:  # one of them is gone meanwhile
            return self.inspect("container", names)
        return found

    def ids(self, *filters: str) -> list[str]:
        """Ids of the containers that these filters fit, also of stopped ones."""
        given = [word for one in filters for word in ("--filter", one)]
        return self("ps", "--all", "--quiet", "--no-trunc", *given).split()

    def discard(self, name: str) -> None:
        """Remove a container of ours, running or not; raises `NotCollected` if it stays."""
        end = time.monotonic() + self.seconds
        while not self._removes(name):
            if time.monotonic() > end:
                raise NotCollected(f"the container {name} cannot be removed")

    def _removes(self, name: str) -> bool:
        """Whether a container is gone; it may be about to be removed already."""
        with suppress(NotCollected):
            self("rm", "--force", "--volumes", name)
            return True
        return not self.inspect("container", [name])
