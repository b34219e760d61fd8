# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PM2's state, read over the RPC socket of its daemon: in milliseconds, without node, and never starting a daemon.

PM2 speaks axon's request and reply over AMP: a message is one byte (version and number of arguments), then each argument with
its length before it; arguments are tagged ``j:`` (JSON) or ``s:`` (string). The daemon answers with the whole environment of
every process, secrets included, so only the fields of `Instance` are ever taken out of the answer.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.deadline import Deadline, DeadlineExceeded

#: What PM2 calls the states of a process.
ONLINE, ERRORED, STOPPED, STOPPING, LAUNCHING, WAITING = (
    "online",
    "errored",
    "stopped",
    "stopping",
    "launching",
    "waiting restart",
)

_VERSION = 1
_LARGEST_ANSWER = 64 << 20
#: Seconds that an app has to end, and to start, where it sets no times of its own; PM2's defaults.
_KILL_TIMEOUT = 1.6
_LISTEN_TIMEOUT = 3.0
_PEER = struct.Struct("3i")


class Unavailable(Exception):
    """The daemon could not be asked; the text says why, and names the socket."""


class NotAllowed(Unavailable):
    """A daemon may well run, but this user may not talk to it."""


@dataclass(frozen=True)
class Instance:
    """One process under PM2; nothing else of PM2's answer is kept. Times are in seconds since the epoch, sizes in bytes."""

    pm_id: int
    name: str
    namespace: str
    status: str
    pid: int = 0
    restarts: int = 0
    """Every restart since PM2 has the process in its list, those by hand, by deployments and at the memory limit included."""
    unstable_restarts: int = 0
    """Exits less than min_uptime after a start, since it was last started on purpose."""
    started: float | None = None
    created: float | None = None
    """When it was last started on purpose. A restart by PM2 itself after a crash leaves it as it is."""
    kill_timeout: float = _KILL_TIMEOUT
    """Seconds after which PM2 kills a process that it has told to end."""
    wait_ready: bool = False
    """Whether the app says when it is ready; PM2 then waits for that before it goes on."""
    listen_timeout: float = _LISTEN_TIMEOUT
    """Seconds after which PM2 waits no longer, and takes the app for ready all the same."""
    exit_code: int | None = None
    memory: int = 0
    """Resident memory; 0 also means that PM2 could not measure it."""
    memory_limit: int | None = None
    autorestart: bool = True
    scheduled: bool = False
    cluster: bool = False
    module: bool = False
    error_log: str = ""
    out_log: str = ""
    log_date_format: str = ""
    logs_disabled: bool = False

    @property
    def restarted_by_itself(self) -> bool:
        """Whether its latest start was PM2's answer to an exit nobody asked for."""
        if not self.restarts or self.started is None or self.created is None:
            return False
        # A restart on purpose sets both anew and this count to 0, then waits for the old process to end, which may count as 1.
        return self.unstable_restarts > 1 or self.started - self.created > self.kill_timeout + 1.0

    @property
    def between_runs(self) -> bool:
        """Whether it is a job that cron starts, at rest after a run that went well."""
        return (
            self.status == STOPPED
            and self.scheduled
            and not self.autorestart
            and not self.exit_code
        )


@dataclass(frozen=True)
class App:
    """The instances of one name in one namespace. PM2 gives ids anew after a restart, so names are what stays."""

    name: str
    namespace: str
    instances: tuple[Instance, ...]

    @property
    def label(self) -> str:
        return self.name if self.namespace in ("", "default") else f"{self.namespace}/{self.name}"

    @property
    def online(self) -> tuple[Instance, ...]:
        return tuple(i for i in self.instances if i.status == ONLINE)


def default_home() -> str:
    """The folder of the daemon that PM2 itself would use as this user."""
    return os.environ.get("PM2_HOME") or os.path.join(os.path.expanduser("~"), ".pm2")


def applications(instances: Iterable[Instance], namespace: str | None = None) -> list[App]:
    """The apps, by namespace and name; PM2's own modules (log rotation and the like) are none."""
    found: dict[tuple[str, str], list[Instance]] = {}
    for instance in instances:
        if not instance.module and namespace in (None, instance.namespace):
            found.setdefault((instance.namespace, instance.name), []).append(instance)
    return [
        App(name, space, tuple(sorted(rows, key=lambda row: row.pm_id)))
        for (space, name), rows in sorted(found.items())
    ]


