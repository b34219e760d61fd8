"""An app of two versions in a plain git checkout, as the runbook has it, under a PM2 of its own."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

from demo.services import fetch
from demo.settings import is_free
from tests.conftest import RunModule, start_module
from tests.support.pm2 import Pm2

#: Says its version, and answers what it has accepted before it ends.
SERVER = """
const server = require('node:http').createServer((request, response) => {
  response.end(JSON.stringify({ version: require('./package.json').version }));
}).listen(process.env.PORT, '127.0.0.1', () => process.send?.('ready'));
const { worker } = require('node:cluster');
const exit = () => process.exit(0);
const end = () => (worker ? worker.disconnect().once('disconnect', exit) : server.close(exit));
process.on('SIGINT', end);
"""


class Checkout:
    """An app of two versions in a checkout, under a PM2 of its own."""

    def __init__(
        self, pm2: Pm2, run_module: RunModule, name: str = "plain", instances: int = 2, **env: str
    ) -> None:
        self.pm2, self._run_module, self.name = pm2, run_module, name
        self.path = pm2.folder / "srv" / name
        ports = random.sample(range(20_000, 32_000), 100)  # several apps may choose at once
        self.port = next(port for port in ports if is_free(port))
        self.url = f"http://127.0.0.1:{self.port}/"
        self.origin = pm2.folder / "origins" / name
        self.origin.mkdir(parents=True)
        self._git(self.origin, "init", "--quiet", "--initial-branch=main")
        (self.origin / "server.js").write_text(SERVER)
        self.commit("1.0.0")
        self.commit("1.1.0")
        self._git(pm2.folder, "clone", "--quiet", str(self.origin), str(self.path))
        pm2.start(
            {
                "name": name,
                "script": "server.js",
                "cwd": str(self.path),
                "exec_mode": "cluster",
                "instances": instances,
                "wait_ready": True,
                "env": {**env, "PORT": str(self.port)},
            }
        )

    def commit(self, version: str, **programs: str) -> str:
        """A version; ``server=text`` is its server.js. The next one begins with these files."""
        for name, text in programs.items():
            (self.origin / f"{name}.js").write_text(text)
        (self.origin / "package.json").write_text(f'{{"version": "{version}"}}')
        self._git(self.origin, "add", "--all")
        self._git(self.origin, "commit", "--quiet", "--message", version)
        self._git(self.origin, "tag", f"v{version}")
        return f"v{version}"

    def run(self, state: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        return self._run_module("app_release", self._given(state, options), check=check)

    def start(self, state: str, **options: Any) -> subprocess.Popen[str]:
        """The same in a process that can be killed."""
        return start_module("app_release", self._given(state, options))

    def ask(self, module: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run another module on the app."""
        given = {"name": self.name, "pm2_home": str(self.pm2.home), **options}
        return self._run_module(module, given, check=check)

    @property
    def settings(self) -> dict[str, Any]:
        """How it is built, tried and proven."""
        return {
            "build": ["echo built > built"],
            "health_urls": [self.url],
            "version_url": self.url,
            "bake": 0.3,
            "trial_for": 0.3,
        }

    def _given(self, state: str, options: dict[str, Any]) -> dict[str, Any]:
        own = {"name": self.name, "state": state, "pm2_home": str(self.pm2.home)}
        return {**own, "free_disk": 0.001, **self.settings, **options}

    @property
    def answer(self) -> str:
        return fetch(self.url)[1]

    @property
    def version(self) -> str:
        """The version that serves, as a tag."""
        return f"v{json.loads(self.answer)['version']}"

    def folders(self) -> set[str]:
        rows = self.pm2.rows(self.name)
        assert {row["pm2_env"]["pm_cwd"] for row in rows} == {str(self.path)}
        return {os.readlink(f"/proc/{row['pid']}/cwd") for row in rows}

    def _git(self, folder: Path, *arguments: str) -> None:
        identity = ["-c", "user.name=demo", "-c", "user.email=demo@localhost"]
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)
