# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends the servers that a test run or a benchmark started, also when it was killed and could not.

The watchdog is a process of its own that waits until the process that started it, its owner, has
ended. Then it ends every process that belongs to the owner's folders. A server belongs to a folder
it works in; any program belongs to a folder that its environment names. Servers that became daemons
are found like all others.

A program calls `private_temporary_folder()` or `start()` once. A shell script starts
`python -m demo.watchdog FOLDER …` in the background.
"""

from __future__ import annotations

import argparse
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from demo.processes import Identity, Process, StackError, remove_tree

RUN_PID = "RUNBOOK_RUN_PID"
"""The environment variable with the process id of the `make` that the owner is a part of."""
QUIET_SECONDS = 0.5
"""How long nothing must be found: a client that was just ended may have started one more server."""
NOT_MARKS = (b"PWD", b"OLDPWD", b"_", b"PATH")
"""Variables that name a folder although the program does not belong to it."""


def private_temporary_folder(*more: Path, run: int | None = None) -> Path:
    """Let this process, and what it starts, keep temporary files in a folder of its own.

    Once this process has ended, everything that belongs to the folder, or to the others given, ends
    and the folder is removed. For `run` see `start()`.
    """
    tempfile.tempdir = None
    folder = Path(tempfile.mkdtemp(prefix="runbook-"))
    folder.chmod(0o711)  # servers may run as another user
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    start(folder, *more, remove=[folder], run=run)
    return folder


def start(*folders: Path, remove: Sequence[Path] = (), run: int | None = None) -> int:
    """Start a watchdog over this process; returns the watchdog's process id.

    `run` is the process that this one is a part of, by default the `make` that started it, if any:
    when that ends first, the watchdog ends this process, too.
    """
    command = [sys.executable, "-m", "demo.watchdog"]
    command += [f"--remove={folder}" for folder in remove]
    command += [f"--run={run or os.environ.get(RUN_PID) or 0}", "--", *map(str, folders)]
    watchdog = subprocess.Popen(
        command,
        cwd=Path(__file__).resolve().parent.parent,
        env={"PATH": os.defpath},  # it must not belong to the folders itself
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    if not watchdog.stdout or watchdog.stdout.readline() != b"watching\n":
        raise StackError(f"the watchdog over {folders} did not start")
    watchdog.stdout.close()
    watchdog.returncode = 0  # it outlives us: no warning that it still runs
    return watchdog.pid


# --- the watchdog itself --------------------------------------------------------------------------


def _names(entry: bytes, folder: bytes) -> bool:
    """Whether an entry of an environment has the folder, or something in it, as its value."""
    name, _, value = entry.partition(b"=")
    return name not in NOT_MARKS and (value == folder or value.startswith(folder + b"/"))


def belongs(pid: int, folders: Sequence[Path]) -> bool:
    """Whether a process is a server that works in a folder, or has one in its environment."""
    seen = Process.look(pid)
    if seen and any(folder == seen[1] or folder in seen[1].parents for folder in folders):
        return True
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    marks = [os.fsencode(folder) for folder in folders]
    return any(_names(entry, mark) for entry in environment for mark in marks)


def find(folders: Sequence[Path]) -> list[Process]:
    """Every process that belongs to the folders, except this one."""
    with Identity.choose().looking():
        pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
        found = [pid for pid in pids if pid != os.getpid() and belongs(pid, folders)]
        return [process for process in map(Process.any, found) if process]


def end_all(folders: Sequence[Path], patience: float = 5) -> None:
    """End every process that belongs to the folders: in order at first, then by force."""
    begin = quiet_since = time.monotonic()
    asked: set[Process] = set()
    while time.monotonic() - quiet_since < QUIET_SECONDS and time.monotonic() - begin < 60:
        found = find(folders)
        by_force = time.monotonic() - begin > patience
        for process in found:
            if by_force:
                process.signal(signal.SIGKILL)
            elif process not in asked:
                asked.add(process)
                # To PostgreSQL: end now, and leave no shared memory behind.
                is_postgres = process.program == "postgres"
                process.signal(signal.SIGQUIT if is_postgres else signal.SIGTERM)
                process.signal(signal.SIGCONT)
        if found:
            quiet_since = time.monotonic()
        time.sleep(0.05)


def _handle(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def wait_for_end(owner: int, run: int) -> None:
    """Wait until the owner has ended. When the run it is a part of ends first, end the owner."""
    owned = _handle(owner)
    if owned is None or os.getppid() != owner:
        return
    whole = _handle(run) if run else None
    watched = [owned] if whole is None else [owned, whole]
    ended, _, _ = select.select(watched, [], [])
    for number in (signal.SIGTERM, signal.SIGKILL):
        if owned in ended:
            return
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(owned, number)
        ended, _, _ = select.select([owned], [], [], 5)


def _let_go() -> None:
    """Whoever reads our owner's output to its end must not wait for us."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.watchdog", description=__doc__)
    parser.add_argument("--run", type=int, default=0, help="process that the owner is a part of")
    parser.add_argument("--remove", type=Path, action="append", default=[], help="folder to remove")
    parser.add_argument("--then", default="", help="command to run once everything has ended")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    owner = os.getppid()
    folders = [folder.resolve() for folder in options.folders]
    print("watching", flush=True)
    _let_go()
    wait_for_end(owner, options.run)
    end_all(folders)
    if options.then:
        subprocess.run(shlex.split(options.then), check=False, timeout=300)
    for folder in options.remove:
        with suppress(OSError):
            remove_tree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