class Client:
    """A connection to the daemon of one PM2_HOME. Connecting to a daemon that does not run fails; it starts nothing."""

    def __init__(self, home: str, deadline: Deadline) -> None:
        self.socket_path = os.path.join(home, "rpc.sock")
        self.daemon_pid = 0
        self._deadline = deadline
        self._calls = 0
        self._stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connect(home)
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stream.close()

    @property
    def daemon_started(self) -> str:
        """The moment the daemon started, as the kernel counts it; empty where that cannot be seen."""
        fields = _process_stat(self.daemon_pid)
        return fields[19] if len(fields) > 19 else ""

    def instances(self) -> list[Instance]:
        """All processes under PM2, its own modules among them."""
        answer = self.call("getMonitorData", {})
        rows = answer[0] if answer and isinstance(answer[0], list) else None
        if rows is None:
            raise Unavailable(f"PM2's daemon at {self.socket_path} sent no list of processes")
        return [
            _instance(row)
            for row in rows
            if isinstance(row, dict) and isinstance(row.get("pm2_env"), dict)
        ]

    def call(self, method: str, *args: Any) -> list[Any]:
        """Call one of the methods that the daemon exposes, and return what it answers."""
        self._calls += 1
        identity = f"{os.getpid()}:{self._calls}"
        request = json.dumps({"type": "call", "method": method, "args": args}).encode()
        try:
            self._stream.settimeout(self._deadline.remaining())
            self._stream.sendall(encode([b"j:" + request, b"s:" + identity.encode()]))
            parts = self._receive()
        except socket.timeout:
            raise DeadlineExceeded from None
        except OSError as error:
            raise Unavailable(
                f"PM2's daemon at {self.socket_path} broke the connection: {error.strerror}"
            ) from None
        body = (
            _decoded(parts[0])
            if len(parts) == 2 and parts[1] == b"s:" + identity.encode()
            else None
        )
        if not isinstance(body, dict):
            raise Unavailable(f"what listens at {self.socket_path} does not answer as PM2 does")
        if not isinstance(body.get("args"), list):
            # The text of an error could quote an environment: PM2's own log has it.
            raise Unavailable(
                f"PM2's daemon at {self.socket_path} refused {method}; see pm2.log beside that socket"
            )
        result: list[Any] = body["args"]
        return result

    def _connect(self, home: str) -> None:
        try:
            self._stream.settimeout(self._deadline.remaining())
            self._stream.connect(self.socket_path)
        except socket.timeout:
            raise DeadlineExceeded from None
        except PermissionError:
            owner = _user_of(self.socket_path)
            raise NotAllowed(
                f"user {_user(os.geteuid())} may not connect to {self.socket_path}{owner and f', which belongs to user {owner}'}"
            ) from None
        except FileNotFoundError:
            reason = (
                f"there is no socket {self.socket_path}"
                if os.path.isdir(home)
                else f"there is no folder {home}"
            )
            raise Unavailable(reason) from None
        except ConnectionRefusedError:
            raise Unavailable(
                f"nothing listens on {self.socket_path}, a daemon that died left it behind"
            ) from None
        except BlockingIOError:
            raise Unavailable(
                f"the daemon at {self.socket_path} accepts no more connections, it seems to hang"
            ) from None
        except OSError as error:
            raise Unavailable(f"{self.socket_path}: {error.strerror or error}") from None
        self.daemon_pid = _PEER.unpack(
            self._stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        )[0]

    def _receive(self) -> list[bytes]:
        """One message, read whole."""
        head = self._exactly(1)[0]
        if head >> 4 != _VERSION:
            raise Unavailable(f"what listens at {self.socket_path} does not speak PM2's protocol")
        return [
            self._exactly(struct.unpack(">I", self._exactly(4))[0]) for dummy in range(head & 0xF)
        ]

    def _exactly(self, length: int) -> bytes:
        if length > _LARGEST_ANSWER:
            raise Unavailable(
                f"PM2's daemon at {self.socket_path} announced {length} bytes, which no list of processes needs"
            )
        chunks: list[bytes] = []
        while length:
            self._stream.settimeout(self._deadline.remaining())
            chunk = self._stream.recv(min(length, 1 << 18))
            if not chunk:
                raise Unavailable(
                    f"PM2's daemon at {self.socket_path} closed the connection before it answered"
                )
            chunks.append(chunk)
            length -= len(chunk)
        return b"".join(chunks)


