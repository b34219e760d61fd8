# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and processes of this host, as /proc and the user database describe them."""

from __future__ import annotations

import os
import pwd


def user_name(uid: int) -> str:
    """Name of a user, or the number as text if the user database has no name for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def current_user() -> str:
    """Name of the user whose permissions this process has."""
    return user_name(os.geteuid())


def owner_name(path: str) -> str:
    """Name of the user who owns a file or a folder in /proc; empty if it cannot be read."""
    try:
        return user_name(os.stat(path).st_uid)
    except OSError:
        return ""


def read_text(path: str) -> str:
    """Content of a small text file; raises OSError. Line separators are kept as they are."""
    with open(path, encoding="utf-8", errors="replace", newline="\n") as stream:
        return stream.read()


def environment_variable(pid: int | str, name: str) -> str | None:
    """A variable that a process was started with; empty if it is not set.

    None if there is no such process, or this user lacks permission to read it. Nothing else of the
    environment is kept.
    """
    try:
        entries = read_text(f"/proc/{pid}/environ").split("\0")
    except OSError:
        return None
    prefix = f"{name}="
    return next((entry[len(prefix) :] for entry in entries if entry.startswith(prefix)), "")


def working_directory(pid: int | str) -> str:
    """The directory that a process is in, with all links resolved; raises OSError."""
    return os.readlink(f"/proc/{pid}/cwd")


def stat_fields(pid: int | str) -> list[str]:
    """Fields of /proc/PID/stat after the name, from the state on (`proc_pid_stat(5)`, field 3).

    Empty if there is no such process, or it is hidden from this user.
    """
    try:
        return read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    except OSError:
        return []
