# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all services have in common: configure, start, ask, stop."""

from __future__ import annotations

import signal
import ssl
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from demo.certificates import write_private
from demo.processes import Identity, Process, StackError, end, processes_of, read_pid, wait_until
from demo.settings import Settings


class Service(ABC):
    """One server of the stack. ``settings`` is the whole content of stack.json."""

    name: str
    programs: tuple[str, ...]

    def __init__(
        self, settings: Settings, identity: Identity, environment: Mapping[str, str]
    ) -> None:
        self.settings = settings
        self.own: dict[str, Any] = settings[self.name]
        self.identity = identity
        self.environment = environment
        self.home = Path(settings["directory"])

    def processes(self) -> dict[int, Process]:
        with self.identity.looking():
            found = processes_of(Path(self.settings["root"]), self.settings["pm2"]["home"])
        return {pid: process for pid, process in found.items() if process.program in self.programs}

    def main(self) -> Process | None:
        """The service's main process, where it runs."""
        pid = read_pid(self.pid_file)
        return self.processes().get(pid) if pid else None

    @property
    @abstractmethod
    def pid_file(self) -> Path: ...

    @property
    def address(self) -> str:
        return f"{self.own['host']}:{self.own['port']}"

    @property
    def log(self) -> Path:
        return Path(self.own["log"])

    @abstractmethod
    def configuration(self) -> dict[Path, str]:
        """The service's configuration files and their contents."""

    def configure(self) -> bool:
        """Write what has changed; true when there was something."""
        changed = False
        for file, content in self.configuration().items():
            if not file.exists() or file.read_text() != content:
                write_private(file, content)
                self.identity.own(file)
                changed = True
        return changed

    @abstractmethod
    def trouble(self) -> str:
        """Why the running service is of no use; empty when it answers as it should."""

    @abstractmethod
    def launch(self) -> None: ...

    def prepare(self) -> None:  # noqa: B027 - most need nothing more
        """See to what must be there before a start."""

    def complete(self) -> None:  # noqa: B027
        """See to what must be there once it runs."""

    stages: tuple[tuple[int, float], ...] = ((signal.SIGTERM, 10), (signal.SIGKILL, 5))

    def stop(self) -> None:
        """End the service in its own orderly way, then whatever it left behind."""
        main = self.main()
        if main:
            with suppress(StackError):
                end(lambda: [main] if main.alive() else [], *self.stages)
        self.sweep()

    def sweep(self) -> None:
        end(lambda: self.processes().values(), (signal.SIGKILL, 5))

    def start(self) -> None:
        self.sweep()
        self.prepare()
        self.configure()
        self.launch()
        if not wait_until(lambda: not self.trouble(), 30):
            raise StackError(
                f"{self.name} was started but does not work: {self.trouble()}; log file: {self.log}"
            )
        self.complete()

    def ensure(self) -> str:
        """Let the service run as it should; says what had to be done, if anything."""
        if self.main() is None:
            self.start()
            return "started"
        if self.configure() or self.trouble():
            self.stop()
            self.start()
            return "restarted"
        self.complete()
        return ""


def fetch(url: str, ca: str | None = None, timeout: float = 3) -> tuple[int, str]:
    """Status and text of an answer; status 0 and the reason where there is none."""
    context = ssl.create_default_context(cafile=ca) if ca else None
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(url, timeout=timeout) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (OSError, ValueError) as error:
        return 0, str(getattr(error, "reason", error))
