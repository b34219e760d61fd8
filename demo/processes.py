# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes: who they run as, which of them belong to a stack, and how they are ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAMS = ("postgres", "valkey-server", "redis-server", "nginx", "node")


class StackError(Exception):
    """Something the stack needs did not work; the text says what, why and what to do."""


def wait_until(condition: Callable[[], Any], seconds: float, pause: float = 0.05) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def _has_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return False


@dataclass(frozen=True)
class Identity:
    """Who the stack's programs run as: the caller, but never root.

    PostgreSQL refuses to be run by root, or by a user without a name. A user namespace that maps
    the caller to another user is enough for it and leaves the files with their owner. Where such a
    namespace is refused, the programs change to a user without rights.
    """

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None
    guard: int | None = None
    """The stack's lock. Helpers inherit it: should we be killed, the next run waits until they,
    too, have ended.
    """

    @classmethod
    def choose(cls) -> Identity:
        if os.geteuid() != 0 and _has_name(os.geteuid()):
            return cls()
        nobody = pwd.getpwnam("nobody")
        prefix = (
            "unshare",
            "--user",
            f"--map-user={nobody.pw_uid}",
            f"--map-group={nobody.pw_gid}",
        )
        with contextlib.suppress(OSError):
            seen = subprocess.run(
                [*prefix, "id", "-u"], capture_output=True, text=True, check=False
            )
            if seen.returncode == 0 and seen.stdout.strip() == str(nobody.pw_uid):
                return cls(prefix)
        return cls(uid=nobody.pw_uid, gid=nobody.pw_gid) if os.geteuid() == 0 else cls()

    def own(self, *paths: Path) -> None:
        """Let the programs own these files and folders, where they run as a user of their own."""
        if self.uid is None or self.gid is None:
            return
        for top in paths:
            for path in (top, *(top.rglob("*") if top.is_dir() and not top.is_symlink() else ())):
                if "node_modules" not in path.parts:  # shared with the cache, and only read
                    os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def may(self, right: str, path: Path) -> bool:
        """Whether the programs may read ('-r'), write ('-w') or enter ('-x') it."""
        unchanged = self.uid is None and not self.prefix
        return (
            unchanged
            or self.run(["test", right, path], env={"PATH": os.defpath}, check=False).returncode
            == 0
        )

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """See the programs' entries in /proc as their own user does: root may not."""
        if self.uid is None or self.gid is None:
            yield
            return
        libc = ctypes.CDLL(None)
        libc.setfsgid(self.gid)
        libc.setfsuid(self.uid)
        try:
            yield
        finally:
            libc.setfsuid(os.geteuid())
            libc.setfsgid(os.getegid())

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        check: bool = True,
        timeout: float | None = 120,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end. Its output is returned unless the caller sends it elsewhere."""
        if self.uid is not None:
            options = {"user": self.uid, "group": self.gid, "extra_groups": [], **options}
        options = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "umask": 0o077,
            **options,
        }
        if "input" in options:
            del options["stdin"]
        if self.guard is not None:
            options.setdefault("pass_fds", [self.guard])
        try:
            done = subprocess.run(
                [*self.prefix, *map(str, argv)],
                env=dict(env),
                timeout=timeout,
                check=False,
                **options,
            )
        except subprocess.TimeoutExpired:
            raise StackError(
                f"{Path(argv[0]).name} did not end within {timeout:.0f} seconds"
            ) from None
        if check and done.returncode:
            raise StackError(_failure(argv, done))
        return done

    def launch(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        log: Path,
        cwd: Path,
        timeout: float = 60,
    ) -> None:
        """Run a program that leaves a server behind: detached from our terminal, its words in a log
        file.
        """
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            begin = file.seek(0, os.SEEK_END)
            self.own(log)
            done = self.run(
                argv,
                env=env,
                check=False,
                timeout=timeout,
                cwd=cwd,
                stdout=file,
                stderr=file,
                start_new_session=True,
                pass_fds=[],
            )
        if done.returncode:
            said = log.read_bytes()[begin:].decode(errors="replace").strip()[-2000:]
            raise StackError(
                f"{Path(argv[0]).name} did not start (exit code {done.returncode}): {said}; log "
                f"file: {log}"
            )


def _failure(argv: Sequence[str | Path], done: subprocess.CompletedProcess[str]) -> str:
    said = "\n".join(text.strip() for text in (done.stderr, done.stdout) if text)[-2000:]
    command = f"{Path(argv[0]).name} {argv[1] if len(argv) > 1 else ''}"
    return f"{command} failed with exit code {done.returncode}: {said}"


def _start_time(pid: int) -> int:
    """Zero for a process that has ended, whether or not its parent has taken notice."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if state in "ZX" else int(fields[18])


@dataclass(frozen=True)
class Process:
    pid: int
    program: str
    started: int
    """In ticks since the machine's start; with the number it names this process and no later one.
    """

    @classmethod
    def any(cls, pid: int) -> Process | None:
        """A process of whatever program; nothing for one that has ended or is a zombie."""
        try:
            program = os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
        except OSError:
            return None
        started = _start_time(pid)
        return cls(pid, program, started) if started else None

    @classmethod
    def look(cls, pid: int) -> tuple[Process, Path] | None:
        """A server's process and its working directory; nothing for any other program."""
        process = cls.any(pid)
        if process is None or process.program not in PROGRAMS:
            return None
        try:
            cwd = Path(os.readlink(f"/proc/{pid}/cwd").removesuffix(" (deleted)"))
        except OSError:
            return None
        return process, cwd

    def alive(self) -> bool:
        return self.started == _start_time(self.pid)

    def signal(self, number: int) -> None:
        """Send a signal to this very process, and not to another that got its number since."""
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                if self.started == _start_time(self.pid):
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)


def processes_of(root: Path, pm2_home: str) -> dict[int, Process]:
    """All processes that belong to the stack in this folder, known by what they are and not by a
    number in a file.

    Servers work in a folder of the stack. PM2 and what it runs carry its home in their environment;
    a Node.js that a user runs inside the folder does not.
    """
    mark = f"PM2_HOME={pm2_home}".encode()
    found = {}
    for entry in os.listdir("/proc"):
        seen = Process.look(int(entry)) if entry.isdigit() else None
        if seen is None:
            continue
        process, cwd = seen
        if process.program == "node":
            try:
                belongs = mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
        else:
            belongs = cwd == root or root in cwd.parents
        if belongs:
            found[process.pid] = process
    return found


def end(find: Callable[[], Iterable[Process]], *stages: tuple[int, float]) -> None:
    """Signal what is found and wait for it to go, stage by stage: ``(SIGTERM, 5), (SIGKILL, 5)``. A
    frozen process is thawed first.
    """
    for number, seconds in stages:
        for process in find():
            process.signal(number)
            process.signal(signal.SIGCONT)
        if wait_until(lambda: not list(find()), seconds, 0.02):
            return
    left = ", ".join(f"{process.program} ({process.pid})" for process in find())
    raise StackError(f"could not end {left}; end it by hand and try again")


def read_pid(file: Path) -> int | None:
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def remove_tree(path: Path) -> None:
    """Remove a file or folder, also while an orphan still writes there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
        return

    def gone() -> bool:
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()

    if not wait_until(gone, 5):
        shutil.rmtree(path)  # says what is in the way