def encode(arguments: Iterable[bytes]) -> bytes:
    """An AMP message of these arguments."""
    parts = list(arguments)
    return bytes([_VERSION << 4 | len(parts)]) + b"".join(
        struct.pack(">I", len(part)) + part for part in parts
    )


def is_stopped(pid: int) -> bool:
    """Whether a process was frozen by a signal (SIGSTOP) or a debugger."""
    return _process_stat(pid)[:1] in (["T"], ["t"])


def daemon_pid(home: str) -> int:
    """The process id that the daemon left in its folder; 0 where there is none to be read."""
    try:
        with open(os.path.join(home, "pm2.pid")) as stream:
            return int(stream.read(20))
    except (OSError, ValueError):
        return 0


def other_daemons(home: str) -> list[tuple[str, str]]:
    """Folder and user of the PM2 daemons that do run on this machine, for whoever looked in the wrong place."""
    found = set()
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else []:
        start, mark, folder = _title(entry).partition(": God Daemon (")
        if (
            mark
            and start.startswith("PM2 v")
            and folder.endswith(")")
            and os.path.realpath(folder[:-1]) != os.path.realpath(home)
        ):
            found.add((folder[:-1], _user_of(f"/proc/{entry}")))
    return sorted(found)


def _instance(row: Mapping[str, Any]) -> Instance:
    env = row["pm2_env"]
    monit = row.get("monit") if isinstance(row.get("monit"), dict) else {}
    options = env.get("axm_options") if isinstance(env.get("axm_options"), dict) else {}
    return Instance(
        pm_id=_whole(env.get("pm_id")),
        name=_text(row.get("name")),
        namespace=_text(env.get("namespace")) or "default",
        status=_text(env.get("status")),
        pid=_whole(row.get("pid")),
        restarts=_whole(env.get("restart_time")),
        unstable_restarts=_whole(env.get("unstable_restarts")),
        started=_moment(env.get("pm_uptime")),
        created=_moment(env.get("created_at")),
        kill_timeout=_seconds(env.get("kill_timeout"), _KILL_TIMEOUT),
        wait_ready=env.get("wait_ready") in (True, "true"),
        listen_timeout=_seconds(env.get("listen_timeout") or None, _LISTEN_TIMEOUT),
        exit_code=None if _number(env.get("exit_code")) is None else _whole(env.get("exit_code")),
        memory=_whole(monit.get("memory")) if monit else 0,
        memory_limit=_whole(env.get("max_memory_restart")) or None,
        autorestart=env.get("autorestart") not in (False, "false"),
        scheduled=env.get("cron_restart") not in (None, "", 0, "0"),
        cluster=env.get("exec_mode") == "cluster_mode",
        module=bool(env.get("pmx_module")) or bool(options.get("isModule")),
        error_log=_text(env.get("pm_err_log_path")),
        out_log=_text(env.get("pm_out_log_path")),
        log_date_format=_text(env.get("log_date_format")),
        logs_disabled=env.get("disable_logs") is True,
    )


def _decoded(part: bytes) -> Any:
    try:
        return json.loads(part[2:]) if part.startswith(b"j:") else None
    except ValueError:
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """A finite number that is one; PM2 keeps what it could not understand as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e18:
        return None
    return float(value)


def _whole(value: Any) -> int:
    return int(_number(value) or 0)


def _seconds(milliseconds: Any, default: float) -> float:
    number = _number(milliseconds)
    return default if number is None else number / 1000


def _moment(value: Any) -> float | None:
    milliseconds = _number(value)
    return milliseconds / 1000 if milliseconds else None


def _process_stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none where the process cannot be seen."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()
    except OSError:
        return []


def _title(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            return stream.read(600).split(b"\0", 1)[0].decode(errors="replace").rstrip()
    except OSError:
        return ""


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _user_of(path: str) -> str:
    """Who owns a file; empty where that cannot be seen."""
    try:
        return _user(os.stat(path).st_uid)
    except OSError:
        return ""
