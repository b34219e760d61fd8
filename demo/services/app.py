# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PM2, and the app that it looks after."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from demo.processes import Identity, Process, StackError, read_pid, wait_until
from demo.services.base import Service, fetch
from demo.settings import Settings, database_url, redis_url


class Pm2(Service):
    """The process manager's daemon. It is started together with the app."""

    name = "pm2"
    programs = ("node",)

    @property
    def pid_file(self) -> Path:
        return Path(self.own["home"]) / "pm2.pid"

    @property
    def address(self) -> str:
        return str(Path(self.own["home"]) / "rpc.sock")

    @property
    def log(self) -> Path:
        return Path(self.own["home"]) / "pm2.log"

    def configuration(self) -> dict[Path, str]:
        return {}

    def client(self, *arguments: str, check: bool = True, timeout: float = 60) -> None:
        """Run PM2's own command; what it says is kept in a log file."""
        log = self.home / "logs" / "pm2-client.log"
        with suppress(*(() if check else (StackError,))):
            self.identity.launch(
                [self.settings["bin"]["pm2"], *arguments],
                env=self.environment,
                log=log,
                cwd=self.home,
                timeout=timeout,
            )

    def starting(self) -> bool:
        """Whether a client that an earlier, killed run left behind is still giving orders."""
        for pid in self.processes():
            with suppress(OSError):  # it has ended
                if b"ecosystem.config.js" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return True
        return False

    def prepare(self) -> None:
        (self.home / "pm2").mkdir(mode=0o700, exist_ok=True)
        self.identity.own(self.home / "pm2")

    def launch(self) -> None:
        self.client("ping")

    def trouble(self) -> str:
        return "" if self.main() and Path(self.address).exists() else "the daemon does not run"

    def stop(self) -> None:
        if self.main():
            for process in self.processes().values():
                process.signal(signal.SIGCONT)
            with suppress(Exception):  # a daemon that is stuck is ended by the sweep
                self.client("kill", check=False, timeout=15)
        self.sweep()


class App(Service):
    """The app under PM2: two instances behind one port."""

    name = "app"
    programs = ("node",)

    def __init__(
        self, settings: Settings, identity: Identity, environment: Mapping[str, str]
    ) -> None:
        super().__init__(settings, identity, environment)
        self.manager = Pm2(settings, identity, environment)

    @property
    def shared(self) -> Path:
        return self.home / "shared"

    @property
    def pid_file(self) -> Path:
        return Path(self.settings["pm2"]["home"]) / "pids" / f"{self.own['name']}-0.pid"

    @property
    def log(self) -> Path:
        return Path(self.own["error_log"])

    def instances(self) -> list[int]:
        running = self.processes()
        pids = (
            read_pid(file)
            for file in sorted(self.pid_file.parent.glob(f"{self.own['name']}-*.pid"))
        )
        return list(dict.fromkeys(pid for pid in pids if pid in running))

    def main(self) -> Process | None:
        running = self.processes()
        return next((running[pid] for pid in self.instances() if pid in running), None)

    def configuration(self) -> dict[Path, str]:
        variables = {
            "DATABASE_URL": database_url(self.settings),
            "REDIS_URL": redis_url(self.settings),
            "APP_URL": f"https://localhost:{self.settings['nginx']['https_port']}",
            "PORT": self.own["port"],
            "FAULT_FILE": self.own["fault"],
            "NODE_ENV": "production",
        }
        process = {
            "name": self.own["name"],
            "script": "server.js",
            "cwd": self.own["current"],
            "exec_mode": "cluster",
            "instances": self.own["instances"],
            "wait_ready": True,
            "listen_timeout": 15_000,
            "kill_timeout": 6_000,
            "max_restarts": 5,
            "min_uptime": 2_000,
            "max_memory_restart": "300M",
            "log_date_format": "YYYY-MM-DDTHH:mm:ss.SSSZ",
            "out_file": self.own["out_log"],
            "error_file": self.own["error_log"],
            "merge_logs": True,
        }
        loader = f"process.loadEnvFile({json.dumps(str(self.shared / '.env'))});\n"
        picked = (
            f"const names = {json.dumps(list(variables))};\n"
            "const env = Object.fromEntries(names.map((name) => [name, process.env[name]]));\n"
        )
        apps = f"[{{ ...{json.dumps(process, indent=2)}, env }}]"
        ecosystem = f"{loader}{picked}module.exports = {{ apps: {apps} }};\n"
        return {
            self.shared / ".env": "".join(
                f"{name}={shlex.quote(str(value))}\n" for name, value in variables.items()
            ),
            self.shared / "ecosystem.config.js": ecosystem,
        }

    def launch(self) -> None:
        self.manager.client("start", str(self.shared / "ecosystem.config.js"))

    def trouble(self, *paths: str) -> str:
        running, wanted = len(self.instances()), self.own["instances"]
        if running < wanted:
            return f"{running} of {wanted} instances run"
        for path in paths or ("/api/health",):
            for _ in range(2 * wanted):  # connections go to the instances in turn
                status, said = fetch(f"http://{self.address}{path}")
                if status != 200 or '"status":"ok"' not in said:
                    return f"{path} says {status} {said.strip()}"
        return ""

    def ensure(self) -> str:
        was_running, changed = self.main() is not None, self.configure()
        self.migrate()
        done = ""
        if changed or self.trouble():
            self.start()
            done = "restarted" if was_running else "started"
        paths = ("/api/health/db", "/api/health/redis")
        if not wait_until(
            lambda: not self.trouble(*paths), 15
        ):  # a running app needs a moment to connect again
            raise StackError(
                f"the app does not reach its services: {self.trouble(*paths)}; log file: {self.log}"
            )
        return done

    def migrate(self) -> None:
        self.identity.run(
            [self.settings["bin"]["node"], "scripts/migrate.js", "up"],
            env=self.environment,
            cwd=self.own["current"],
        )

    def start(self) -> None:
        """Begin with a clean slate: neither counters nor states of earlier processes."""
        for process in self.processes().values():
            process.signal(signal.SIGCONT)
        if self.manager.main() is None or self.manager.starting():
            self.sweep()
            self.manager.prepare()
        else:
            self.manager.client("delete", self.own["name"], check=False)
        self.launch()
        if not wait_until(lambda: not self.trouble(), 20):
            release = Path(self.own["current"]).resolve().name
            raise StackError(
                f"the app ({release}) was started but does not work: {self.trouble()}; log file: "
                f"{self.log}"
            )

    def reload(self) -> None:
        """Let the instances follow the link 'current' to another release, one after the other."""
        self.manager.client("reload", self.own["name"])

    def stop(self) -> None:
        if self.manager.main():
            self.manager.client("stop", self.own["name"], check=False)
