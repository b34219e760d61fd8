# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server of a run's own, on which backups are restored as a proof, and then removed.

It listens on a socket in a private folder alone. The kernel ends it if this process is killed; its
files are then removed by the next run.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

from ...core.errors import NotCollected
from ...core.processes import die_with_parent
from ..programs import Programs
from ..url import Target

#: Short, as the path of a socket must be.
PREFIX = "runbook-pg-"
ROLE = "postgres"
#: User that the server runs as where this process is root's, which PostgreSQL refuses. Processes of
#: that user can read what is restored, so it must not be one that other services share.
USER = "postgres"
#: It is thrown away: nothing needs to survive a crash.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "autovacuum": "off",
    "maintenance_work_mem": "256MB",
    "max_locks_per_transaction": "256",
    "unix_socket_permissions": "0700",
}
#: Seconds for initdb, and for the server to start.
SECONDS = 120.0
_LOCK, _NEW_LOCK = "lock", "lock.new"
_POLL = 0.05
#: Line of postmaster.pid with the state of the server.
_STATE, _READY = 7, "ready"


@dataclass(frozen=True)
class _Owner:
    """Who the server runs as, if not as this process."""

    uid: int
    gid: int


@contextmanager
def temporary_server(
    programs: Programs, folder: str, watch: Callable[[], None]
) -> Iterator[Target]:
    """A new, empty server until the block ends; its files are below ``folder``.

    ``watch`` is called again and again while it starts, and ends that by raising. Raises
    `NotCollected` if there are no programs for a server, or it does not start.
    """
    _require_server(programs)
    owner = _owner()
    with _home(folder) as home, open(os.path.join(home, "log"), "a+b") as said:
        if owner is not None:
            os.chown(home, owner.uid, owner.gid)
        data = os.path.join(home, "data")
        arguments = ["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        initdb = [programs.path("initdb"), f"--pgdata={data}", f"--username={ROLE}", *arguments]
        _finish(_start(initdb, home, owner, said), said, watch)
        settings = {**SETTINGS, "unix_socket_directories": home}
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server = _start([programs.path("postgres"), "-D", data, *given], home, owner, said)
        try:
            _await(server, data, said, watch)
            yield Target({"host": home, "port": "5432", "user": ROLE, "dbname": ROLE})
        finally:
            _stop(server)


def leftovers(folder: str) -> list[str]:
    """The folders of servers whose runs were killed."""
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            named = entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False)
            if named and _is_left(entry.path):
                found.append(entry.path)
    return sorted(found)


def remove(home: str) -> None:
    """Remove the folder of a server that no longer runs, as far as that can be done."""
    shutil.rmtree(home, ignore_errors=True)


def _is_left(home: str) -> bool:
    """Whether no run holds its lock; one without is another user's, or is just being made."""
    try:
        handle = os.open(os.path.join(home, _LOCK), os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


@contextmanager
def _home(folder: str) -> Iterator[str]:
    """A private folder, locked as long as this process lives."""
    try:
        home = tempfile.mkdtemp(prefix=PREFIX, dir=folder)
    except OSError as error:
        raise NotCollected(
            f"a temporary server cannot be made in {folder}: {error.strerror}",
            "Give another folder as temporary_dir.",
        ) from None
    handle = os.open(os.path.join(home, _NEW_LOCK), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        # Another run must never find it without its lock.
        os.rename(os.path.join(home, _NEW_LOCK), os.path.join(home, _LOCK))
        yield home
    finally:
        remove(home)
        os.close(handle)


def _require_server(programs: Programs) -> None:
    for name in ("initdb", "postgres"):
        if not os.access(programs.path(name), os.X_OK):
            major = programs.major
            raise NotCollected(
                f"{programs.folder} has no {name}, so no temporary server can be started",
                f"Install PostgreSQL {major} (Debian: postgresql-{major}) on the host of the "
                "backups, or set bin_dir.",
            )


def _owner() -> _Owner | None:
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        found = pwd.getpwnam(USER)
        return _Owner(found.pw_uid, found.pw_gid)
    raise NotCollected(
        f"PostgreSQL does not run as root, and there is no user '{USER}'",
        "Run this as the user who owns the backups.",
    )


def _start(
    argv: list[str], home: str, owner: _Owner | None, said: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a program of the server's; it ends with this process."""
    end = die_with_parent(os.getpid(), signal.SIGQUIT)
    identity: dict[str, Any] = {}
    if owner is not None:
        identity = {"user": owner.uid, "group": owner.gid, "extra_groups": []}
    environment = {"PATH": os.defpath, "LC_ALL": "C", "HOME": home}
    try:
        return subprocess.Popen(  # noqa: S603 - no shell
            argv,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            umask=0o077,
            preexec_fn=end,
            **identity,
        )
    except OSError as error:
        raise NotCollected(
            f"{argv[0]} cannot be started: {error.strerror}",
            "Run this as the user who owns the backups, and let that user read bin_dir.",
        ) from None


def _finish(program: subprocess.Popen[bytes], said: IO[bytes], watch: Callable[[], None]) -> None:
    """Wait for initdb."""
    end = time.monotonic() + SECONDS
    try:
        while program.poll() is None:
            watch()
            if time.monotonic() > end:
                raise _failed("initdb has not ended", said)
            time.sleep(_POLL)
    finally:
        _stop(program)
    if program.returncode:
        raise _failed("initdb failed", said)


def _await(
    server: subprocess.Popen[bytes], data: str, said: IO[bytes], watch: Callable[[], None]
) -> None:
    """Wait until the server lets sessions in, as its own file says."""
    end = time.monotonic() + SECONDS
    while True:
        watch()
        if server.poll() is not None or time.monotonic() > end:
            raise _failed("the temporary server does not start", said)
        with suppress(OSError, IndexError), open(os.path.join(data, "postmaster.pid")) as stream:
            if stream.read().splitlines()[_STATE].strip() == _READY:
                return
        time.sleep(_POLL)


def _failed(what: str, said: IO[bytes]) -> NotCollected:
    said.seek(0)
    text = said.read().decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it said nothing"]
    why = next((line for line in lines if "FATAL" in line or "error:" in line), lines[-1])
    return NotCollected(f"{what}: {why[:300]}")


def _stop(program: subprocess.Popen[bytes]) -> None:
    """End it at once: an immediate shutdown, which removes its shared memory."""
    if program.poll() is None:
        program.send_signal(signal.SIGQUIT)
        try:
            program.wait(30)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
