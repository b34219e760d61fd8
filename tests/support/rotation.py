"""Logs of the tests' own: a writer that never pauses, and every line of it, wherever it is now."""

from __future__ import annotations

import gzip
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.writers import can_cut
from demo.processes import wait_until
from tests.conftest import RunModule

#: Writes numbered lines as fast as it can, and opens its log again on SIGHUP, as servers do; with
#: a third argument it does not. On SIGTERM it says how many there were, and ends.
WRITER = """
import os, signal, sys, time
path, count = sys.argv[1:3]
again, stop = False, False
def hangup(*_):
    global again
    again = len(sys.argv) < 4
def term(*_):
    global stop
    stop = True
signal.signal(signal.SIGHUP, hangup)
signal.signal(signal.SIGTERM, term)
def opened():
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
handle, number = opened(), 0
while not stop:
    if again:
        again = False
        before, handle = handle, opened()
        os.close(before)
    os.write(handle, b'line %d %s\\n' % (number, b'x' * 60))
    number += 1
    if number % 100 == 0:
        time.sleep(0.001)  # it fills no disk, and is in the middle of something all the same
with open(count, 'w') as stream:
    stream.write(str(number))
"""
#: An app that writes numbered lines without a pause, every second number of all; it ends when there
#: is a file, and says how many lines it wrote.
BUSY = """
const fs = require('fs'), [stop, part] = process.argv.slice(2);
let lines = 0;
const timer = setInterval(() => {
  for (let some = 0; some < 20; some++)
    console.log(`line ${2 * lines++ + Number(part)} ${'x'.repeat(60)}`);
  if (fs.existsSync(stop)) {
    clearInterval(timer);
    fs.writeFileSync(`${stop}.${part}`, String(lines));
  }
}, 1);
setInterval(() => {}, 1000);
"""
_LINE = re.compile(rb"line (\d+) x{60}\n")
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
LOGROTATE = os.environ.get("LOGROTATE_UNDER_TEST") or shutil.which("logrotate", path=_PATH) or ""
needs_cut = pytest.mark.skipif(
    not can_cut(tempfile.gettempdir()),
    reason="the file system of temporary files cannot take lines off the head of a file",
)
needs_logrotate = pytest.mark.skipif(not LOGROTATE, reason="logrotate is not installed")


@dataclass
class Place:
    """Folders for logs, for configurations and for archives."""

    root: Path
    run_module: RunModule

    def __post_init__(self) -> None:
        for name in ("log", "logrotate.d", "archive"):
            (self.root / name).mkdir(mode=0o755)
        (self.root / "logrotate.conf").write_text(f"weekly\ninclude {self.configs}\n")

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def configs(self) -> Path:
        return self.root / "logrotate.d"

    @property
    def config(self) -> Path:
        return self.configs / "ours"

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    @property
    def pid_file(self) -> Path:
        return self.root / "writer.pid"

    def options(self, **more: Any) -> dict[str, Any]:
        return {
            "paths": [str(self.logs / "*.log")],
            "config_file": str(self.config),
            "main_config": str(self.root / "logrotate.conf"),
            "state_file": str(self.root / "status"),
            "program": LOGROTATE or str(self.root / "no-logrotate"),
            "archive_dir": str(self.archive),
            "keep_free": "0",
            "wait": 20,
            **more,
        }

    def run(self, *, check: bool = False, **more: Any) -> dict[str, Any]:
        return self.run_module("log_rotation", self.options(**more), check=check)

    def follows(self) -> dict[str, Any]:
        """The option that tells the writer."""
        return {"reopen_command": f"kill -HUP $(cat {self.pid_file})"}

    @contextmanager
    def writer(
        self, name: str = "app.log", deaf: bool = False
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A writer at full speed; at the end of the block it has stopped."""
        count = self.root / "count"
        count.unlink(missing_ok=True)
        command = [sys.executable, "-c", WRITER, str(self.logs / name), str(count)]
        with subprocess.Popen([*command, *(["deaf"] if deaf else [])]) as process:
            try:
                assert wait_until((self.logs / name).exists, 30)
                self.pid_file.write_text(str(process.pid))
                yield process
            finally:
                process.send_signal(signal.SIGCONT)
                process.terminate()

    @property
    def written(self) -> int:
        """How many lines the writer wrote; only after it has stopped."""
        return int((self.root / "count").read_text())

    def files(self) -> list[Path]:
        """The files that count: logs, rotated ones, finished archives."""
        places = [*self.logs.iterdir(), *self.archive.rglob("*")]
        return [
            path
            for path in places
            if path.is_file() and not path.name.startswith(".") and path.suffix != ".sha256"
        ]

    def lines(self) -> Counter[int]:
        """How often each line is there."""
        return Counter(
            int(number) for path in self.files() for number in _LINE.findall(content(path))
        )

    def rotated(self) -> list[str]:
        return sorted(path.name for path in self.logs.iterdir() if "-20" in path.name)

    def archived(self) -> list[str]:
        return sorted(path.name for path in self.archive.rglob("*.gz"))


def content(path: Path) -> bytes:
    """What can be read of a file, also of half a compressed one."""
    data = path.read_bytes()
    name = path.name.removesuffix(".archiving")
    if not name.endswith((".gz", ".backup")):
        return data
    decoder = zlib.decompressobj(wbits=31)
    try:
        return decoder.decompress(data)
    except zlib.error:
        return b""


def rotated_file(folder: Path, name: str, text: bytes, days: float = 0) -> Path:
    """A rotated log whose last line is so many days old."""
    path = folder / name
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    moment = path.stat().st_mtime - days * 86400
    os.utime(path, (moment, moment))
    return path


def actions(result: dict[str, Any], name: str) -> list[tuple[str, str]]:
    """Status and subject's file name of the actions of a name."""
    return [
        (each["status"], os.path.basename(each["subject"]))
        for each in result["actions"]
        if each["name"] == f"logs.{name}"
    ]


def status_of(result: dict[str, Any], name: str) -> str:
    (found,) = [each for each in result["checks"] if each["name"] == f"logs.{name}"]
    return str(found["status"])


def summary_of(result: dict[str, Any], name: str) -> str:
    (found,) = [each for each in result["checks"] if each["name"] == f"logs.{name}"]
    return str(found["summary"])


def as_cron(place: Place) -> list[str]:
    """How cron starts logrotate."""
    return [LOGROTATE, "--state", str(place.root / "status")]


def logrotate(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*as_cron(place), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def kill_all(pid: int, chance: random.Random) -> None:
    """End a process and all that it has started, it first or last."""
    pids = [pid, *_children(pid)]
    for each in pids[:: chance.choice([1, -1])]:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    direct = [int(each) for each in found.read_text().split()] if found.exists() else []
    return [*direct, *(each for child in direct for each in _children(child))]
