# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps and their instances, as far as this collection keeps what PM2 says about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

#: PM2's names of the states of a process.
ONLINE = "online"
ERRORED = "errored"
STOPPED = "stopped"
STOPPING = "stopping"
LAUNCHING = "launching"
WAITING = "waiting restart"

#: Seconds after a crash during which an instance does not count as stable.
RECENT = 60.0

#: PM2's default seconds to stop and to start, for apps that set none.
_KILL_TIMEOUT = 1.6
_LISTEN_TIMEOUT = 3.0


@dataclass(frozen=True)
class Instance:
    """One process under PM2. Times are in seconds since the epoch, sizes in bytes."""

    pm_id: int
    name: str
    namespace: str
    status: str
    pid: int = 0
    restarts: int = 0
    """All restarts since the process was added to PM2: by hand, by deployments and at the memory
    limit included."""
    unstable_restarts: int = 0
    """Exits within min_uptime of a start, since it was last started on purpose."""
    started: float | None = None
    created: float | None = None
    """When it was last started on purpose. A restart by PM2 after a crash does not change it."""
    kill_timeout: float = _KILL_TIMEOUT
    """Seconds after which PM2 kills a process that was told to exit."""
    wait_ready: bool = False
    """Whether PM2 waits until the app reports that it is ready."""
    listen_timeout: float = _LISTEN_TIMEOUT
    """Seconds after which PM2 stops waiting and treats the app as ready."""
    exit_code: int | None = None
    memory: int = 0
    """Resident memory; 0 if PM2 could not measure it."""
    memory_limit: int | None = None
    autorestart: bool = True
    stop_exit_codes: tuple[int, ...] = ()
    """Exit codes after which PM2 leaves it stopped."""
    stopped_by_hand: bool = False
    """Whether PM2 was told to stop it, according to PM2's own log."""
    killed_by: str = ""
    """The signal that ended it unasked, according to PM2's own log; PM2's exit code is 0 then."""
    absent: str = ""
    """What is wrong with its process, though PM2 calls it online; empty if nothing is."""
    suspended: bool = False
    """Whether that is a signal, after which it goes on as soon as it is told to."""
    scheduled: bool = False
    """Whether cron starts it."""
    cluster: bool = False
    module: bool = False
    """Whether it is one of PM2's own modules, such as pm2-logrotate."""
    error_log: str = ""
    out_log: str = ""
    log_date_format: str = ""
    logs_disabled: bool = False

    @property
    def app_label(self) -> str:
        """The `App.label` of the app that it belongs to."""
        return _label(self.name, self.namespace)

    @property
    def restarted_by_pm2(self) -> bool:
        """Whether PM2 started it last because it had exited unexpectedly."""
        if not self.restarts or self.started is None or self.created is None:
            return False
        # A restart on purpose resets both times and the number of unstable restarts, then waits for
        # the old process to exit, which may count as one.
        return self.unstable_restarts > 1 or self.started - self.created > self.kill_timeout + 1.0

    @property
    def waiting_for_cron(self) -> bool:
        """Whether it is a job that cron starts, and its last run was successful.

        PM2 starts it in time even after an order to stop it.
        """
        ended_well = not self.exit_code and not self.killed_by
        return self.status == STOPPED and self.scheduled and not self.autorestart and ended_well

    @property
    def is_done(self) -> bool:
        """Whether it ended as a command does that is not meant to be started again.

        In cluster mode PM2 reports exit code 0 even for a crash, so nothing is proven there.
        """
        if self.status != STOPPED or self.cluster or self.scheduled:
            return False
        if self.stopped_by_hand or self.killed_by:
            return False
        if not self.autorestart:
            return self.exit_code == 0 or self.exit_code in self.stop_exit_codes
        return self.exit_code in self.stop_exit_codes

    @property
    def alive(self) -> bool:
        """Whether PM2 calls it online, and it has a process."""
        return self.status == ONLINE and not self.absent

    def seconds_running(self, now: float) -> float:
        """Seconds since its start; 0 if the start is not known."""
        return max(0.0, now - self.started) if self.started else 0.0


