# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PM2's daemons on this host: the folder and the process of one, and which others are running."""

from __future__ import annotations

import os

from ..linux.proc import environment_variable, owner_name, read_text, stat_fields

_START_TIME = 19  # in `stat_fields`: starttime, field 22 of proc_pid_stat(5)


def default_home() -> str:
    """The folder of the daemon that the ``pm2`` command would use as this user."""
    return os.environ.get("PM2_HOME") or os.path.join(os.path.expanduser("~"), ".pm2")


def is_suspended(pid: int) -> bool:
    """Whether a process was suspended by a signal (SIGSTOP) or a debugger."""
    return stat_fields(pid)[:1] in (["T"], ["t"])


def start_time(pid: int) -> str:
    """When a process started, in the kernel's own unit; empty if that cannot be read."""
    fields = stat_fields(pid)
    return fields[_START_TIME] if len(fields) > _START_TIME else ""


def recorded_pid(home: str) -> int:
    """The process id that the daemon wrote to its folder; 0 if there is none."""
    try:
        with open(os.path.join(home, "pm2.pid")) as stream:
            return int(stream.read(20))
    except (OSError, ValueError):
        return 0


def other_daemons(home: str) -> list[tuple[str, str]]:
    """Folder and user of the running daemons with another folder than this one."""
    found = set()
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else []:
        folder = _daemon_folder(_title(entry))
        if folder.endswith("…"):
            folder = environment_variable(entry, "PM2_HOME") or folder
        cut = folder.endswith("…") and home.startswith(folder[:-1])
        if folder and not cut and os.path.realpath(folder) != os.path.realpath(home):
            found.add((folder, owner_name(f"/proc/{entry}")))
    return sorted(found)


def _daemon_folder(title: str) -> str:
    """The folder in the title of a daemon's process; empty for any other process.

    It ends with ``…`` if it is cut: a title is no longer than the command line was at the start.
    """
    start, separator, folder = title.partition(": God Daemon (")
    if not separator or not start.startswith("PM2 v"):
        return ""
    return folder[:-1] if folder.endswith(")") else f"{folder}…"


def _title(pid: str) -> str:
    """The first word of a process' command line; empty if it cannot be read."""
    try:
        return read_text(f"/proc/{pid}/cmdline").split("\0", 1)[0].rstrip()
    except OSError:
        return ""
