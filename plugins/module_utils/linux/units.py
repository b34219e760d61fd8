# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services as systemd knows them."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ..core.files import last_change, tree
from ..core.recovery import OTHER, RESTART, WAIT, Cause
from .proc import read_text

_SHOWN = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "UnitFileState",
    "ExecStart",
    "NRestarts",
    "InvocationID",
    "InactiveExitTimestampMonotonic",
    "ActiveEnterTimestampMonotonic",
    "InactiveEnterTimestampMonotonic",
    "ExecMainCode",
    "ExecMainStatus",
    "ConditionResult",
    "AssertResult",
    "ConditionTimestampMonotonic",
    "Environment",
)
#: Values of ExecMainCode for a process that a signal ended.
_KILLED = ("2", "3")
_TIMEOUT = 5
#: Starts by systemd itself after which it is a loop.
_LOOP = 3
_SILENT = "Its log does not say why; read what it says from now on."
#: The service of a process in /proc/PID/cgroup, if nothing is below it, as containers are.
_SERVICE = re.compile(r":/system\.slice/(?:[^/\n]+\.slice/)*([^/\n]+\.service)$", re.MULTILINE)


@dataclass(frozen=True)
class Unit:
    """A service that systemd has loaded, or could load."""

    name: str
    load: str = "loaded"
    """``loaded``, ``masked``, ``bad-setting``, ``error`` or ``not-found``."""
    active: str = ""
    """``active``, ``activating``, ``deactivating``, ``inactive`` or ``failed``."""
    sub: str = ""
    result: str = ""
    """Why it ended: ``success``, ``exit-code``, ``signal``, ``oom-kill``, ``timeout`` …"""
    pid: int = 0
    enabled: str = ""
    command: str = ""
    """ExecStart, as systemd prints it."""
    restarts: int = 0
    invocation: str = ""
    """Identifies its last run in the journal."""
    never_ready: bool = False
    """Whether its last run ended before it was ready."""
    ended_at: float = 0.0
    """When it ended, as Unix time; 0 if it has not."""
    signal: int = 0
    """The signal that ended its main process."""
    unmet: bool = False
    """Whether a condition or an assertion of the unit forbade its last start."""
    environment: str = field(default="", repr=False)
    """Variables that the unit sets, as systemd prints them; may contain secrets."""

    @property
    def exists(self) -> bool:
        return self.load not in ("", "not-found")

    @property
    def failed_to_start(self) -> bool:
        """Whether its last start failed, so that its log may be about an earlier run."""
        return self.never_ready and self.active in ("failed", "activating")

    @property
    def ended(self) -> bool:
        """Whether it failed, and systemd does not start it again."""
        return self.active == "failed"

    @property
    def described(self) -> str:
        """``failed (exit-code), started again 5 times``."""
        if self.load == "masked":
            return "masked"
        text = self.active if self.active == self.sub else f"{self.active} ({self.sub})"
        if self.result not in ("", "success"):
            text += f", last result {self.result}"
        if self.signal and self.active == "failed":
            text += f", its main process was ended by signal {self.signal}"
        if self.restarts:
            text += f", started again {self.restarts} times by systemd"
        return text


def forbidden(unit: Unit | None) -> Cause | None:
    """Why systemd will not start a service at all; none if it is something else."""
    if not unit or unit.load == "loaded":
        return None
    if unit.load == "masked":
        remedy = "Its start was forbidden: ask why, then 'systemctl unmask'."
        return Cause(OTHER, f"{unit.name} is masked", remedy)
    remedy = f"'systemd-analyze verify {unit.name}' names the line; then 'systemctl daemon-reload'."
    return Cause(OTHER, f"the unit file of {unit.name} has an error ({unit.load})", remedy)


def busy(unit: Unit | None) -> Cause | None:
    """Why a service does not answer that systemd is starting or stopping; else none."""
    if not unit or unit.active not in ("activating", "deactivating", "reloading"):
        return None
    if unit.restarts >= _LOOP and unit.never_ready:
        return None
    remedy = f"'journalctl -fu {unit.name}' shows how far it is."
    return Cause(WAIT, f"systemd is working on it: {unit.name} is {unit.described}", remedy)


def down(service: str, unit: Unit | None, corrected: bool = False) -> Cause:
    """What is known of a service that is down for no reason that its log says.

    ``corrected`` is whether its files were changed since.
    """
    if not unit:
        return Cause(RESTART, f"{service} is down", _SILENT)
    what = f"{unit.name} is {unit.described}"
    cause = None if corrected else _never_started(service, unit, what)
    return cause or Cause(RESTART, f"{service} is down: {what}", _SILENT)


