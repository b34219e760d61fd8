# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked of the rotation, validated."""

from __future__ import annotations

import glob
import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from ansible.module_utils.common.text.formatters import human_to_bytes

from ..core.errors import UsageError
from ..core.options import checked_seconds
from .naming import SAMPLE_SUFFIXES

#: Where logrotate finds the configurations of all packages.
MAIN_CONFIG = "/etc/logrotate.conf"
CONFIG_FILE = "/etc/logrotate.d/gpt-agent-runbook"
#: Characters that logrotate's own syntax gives a meaning, or the shell in its scripts.
_FORBIDDEN = re.compile(r"[{}\"'\\\n\r\t\0]")
_LONGEST_KEEP = 3650


@dataclass(frozen=True)
class Options:
    """The options of log_rotation; raises `UsageError` for a value that makes no sense."""

    paths: tuple[str, ...] = ()
    """Logs, or patterns for them."""
    config_file: str = CONFIG_FILE
    main_config: str = MAIN_CONFIG
    state_file: str = ""
    """Empty for logrotate's own."""
    program: str = ""
    """logrotate; empty to find it."""
    keep: int = 30
    """Days for which rotated logs stay beside the log."""
    archive_dir: str = ""
    archive_keep: int = 90
    """Days for which archives are kept."""
    keep_free: int = 1 << 30
    """Bytes that stay free on the disk of the archive."""
    force: bool = False
    pm2_home: str = ""
    """Empty if PM2 writes none of the logs."""
    pm2_reload: bool = False
    """Whether PM2 opens its logs again even where they can be rotated without that."""
    nginx_pid_file: str = ""
    reopen_command: str = ""
    wait: float = 30.0
    """Seconds for the writers to release a rotated log, and for another logrotate to end."""
    time_limit: float = 3600.0

    def __post_init__(self) -> None:
        for path in self.paths:
            _check_path(path)
        for option in (
            *("config_file", "main_config", "state_file", "archive_dir"),
            *("pm2_home", "nginx_pid_file"),
        ):
            value = getattr(self, option)
            if value and not os.path.isabs(value):
                raise UsageError(f"{option}: {value} is not an absolute path")
        for option in ("pm2_home", "nginx_pid_file"):
            if _FORBIDDEN.search(getattr(self, option)):
                raise UsageError(f"{option}: must not contain quotes, braces or backslashes")
        if not 0 <= self.keep <= _LONGEST_KEEP:
            raise UsageError(f"keep: {self.keep} is not a number of days up to {_LONGEST_KEEP}")
        if not self.keep and not self.archive_dir:
            raise UsageError("keep: 0 without archive_dir would remove logs when they are rotated")
        if not 1 <= self.archive_keep <= _LONGEST_KEEP:
            raise UsageError(
                f"archive_keep: {self.archive_keep} is not a number of days from 1 to "
                f"{_LONGEST_KEEP}"
            )
        if "endscript" in self.reopen_command or "\n" in self.reopen_command:
            raise UsageError("reopen_command: must be one line, without the word 'endscript'")
        checked_seconds("wait", self.wait)
        checked_seconds("time_limit", self.time_limit, 86400)
        self._check_archive()

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options in a module's parameters; raises `UsageError`."""
        try:
            keep_free = int(human_to_bytes(params["keep_free"]))
        except ValueError:
            text = params["keep_free"]
            raise UsageError(f"keep_free: {text!r} is not a size such as '1G'") from None
        values: dict[str, Any] = {each.name: params.get(each.name) for each in fields(cls)}
        values["paths"] = tuple(dict.fromkeys(params["paths"]))
        values["keep_free"] = keep_free
        values["pm2_home"] = params["pm2_home"] or _home_of(params["pm2_user"])
        for name in ("state_file", "program", "archive_dir", "nginx_pid_file", "reopen_command"):
            values[name] = params[name] or ""
        return cls(**values)

    @property
    def days(self) -> int:
        """For how many days logrotate itself leaves rotated logs, however many there are.

        With an archive it removes none before that would have expired in the archive: only what is
        archived is removed earlier.
        """
        return self.keep + self.archive_keep if self.archive_dir else self.keep

    def _check_archive(self) -> None:
        if not self.archive_dir:
            return
        archive = os.path.realpath(self.archive_dir)
        for path in self.paths:
            folder = os.path.dirname(path)
            if not glob.has_magic(folder) and os.path.realpath(folder) == archive:
                raise UsageError(f"archive_dir: {self.archive_dir} is the folder of {path}")


def is_safe(path: str) -> bool:
    """Whether logrotate, and the shell in its scripts, read a log's name as it is."""
    return not _FORBIDDEN.search(path) and path == path.strip() and not glob.has_magic(path)


def _home_of(user: str | None) -> str:
    """PM2's folder of a user; empty if there is no such user, so that the host has no such PM2."""
    try:
        return os.path.join(pwd.getpwnam(user).pw_dir, ".pm2") if user else ""
    except KeyError:
        return ""


def _check_path(path: str) -> None:
    if not os.path.isabs(path):
        raise UsageError(f"paths: {path} is not an absolute path")
    if _FORBIDDEN.search(path) or path != path.strip():
        raise UsageError(
            f"paths: {path!r} must not contain quotes, braces, backslashes or line breaks"
        )
    if os.path.normpath(path) != path:
        raise UsageError(f"paths: write {path} as {os.path.normpath(path)}")
    name = os.path.basename(path)
    stem = re.sub(r"\[[^]]*\]|[*?]", "x", name)
    if glob.has_magic(name) and any(fnmatchcase(stem + end, name) for end in SAMPLE_SUFFIXES):
        raise UsageError(
            f"paths: {path} would also match logs that are rotated already, such as "
            f"{stem + SAMPLE_SUFFIXES[0]}; end it as the logs end, for example with *.log"
        )