@dataclass(frozen=True)
class App:
    """The instances with the same name and namespace.

    Instances get new ids when the app is started anew, so the name is what identifies an app.
    """

    name: str
    namespace: str
    instances: tuple[Instance, ...]

    @property
    def label(self) -> str:
        """The name, preceded by the namespace if that is not the default one."""
        return _label(self.name, self.namespace)

    @property
    def online(self) -> tuple[Instance, ...]:
        return tuple(row for row in self.instances if row.alive)


def _label(name: str, namespace: str) -> str:
    return name if namespace in ("", "default") else f"{namespace}/{name}"


def group_apps(instances: Iterable[Instance], namespace: str | None = None) -> list[App]:
    """The apps, sorted by namespace and name. PM2's own modules are left out."""
    found: dict[tuple[str, str], list[Instance]] = {}
    for instance in instances:
        if not instance.module and namespace in (None, instance.namespace):
            found.setdefault((instance.namespace, instance.name), []).append(instance)
    return [
        App(name, space, tuple(sorted(rows, key=lambda row: row.pm_id)))
        for (space, name), rows in sorted(found.items())
    ]


def instance_from(row: Mapping[str, Any]) -> Instance:
    """One row of PM2's answer, without the environment and the secrets in it.

    Variables of the app's environment replace PM2's own fields, so any field may hold anything.
    """
    env = row["pm2_env"]
    monit = row.get("monit") if isinstance(row.get("monit"), dict) else {}
    options = env.get("axm_options") if isinstance(env.get("axm_options"), dict) else {}
    return _with_true_status(
        Instance(
            pm_id=_integer(env.get("pm_id")),
            name=_text(row.get("name")),
            namespace=_text(env.get("namespace")) or "default",
            status=_text(env.get("status")),
            pid=_integer(row.get("pid")),
            restarts=_integer(env.get("restart_time")),
            unstable_restarts=_integer(env.get("unstable_restarts")),
            started=_epoch_seconds(env.get("pm_uptime")),
            created=_epoch_seconds(env.get("created_at")),
            kill_timeout=_seconds(env.get("kill_timeout"), _KILL_TIMEOUT),
            wait_ready=env.get("wait_ready") in (True, "true"),
            listen_timeout=_seconds(env.get("listen_timeout") or None, _LISTEN_TIMEOUT),
            exit_code=_optional_integer(env.get("exit_code")),
            memory=_integer(monit.get("memory")) if monit else 0,
            memory_limit=_integer(env.get("max_memory_restart")) or None,
            autorestart=env.get("autorestart") not in (False, "false"),
            stop_exit_codes=_exit_codes(env.get("stop_exit_codes")),
            scheduled=env.get("cron_restart") not in (None, "", 0, "0"),
            cluster=env.get("exec_mode") == "cluster_mode",
            module=bool(env.get("pmx_module")) or bool(options.get("isModule")),
            error_log=_text(env.get("pm_err_log_path")),
            out_log=_text(env.get("pm_out_log_path")),
            log_date_format=_text(env.get("log_date_format")),
            logs_disabled=env.get("disable_logs") is True,
        )
    )


def _with_true_status(row: Instance) -> Instance:
    """The instance, as stopped or errored where it waits for a restart that never comes.

    With a restart delay, PM2 says that it waits even if it has decided against a restart.
    """
    if row.status != WAITING:
        return row
    if row.created is None:  # PM2 forgets it when it gives up
        return replace(row, status=ERRORED)
    if not row.autorestart or row.exit_code in row.stop_exit_codes:
        return replace(row, status=STOPPED)
    return row


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """A finite number; none for anything else, as PM2 keeps what it does not understand as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e18:
        return None
    return float(value)


def _integer(value: Any) -> int:
    return int(_number(value) or 0)


def _exit_codes(value: Any) -> tuple[int, ...]:
    """One exit code or several; PM2 also takes them as text."""
    codes = value if isinstance(value, list) else [value]
    return tuple(int(code) for code in codes if str(code).isdecimal())


def _optional_integer(value: Any) -> int | None:
    return None if _number(value) is None else _integer(value)


def _seconds(milliseconds: Any, default: float) -> float:
    number = _number(milliseconds)
    return default if number is None else number / 1000


def _epoch_seconds(value: Any) -> float | None:
    milliseconds = _number(value)
    return milliseconds / 1000 if milliseconds else None