def _never_started(service: str, unit: Unit, what: str) -> Cause | None:
    """Why a service ended before it was ready; none if it was, or if that is not the trouble."""
    if unit.unmet:
        text = f"{service} is down, and a condition of {unit.name} forbade its last start"
        remedy = f"'systemctl status {unit.name}' names it; start it once that is met."
        return Cause(OTHER, text, remedy)
    if not unit.failed_to_start:
        return None
    if unit.result == "timeout":
        text = f"systemd ends {service} before TimeoutStartSec is enough: {what}"
        remedy = (
            f"Loading or a recovery may take longer: raise it with 'systemctl edit {unit.name}'."
        )
        return Cause(OTHER, text, remedy)
    if unit.result == "oom-kill":
        remedy = "It needs more memory than it gets: see MemoryMax of the unit, and the host."
        return Cause(OTHER, f"the kernel kills {service} while it starts: {what}", remedy)
    remedy = f"'journalctl -u {unit.name}' and its log say why; start it once that is corrected."
    return Cause(OTHER, f"{service} does not start: {what}", remedy)


def has_systemd() -> bool:
    """Whether systemd runs this host."""
    return os.path.isdir("/run/systemd/system")


def read_units(names: Iterable[str]) -> list[Unit]:
    """Those of the units that exist, each once, in that order; empty without systemd.

    ``redis@*.service`` means all that systemd has loaded.
    """
    names = list(names)
    if not names or not has_systemd():
        return []
    argv = ["systemctl", "show", f"--property={','.join(_SHOWN)}", "--", *names]
    found = {unit.name: unit for unit in parse_units(_output(argv)) if unit.exists}
    return list(found.values())


def unit_of(pid: int) -> Unit | None:
    """The unit whose main process this is; none for one that systemd has not started as a service.

    One in a container, or below another service such as cron, has none.
    """
    with suppress(OSError):
        found = _SERVICE.search(read_text(f"/proc/{pid}/cgroup"))
        for unit in read_units([found[1]] if found else []):
            if unit.pid == pid:
                return unit
    return None


def parse_units(output: str) -> list[Unit]:
    """The units in what ``systemctl show`` prints, one block for each."""
    found = []
    for block in output.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if fields.get("Id"):
            found.append(_unit(fields))
    return found


def journal(unit: Unit) -> list[str]:
    """What a unit said in its last run; empty without permission to read it."""
    which = [f"_SYSTEMD_INVOCATION_ID={unit.invocation}"] if unit.invocation else ["-u", unit.name]
    argv = ["journalctl", *which, "-n", "100", "-o", "cat", "--no-pager", "-q"]
    return _output(argv).splitlines() if has_systemd() else []


def last_words(unit: Unit | None) -> list[str]:
    """What a service said in its last run, if systemd could not start it or is about to try again.

    What it says before it has opened its own log is nowhere else.
    """
    known = unit and unit.invocation and unit.active in ("failed", "activating")
    return journal(unit) if unit and known else []


def corrected(unit: Unit | None, log: str, paths: Iterable[str]) -> bool:
    """Whether files that a service depends on were changed since it ended.

    Its unit says when that was, else the last line of its log.
    """
    ended = unit.ended_at if unit else 0.0
    with suppress(OSError):
        ended = ended or os.path.getmtime(log)
    file = f"/etc/systemd/system/{unit.name}" if unit else ""
    own = [file, *tree(f"{file}.d")] if file else []
    return 0 < ended < last_change([*own, *paths])


def kernel_messages(pattern: str) -> list[str]:
    """Messages of the kernel since yesterday that contain a text, as far as this user may."""
    if has_systemd():
        argv = ["journalctl", "-k", "-S", "yesterday", "-o", "short-iso", "--no-pager", "-q"]
    else:
        argv = ["dmesg", "--ctime"]
    return [line for line in _output(argv).splitlines() if pattern in line]


def _unit(fields: Mapping[str, str]) -> Unit:
    return Unit(
        fields["Id"],
        fields.get("LoadState", ""),
        fields.get("ActiveState", ""),
        fields.get("SubState", ""),
        fields.get("Result", ""),
        _whole(fields.get("MainPID")),
        fields.get("UnitFileState", ""),
        fields.get("ExecStart", ""),
        _whole(fields.get("NRestarts")),
        fields.get("InvocationID", ""),
        _whole(fields.get("ActiveEnterTimestampMonotonic"))
        < _whole(fields.get("InactiveExitTimestampMonotonic")),
        _moment(fields.get("InactiveEnterTimestampMonotonic")),
        _whole(fields.get("ExecMainStatus")) if fields.get("ExecMainCode") in _KILLED else 0,
        "no" in (fields.get("ConditionResult"), fields.get("AssertResult"))
        and _whole(fields.get("ConditionTimestampMonotonic")) > 0,
        fields.get("Environment", ""),
    )


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _moment(microseconds: str | None) -> float:
    """The Unix time of a moment on the clock that counts from the start of the host."""
    passed = _whole(microseconds)
    return time.time() - time.monotonic() + passed / 1e6 if passed else 0.0


def _output(argv: Sequence[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
            env={**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
