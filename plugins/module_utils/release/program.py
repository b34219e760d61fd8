# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program on trial: started as PM2 would, and ended for certain, whatever happens to us."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from types import TracebackType
from typing import IO, Any

from ..core.errors import NotCollected
from ..core.processes import POLL, die_with_parent
from ..logs.last_error import last_error
from .backends.pm2_start import Start

#: Seconds for which it may take to end by itself.
_GRACE = 3.0
#: Bytes at the end of what it wrote that are searched for its last error.
_READ = 64 << 10
#: Ends a group of processes once the other end of its input is closed: this process is gone.
_GUARD = 'read -r group; read -r line; kill -s KILL -- "-$group" 2>/dev/null'


class Program:
    """A running program with the processes that it starts, on a port of its own.

    Start it from the main thread: the kernel kills it when the thread that started it ends.
    """

    def __init__(self, start: Start, port: int) -> None:
        self.began = time.monotonic()
        self.host, self.port = "127.0.0.1", port
        self.ready = not start.wait_ready
        """Whether it has told PM2 that it is ready, or need not."""
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._channel, theirs = socket.socketpair()
        self._channel.setblocking(False)
        given, self._pipe = os.pipe()  # closed in every program that is started from here
        self._guard = subprocess.Popen(  # noqa: S603 - a constant
            ["/bin/sh", "-c", _GUARD],
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(given)
        try:
            self._process = self._launch(start, port, theirs)
            os.write(self._pipe, b"%d\n" % self._process.pid)
        except BaseException as error:
            self._close()
            if isinstance(error, OSError):
                raise NotCollected(
                    f"{start.argv[0]} cannot be started in {start.cwd}: {error.strerror}"
                ) from None
            raise
        finally:
            theirs.close()

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def ended(self) -> str:
        """``it ended with exit code 1 after 3 s``; empty while it runs."""
        code = self._process.poll()
        if code is None:
            return ""
        after = f"after {time.monotonic() - self.began:.1f} s"
        if code >= 0:
            return f"it ended with exit code {code} {after}"
        with suppress(ValueError):
            return f"it was ended by {signal.Signals(-code).name} {after}"
        return f"it was ended by signal {-code} {after}"

    def listen(self) -> None:
        """Read what it sends to PM2, so that its channel never fills."""
        with suppress(OSError):
            while said := self._channel.recv(65536):
                self.ready = self.ready or b'"ready"' in said

    def last_error(self) -> str:
        """The last message of its error output, or of its output; only its fingerprint."""
        for stream, plain in ((self._errors, True), (self._output, False)):
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _READ))
            message = last_error(stream.read(_READ).decode(errors="replace"), plain=plain)
            if message:
                return message
        return ""

    def end(self) -> None:
        """End it and everything that it started."""
        self._signal(signal.SIGINT)
        end = time.monotonic() + _GRACE
        while self._process.poll() is None and time.monotonic() < end:
            self.listen()
            time.sleep(POLL / 4)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._close()

    def _launch(self, start: Start, port: int, theirs: socket.socket) -> subprocess.Popen[bytes]:
        environment = {**start.environment, "PORT": str(port)}
        channel: tuple[int, ...] = ()
        if start.node:
            environment["NODE_CHANNEL_FD"] = str(theirs.fileno())
            environment["NODE_CHANNEL_SERIALIZATION_MODE"] = "json"
            channel = (theirs.fileno(),)
        return subprocess.Popen(  # noqa: S603 - what PM2 runs
            list(start.argv),
            cwd=start.cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
            pass_fds=channel,
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid()),
            **_become(start.user),
        )

    def _signal(self, number: int) -> None:
        with suppress(OSError):
            os.killpg(self._process.pid, number)

    def _close(self) -> None:
        self._guard.kill()  # before its input closes, as the group's number may be used again
        self._guard.wait()
        os.close(self._pipe)
        self._channel.close()
        self._output.close()
        self._errors.close()


def free_port() -> int:
    """A port of the loopback interface that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _become(user: int | None) -> dict[str, Any]:
    """How a process becomes another user, with the groups of that one."""
    if user is None:
        return {}
    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        return {"user": user, "extra_groups": []}
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return {"user": user, "group": entry.pw_gid, "extra_groups": groups}
