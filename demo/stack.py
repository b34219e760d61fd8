# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo stack as one thing: up, down, status.

Everything it needs lies in one directory: data, configuration, logs, and stack.json, which alone
holds the secrets in one place and says where everything is. ``python -m demo.stack --help`` tells
the commands.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from demo import packages, records, repository
from demo.certificates import write_private
from demo.lock import locked
from demo.processes import Identity, Process, StackError, end, processes_of, remove_tree
from demo.services import SERVICES, App, Nginx, Service, fetch
from demo.settings import (
    PORT_KEYS,
    Settings,
    choose_home,
    choose_ports,
    database_url,
    is_free,
    make_folders,
    redis_url,
    settle,
    within_reach,
)

DEFAULT_DIRECTORY = packages.HERE.parent / ".demo"


class Stack:
    """A demo stack in a directory of its own."""

    def __init__(
        self,
        directory: Path | str = DEFAULT_DIRECTORY,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.directory = Path(directory).absolute()
        self.say = say
        self._chosen: Identity | None = None

    @property
    def identity(self) -> Identity:
        self._chosen = self._chosen or Identity.choose()
        return self._chosen

    # --- what it is -------------------------------------------------------------------------------

    @property
    def settings_file(self) -> Path:
        return self.directory / "stack.json"

    @property
    def settings(self) -> Settings:
        try:
            settings: Settings = json.loads(self.settings_file.read_text())
        except FileNotFoundError:
            raise StackError(
                f"there is no demo stack in {self.directory}: 'python -m demo.stack up' makes one"
            ) from None
        return settings

    @property
    def database_url(self) -> str:
        return database_url(self.settings)

    @property
    def admin_url(self) -> str:
        return database_url(self.settings, "admin_user", "admin_password")

    @property
    def redis_url(self) -> str:
        return redis_url(self.settings)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.settings['nginx']['https_port']}"

    def env(self, settings: Settings | None = None) -> dict[str, str]:
        """The environment of the stack's programs and clients; it holds no secrets."""
        settings = settings or self.settings
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in ("LANG", "LC_ALL", "TZ", "TERM", "TMPDIR")
        }
        path = [
            f"{settings['directory']}/bin",
            settings["bin"]["postgres"],
            "/usr/local/bin",
            "/usr/bin",
            "/bin",
            "/usr/sbin",
            "/sbin",
        ]
        return {
            "LANG": "C.UTF-8",
            **kept,
            "PATH": ":".join(path),
            "HOME": f"{settings['directory']}/home",
            "PM2_HOME": settings["pm2"]["home"],
            "PM2_DISABLE_VERSION_CHECK": "true",
            "PM2_DISCRETE_MODE": "true",
            "NODE_EXTRA_CA_CERTS": settings["certificates"]["ca"],
            "NO_UPDATE_NOTIFIER": "1",
        }

    def credentials(self) -> dict[str, str]:
        """What clients must know beside ``env()``: the secrets, as environment variables."""
        own = self.settings["postgres"]
        return {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "PGHOST": own["host"],
            "PGPORT": str(own["port"]),
            "PGDATABASE": own["database"],
            "PGUSER": own["user"],
            "PGPASSWORD": own["password"],
        }

    def run(
        self, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a client program as the stack's user, with ``env()`` and what is given beside it;
        raises when it fails unless ``check=False``.
        """
        return self.identity.run(argv, env={**self.env(), **(env or {})}, **options)

    # --- up and down ------------------------------------------------------------------------------

    def up(self) -> None:
        """Bring every service up and the stack into its healthy state; does nothing where all is
        well.
        """
        begin = time.monotonic()
        with self._lock(create=True):
            settings = self._settle()
            try:
                self._bring_up(settings)
            except StackError as error:
                if not self._lost_port(settings):
                    raise
                self.say(f"a port was taken by somebody else meanwhile, trying others ({error})")
                settings = self._settle()
                self._bring_up(settings)
        self.say(
            f"up in {time.monotonic() - begin:.1f} s: https://"
            f"localhost:{settings['nginx']['https_port']} (CA: {settings['certificates']['ca']})"
        )

    def down(self, *, purge: bool = False) -> None:
        """End every process of the stack; with ``purge`` remove the directory, too."""
        if not self.directory.exists():
            return
        with self._lock(create=False):
            if self.settings_file.exists():
                settings = self.settings
                for name in ("nginx", "pm2", "redis", "postgres"):
                    with suppress(StackError):  # what resists is ended below
                        self._service(settings, name).stop()
                end(lambda: self._processes(settings).values(), (signal.SIGKILL, 10))
                home = Path(settings["directory"])
                if home != self.directory and (purge or home.is_symlink()):
                    remove_tree(home.parent)
            if purge:
                remove_tree(self.directory)
        self.say("down")

    def status(self) -> dict[str, dict[str, Any]]:
        """Each service: its process id, address, log file, and whether it runs."""
        if not self.settings_file.exists():
            return {
                name: {"pid": None, "address": None, "log": None, "running": False}
                for name in SERVICES
            }
        settings = self.settings
        found: dict[str, dict[str, Any]] = {}
        for name in SERVICES:
            service = self._service(settings, name)
            main = service.main()
            found[name] = {
                "pid": main.pid if main else None,
                "address": service.address,
                "log": str(service.log),
                "running": main is not None,
            }
            if isinstance(service, App):
                found[name]["pids"] = service.instances()
        return found

    def pid(self, service: str) -> int:
        """The process id of the service's main process (the app: its first instance)."""
        main = self._service(self.settings, service).main()
        if main is None:
            raise StackError(f"{service} does not run")
        return main.pid

    def start(self, service: str) -> None:
        with self._lock(create=False):
            self._service(self.settings, "app" if service == "pm2" else service).ensure()

    def stop(self, service: str) -> None:
        with self._lock(create=False):
            self._service(self.settings, service).stop()

    def restart(self, service: str) -> None:
        self.stop(service)
        self.start(service)

    def reload(self, service: str) -> None:
        found = self._service(self.settings, service)
        if not isinstance(found, (Nginx, App)):
            raise StackError(f"{service} cannot be reloaded, only nginx and app can")
        found.reload()

    def deploy(self, tag: str) -> None:
        """Put another version of the app into service, as it is: v1.2.0 is broken, and 'deploy
        v1.1.0' goes back.
        """
        with self._lock(create=False):
            settings = self.settings
            self._release(settings, tag)
            app = App(settings, self.identity, self.env(settings))
            repository.point(Path(app.own["current"]), Path(app.own["releases"]) / tag)
            app.migrate()
            app.reload()

    @contextmanager
    def fault(self, **fault: Any) -> Iterator[None]:
        """Let the app misbehave for a while, beside other faults that are there already.

        Takes the keys of demo/app/src/fault.js, such as ``status=500`` or ``delay_ms=3000``.
        """
        self._write_faults([*self._faults(), fault])
        try:
            yield
        finally:
            self._write_faults([other for other in self._faults() if other != fault])

    def _faults(self) -> list[dict[str, Any]]:
        file = Path(self.settings["app"]["fault"])
        found = json.loads(file.read_text()) if file.exists() else []
        return [found] if isinstance(found, dict) else found

    def _write_faults(self, faults: list[dict[str, Any]]) -> None:
        file = Path(self.settings["app"]["fault"])
        if not faults:
            file.unlink(missing_ok=True)
            return
        write_private(file, json.dumps(faults))
        self.identity.own(file)

    # --- steps ------------------------------------------------------------------------------------

    @contextmanager
    def _lock(self, *, create: bool) -> Iterator[None]:
        """Only one process at a time may change the stack."""
        with locked(self.directory, self.say, create=create) as handle:
            unguarded = self.identity
            self._chosen = replace(unguarded, guard=handle)
            try:
                yield
            finally:
                self._chosen = unguarded

    def _settle(self) -> Settings:
        """Decide everything, and write it down before anything is made."""
        earlier: Settings = self.settings if self.settings_file.exists() else {}
        home = choose_home(self.directory, earlier, self.identity)
        tools = packages.npm_install(packages.HERE, self.say)
        programs = packages.programs(lambda folder: within_reach(folder, home, self.identity))
        settings = settle(home, earlier, programs)
        choose_ports(
            settings, earlier, lambda name: self._service(earlier, name).main() is not None
        )
        write_private(self.settings_file, json.dumps(settings, indent=2) + "\n")
        make_folders(
            settings, programs, within_reach(tools, home, self.identity) / "pm2" / "bin" / "pm2"
        )
        return settings

    def _processes(self, settings: Settings) -> dict[int, Process]:
        with self.identity.looking():
            return processes_of(Path(settings["root"]), settings["pm2"]["home"])

    def _service(self, settings: Settings, name: str) -> Service:
        if name not in SERVICES:
            raise StackError(f"unknown service {name}: it is one of {', '.join(SERVICES)}")
        return SERVICES[name](settings, self.identity, self.env(settings))

    def _bring_up(self, settings: Settings) -> None:
        fault = Path(settings["app"]["fault"])
        if fault.exists():
            self.say("removing the fault file")
            fault.unlink()
        self.identity.own(Path(settings["directory"]))
        with ThreadPoolExecutor(3) as pool:
            steps = [
                pool.submit(self._ensure, settings, "postgres"),
                pool.submit(self._proxy_and_cache, settings),
                pool.submit(self._release, settings),
            ]
        for step in steps:
            step.result()
        self._ensure(settings, "app")
        self._exercise(settings)

    def _lost_port(self, settings: Settings) -> bool:
        """Whether a service does not run because somebody else has its port."""
        return any(
            self._service(settings, section).main() is None and not is_free(settings[section][key])
            for section, key in PORT_KEYS
        )

    def _ensure(self, settings: Settings, name: str) -> None:
        done = self._service(settings, name).ensure()
        if done:
            self.say(f"{name} {done}")

    def _proxy_and_cache(self, settings: Settings) -> None:
        self._ensure(settings, "redis")
        self._ensure(settings, "nginx")

    def _release(self, settings: Settings, *tags: str) -> None:
        app = settings["app"]
        modules = packages.npm_install(packages.HERE / "app", self.say)
        repository.ensure_repository(Path(app["repository"]))

        def build(folder: Path) -> None:
            self.identity.own(folder)
            self.identity.run(
                [settings["bin"]["node"], "scripts/build.js"], env=self.env(settings), cwd=folder
            )

        for tag in tags or repository.DEPLOYED:
            repository.ensure_release(
                Path(app["repository"]),
                tag,
                Path(app["releases"]) / tag,
                modules,
                Path(settings["directory"]) / "shared" / ".env",
                build,
            )
        current = Path(app["current"])
        if not current.exists():
            repository.point(current, Path(app["releases"]) / repository.CURRENT)
        records.ensure_records(current.parent, Path(app["releases"]))
        self.identity.own(current.parent / records.FOLDER)

    def _exercise(self, settings: Settings) -> None:
        """A few requests through the proxy, so that logs, statement statistics and the cache's hit
        rate mean something.
        """
        base, ca = (
            f"https://localhost:{settings['nginx']['https_port']}",
            settings["certificates"]["ca"],
        )
        for path in (
            "/",
            "/login",
            "/api/health",
            "/api/health/db",
            "/api/health/redis",
            *["/api/agents", "/api/documents"] * 10,
        ):
            status, said = fetch(base + path, ca)
            if status not in (200, 404):  # an older release does not know every path
                raise StackError(
                    f"{path} through nginx says {status} {said}; log files: "
                    f"{settings['directory']}/logs"
                )


if __name__ == "__main__":
    from demo.cli import main

    sys.exit(main())
