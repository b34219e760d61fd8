# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Valkey in Redis' place, as a cache."""

from __future__ import annotations

import json
from pathlib import Path

from demo.services.base import Service


class Redis(Service):
    name = "redis"
    programs = ("valkey-server",)

    @property
    def data(self) -> Path:
        return self.log.parent

    @property
    def pid_file(self) -> Path:
        return self.data / "valkey.pid"

    def configuration(self) -> dict[Path, str]:
        values = {
            "bind": self.own["host"],
            "port": self.own["port"],
            "unixsocket": self.own["socket"],
            "unixsocketperm": "700",
            "requirepass": self.own["password"],
            "daemonize": "yes",
            "dir": self.data,
            "pidfile": self.pid_file,
            "logfile": self.log,
            "maxmemory": "64mb",
            "maxmemory-policy": "allkeys-lru",
            "save": "3600 1 300 100",
        }
        lines = (
            f"{name} {value if name == 'save' else json.dumps(str(value))}"
            for name, value in values.items()
        )
        return {self.data / "valkey.conf": "\n".join(lines) + "\n"}

    def prepare(self) -> None:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.identity.own(self.data)
        self.pid_file.unlink(missing_ok=True)

    def launch(self) -> None:
        command: list[str | Path] = [self.settings["bin"]["valkey"], self.data / "valkey.conf"]
        self.identity.launch(command, env=self.environment, log=self.log, cwd=self.data)

    def trouble(self) -> str:
        import redis.backoff
        import redis.retry

        once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        own = self.own
        with redis.Redis(
            own["host"],
            own["port"],
            password=own["password"],
            socket_timeout=2,
            socket_connect_timeout=2,
            retry=once,
        ) as client:
            try:
                client.ping()
            except redis.RedisError as error:
                return str(error)
        return ""
