"""A PM2 of the tests' own, with apps that fail as they are told to.

``PM2_UNDER_TEST=/path/to/node_modules/pm2`` takes another version of PM2.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from demo import packages

SECRET = "hunter2-of-the-environment"
#: Seconds for which the tests of restarts want an instance to stay up.
STABLE = 0.6

#: Runs pm2_health, pm2_process.
Health = Callable[..., dict[str, Any]]
Restart = Callable[..., dict[str, Any]]

#: Writes the lines of SAY to stderr, then exits after LIFE milliseconds, if that is set; instance
#: FAILING exits at once. A file ``fail`` beside it makes it fail with that file's content; with
#: SLOW it reports after so many milliseconds that it is ready, or as soon as no file ``never`` is
#: there.
APP = """
const fs = require('fs');
for (const line of (process.env.SAY || '').split('|')) if (line) console.error(line);
if (process.env.NODE_APP_INSTANCE === process.env.FAILING) process.exit(3);
if (fs.existsSync(__dirname + '/fail')) {
  console.error(fs.readFileSync(__dirname + '/fail', 'utf8'));
  // In cluster mode PM2 writes logs from within the process, and what is not yet written is lost.
  setTimeout(() => process.exit(3), 50);
}
const exit = () => process.exit(Number(process.env.CODE || 1));
if (process.env.LIFE) setTimeout(exit, Number(process.env.LIFE));
if (process.env.DEAF) process.on('SIGINT', () => {});
const never = () => fs.existsSync(__dirname + '/never');
const ready = () => never() ? setTimeout(ready, 50) : process.send('ready');
if (process.env.SLOW) setTimeout(ready, Number(process.env.SLOW));
setInterval(() => {}, 1000);
console.log('runs');
"""


class Pm2:
    """A PM2 of the tests' own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "pm2"
        self.zone = ""
        self.node = packages.programs(lambda package: package).node
        self.package = Path(
            os.environ.get("PM2_UNDER_TEST") or packages.npm_install(packages.HERE, print) / "pm2"
        )
        (folder / "app.js").write_text(APP)

    def cli(self, *arguments: str, cwd: Path | None = None) -> str:
        environment = {
            "PATH": f"{self.node.parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PM2_HOME": str(self.home),
            "PM2_DISABLE_VERSION_CHECK": "true",
            "PM2_DISCRETE_MODE": "true",
            "DATABASE_PASSWORD": SECRET,
            **({"TZ": self.zone} if self.zone else {}),
        }
        command = [self.node, self.package / "bin" / "pm2", *arguments]
        done = subprocess.run(
            command,
            env=environment,
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, f"pm2 {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, *apps: dict[str, Any]) -> None:
        file = self.folder / "ecosystem.json"
        file.write_text(
            json.dumps(
                {"apps": [{"script": "./app.js", "exec_mode": "fork", **app} for app in apps]}
            )
        )
        self.cli("start", str(file))

    def rows(self, name: str) -> list[dict[str, Any]]:
        """What PM2's own command says about an app, as an independent source."""
        return [row for row in self.everything() if row["name"] == name]

    def everything(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self.cli("jlist", "--silent"))
        return listed

    def wait(
        self, name: str, condition: Callable[[list[dict[str, Any]]], bool], seconds: float = 30
    ) -> None:
        until = time.monotonic() + seconds
        while not condition(found := self.rows(name)):
            states = [(row["pm2_env"]["status"], row["pm2_env"]["restart_time"]) for row in found]
            assert time.monotonic() < until, f"{name}: {states}"
            time.sleep(0.2)

    def log(self, name: str) -> Path:
        (path,) = {Path(row["pm2_env"]["pm_err_log_path"]) for row in self.rows(name)}
        return path

    def said(self, name: str, text: str) -> None:
        """Wait until an app has written something to its error log."""
        log = self.log(name)
        self.wait(name, lambda rows: text in log.read_text())

    def run(self, *apps: dict[str, Any]) -> None:
        """Start apps, and wait until each instance has come to the end of its script."""
        self.start(*apps)
        for app in apps:
            self.wait(
                app["name"],
                lambda rows: all(
                    "runs" in Path(row["pm2_env"]["pm_out_log_path"]).read_text() for row in rows
                ),
            )

    @property
    def daemon(self) -> int:
        return int((self.home / "pm2.pid").read_text())


@contextlib.contextmanager
def own_pm2() -> Iterator[Pm2]:
    with tempfile.TemporaryDirectory(
        prefix="pm2-"
    ) as folder:  # the name of a socket has to be short
        pm2 = Pm2(Path(folder))
        try:
            yield pm2
        finally:
            if (pm2.home / "rpc.sock").exists():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    os.kill(pm2.daemon, signal.SIGCONT)
                pm2.cli("kill")


def restarted(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Id and status of each action of pm2_process."""
    return [
        (action["subject"].rpartition(" ")[2], action["status"]) for action in answer["actions"]
    ]


def pids(pm2: Pm2, name: str) -> dict[int, int]:
    """The processes of an app by PM2's id."""
    return {row["pm_id"]: row["pid"] for row in pm2.rows(name)}
