"""Releases of the demo app, broken ones among them, deployed and rolled back by app_release."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo import repository
from demo.services import fetch
from demo.stack import Stack
from tests.conftest import RunModule, finish, start_module
from tests.support.collection import documentation

#: For versions that never are healthy: those that are start sooner, also on a slow machine.
FAILS_SOON: dict[str, Any] = {"start_within": 4.0}
#: Lines that make a version of the app fail in its own way, put into a file of v1.1.0.
DIES = "setTimeout(() => { console.error('Error: out of luck'); process.exit(3); }, 3000);\n"
SAYS_500 = (
    "require('node:http').createServer((request, response) => {\n"
    "  response.writeHead(500);\n  response.end();\n"
    "}).listen(process.env.PORT, '127.0.0.1', () => process.send?.('ready'));\n"
)
DEAF = "setInterval(() => {}, 1000);\n"
#: Works on trial, and answers 500 once it is one of the live instances.
ONLY_ON_TRIAL = (
    "if (['0', '1'].includes(process.env.NODE_APP_INSTANCE)) {\n"
    f"{SAYS_500}}} else {{ require('./real.js'); }}\n"
)


@dataclass
class Requests:
    """A constant stream of requests: how each ended that was not answered with 200."""

    sent: int = 0
    failures: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)


@contextlib.contextmanager
def stream_of_requests(url: str) -> Iterator[Requests]:
    """Send requests one after the other until the block ends."""
    found, finished = Requests(), threading.Event()

    def send() -> None:
        while not finished.is_set():
            status, body = fetch(url)
            found.sent += 1
            if status == 200:
                found.versions.add(json.loads(body)["version"])
            else:
                found.failures.append(f"{status} {body}")
            time.sleep(0.02)

    client = threading.Thread(target=send)
    client.start()
    try:
        yield found
    finally:
        finished.set()
        client.join()


class Releases:
    """The app of a demo stack, and a copy of its git repository with more versions."""

    def __init__(self, stack: Stack, run_module: RunModule, folder: Path) -> None:
        self._run_module = run_module
        self.app = stack.settings["app"]
        self.stack = stack
        self.repository = folder / "repository"
        self.records = Path(self.app["current"]).parent / ".runbook"
        shutil.copytree(self.app["repository"], self.repository)
        self._git("checkout", "--quiet", "v1.1.0")
        self._recorded = folder / "records"
        shutil.copytree(self.records, self._recorded)
        self.url = f"http://127.0.0.1:{self.app['port']}/api/health"
        modules = Path(self.app["current"]).resolve() / "node_modules"
        self.options: dict[str, Any] = {
            "name": self.app["name"],
            "pm2_home": stack.settings["pm2"]["home"],
            "repository": str(self.repository),
            # The packages are the same in all versions, and were installed with 'npm ci'.
            "build": [f"cp -r {modules} node_modules", "node scripts/build.js"],
            "health_urls": [self.url, f"{self.url}/db"],
            "version_url": self.url,
            "migrations_command": "node scripts/migrate.js status",
            "shared": [".env"],
            "free_disk": 0.001,
            "trial_for": 0.5,
            "start_within": 15.0,
            "bake": 0.5,
        }

    def run(self, state: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        answer = self._run_module("app_release", self._given(state, options), check=check)
        password = self.stack.settings["postgres"]["password"]
        assert password not in json.dumps(answer)
        return answer

    def deploy(self, version: str, **options: Any) -> dict[str, Any]:
        return self.run("deployed", version=version, **options)

    def roll_back(self, **options: Any) -> dict[str, Any]:
        return self.run("rolled_back", **options)

    def gate(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        return self._run_other("deployment_gate", {"owner": "eve", **options}, check)

    def watch(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        return self._run_other("deployment_watch", {"watch_for": 0, **options}, check)

    def diagnose(self, **options: Any) -> dict[str, Any]:
        return self._run_other("deployment_check", options)

    def rebuild(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        return self._run_other("deployment_rebuild", options, check)

    def start(self, state: str, **options: Any) -> subprocess.Popen[str]:
        """The same in a process that can be killed."""
        return start_module("app_release", self._given(state, options))

    def commit(self, version: str, **files: str) -> str:
        """A version that differs from v1.1.0 in these files: ``src__app_js`` is src/app.js."""
        for name, content in files.items():
            path = self.repository / name.replace("__", "/").replace("_js", ".js").replace(
                "package_json", "package.json"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self._git("add", "--all", "--force")
        self._git("commit", "--quiet", "--message", version)
        self._git("tag", version)
        self._git("checkout", "--quiet", "v1.1.0")
        return version

    def broken(self, version: str, program: str) -> str:
        """A version whose program is another one."""
        return self.commit(version, server_js=program)

    def fails_when_live(self, version: str) -> str:
        """A version that works on trial only."""
        text = (self.repository / "server.js").read_text()
        return self.commit(version, server_js=ONLY_ON_TRIAL, real_js=text)

    def works(self, version: str, **files: str) -> str:
        """A version that works, and says its name."""
        package = json.loads((self.repository / "package.json").read_text())
        package["version"] = version.removeprefix("v")
        return self.commit(version, package_json=json.dumps(package), **files)

    def forget(self, version: str) -> None:
        """Remove a version, so that the next test can make another one of this name."""
        self._git("tag", "--delete", version)

    def serving(self) -> tuple[int, str]:
        """Status and version of the answer, the same from every instance."""
        found = set()
        for _ in range(6):
            status, body = fetch(self.url)
            found.add((status, json.loads(body)["version"] if status == 200 else body))
        assert len(found) == 1, found
        return found.pop()

    def statuses(self) -> dict[str, str]:
        """What is recorded of each release, by version."""
        return {one["version"]: one["status"] for one in self.run("listed")["releases"]}

    def pids(self) -> list[int]:
        """The processes of the app's instances."""
        folder = Path(self.stack.settings["pm2"]["home"]) / "pids"
        files = sorted(folder.glob(f"{self.app['name']}-*.pid"))
        return sorted(int(file.read_text()) for file in files)

    def requests(self) -> contextlib.AbstractContextManager[Requests]:
        return stream_of_requests(self.url)

    def reset(self) -> None:
        """As the stack was: v1.1.0 is live."""
        current = Path(self.app["current"])
        live = repository.CURRENT
        shutil.rmtree(self.records, ignore_errors=True)
        shutil.copytree(self._recorded, self.records)
        for folder in Path(self.app["releases"]).iterdir():
            if folder.name not in repository.DEPLOYED:
                shutil.rmtree(folder)
        if current.resolve().name != live or self.serving() != (200, live.removeprefix("v")):
            repository.point(current, Path(self.app["releases"]) / live)
            self.stack.reload("app")

    def _run_other(
        self, module: str, options: dict[str, Any], check: bool = False
    ) -> dict[str, Any]:
        """Another module that works on the releases, with those of the options that it has."""
        known = documentation(module)["options"]
        shared = {name: value for name, value in self.options.items() if name in known}
        answer = self._run_module(module, {**shared, **options}, check=check)
        assert self.stack.settings["postgres"]["password"] not in json.dumps(answer)
        return answer

    def _given(self, state: str, options: dict[str, Any]) -> dict[str, Any]:
        return {**self.options, "state": state, **options}

    def _git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=demo", "-c", "user.email=demo@localhost"]
        ours = ["-c", "safe.directory=*", "-c", "advice.detachedHead=false"]
        subprocess.run(
            ["git", *identity, *ours, *arguments],
            cwd=self.repository,
            check=True,
            env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
        )


def answer_of(module: subprocess.Popen[str], timeout: float = 60) -> dict[str, Any]:
    """What a started module answers in the end."""
    answer: dict[str, Any] = json.loads(finish(module, timeout)[0].strip().splitlines()[-1])
    return answer
