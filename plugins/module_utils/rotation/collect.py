# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the logs, what rotates them, and what is left of them; changes nothing."""

from __future__ import annotations

import glob
import grp
import os
import shutil
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain

from ..core.errors import RunbookError
from ..linux.open_files import deleted_files
from ..linux.proc import read_text, user_name
from .config_file import cut_patterns
from .foreign import foreign_patterns, has_pm2_logrotate, rivals
from .logrotate import Logrotate, find_program
from .naming import Rotated, is_named, log_of, rotated_of
from .options import Options
from .snapshot import Folder, Log, Snapshot
from .writers import cuttable, writers_by_log, written_by_pm2

#: Where the distributions' logrotate keeps its state.
_STATES = ("/var/lib/logrotate/status", "/var/lib/logrotate/logrotate.status")


def collect(options: Options) -> Snapshot:
    """The snapshot; what cannot be read is missing in it, and never an error."""
    logs, skipped = _logs(options.paths)
    paths = [log.path for found in logs.values() for log in found]
    folders = {pattern: _folders(pattern) for pattern in options.paths}
    missing = {log for pattern in options.paths for log in _missing(pattern, folders[pattern])}
    others = foreign_patterns(options.main_config, options.config_file)
    program, installed = find_program(options.program), _read(options.config_file)
    writers = writers_by_log(paths) if options.pm2_home else {}
    devices = frozenset(_devices(folders.values()))
    is_read, errors = _daily_run(program, options) if program else (True, [])
    deleted, unseen = deleted_files(devices) if devices else ([], 0)
    return Snapshot(
        now=time.time(),
        program=program,
        gzip=shutil.which("gzip") or "",
        logs=logs,
        folders=folders,
        skipped=skipped,
        rotated=find_rotated({*paths, *missing}),
        rivals={
            pattern: found
            for pattern in options.paths
            if (found := rivals(pattern, [log.path for log in logs[pattern]], others))
        },
        has_pm2=os.path.isdir(options.pm2_home),
        pm2_logrotate=has_pm2_logrotate(options.pm2_home),
        pm2_logs=written_by_pm2(paths, writers, options.pm2_home),
        cuttable=cuttable(logs, writers, options, cut_patterns(installed or "")),
        installed=installed,
        is_read=is_read or not installed,
        errors=errors,
        last_run=_modified(state_file(options)),
        is_root=os.geteuid() == 0,
        deleted=deleted,
        unseen=unseen,
    )


def find_rotated(logs: Iterable[str]) -> list[Rotated]:
    """What was split off these logs, oldest first."""
    found: dict[str, Rotated] = {}
    for log in sorted(logs, key=len, reverse=True):  # app.log.1 belongs to the longest name
        with suppress(OSError):
            for each in rotated_of(log, os.listdir(os.path.dirname(log))):
                found.setdefault(each.place, each)
    return sorted(found.values(), key=lambda each: (each.modified, each.path))


def _logs(patterns: Iterable[str]) -> tuple[dict[str, list[Log]], list[str]]:
    """Each log once, at the first pattern that names it."""
    found: dict[str, list[Log]] = {}
    seen: set[str] = set()
    skipped = []
    for pattern in patterns:
        found[pattern] = []
        for path in sorted(_matching(pattern)):
            with suppress(OSError):
                status = os.lstat(path)
                if path in seen:
                    continue
                seen.add(path)
                if stat.S_ISREG(status.st_mode):
                    owner = user_name(status.st_uid)
                    group = _group_name(status.st_gid)
                    found[pattern].append(Log(path, status.st_size, owner, group))
                elif stat.S_ISLNK(status.st_mode):
                    skipped.append(path)
    return found, skipped


def _matching(pattern: str) -> list[str]:
    """Those that there are; for a plain name also one that is missing for the moment."""
    if glob.has_magic(pattern):
        return glob.glob(pattern)
    return [pattern] if os.path.lexists(pattern) else []


def _folders(pattern: str) -> list[Folder]:
    found = []
    for path in sorted(glob.glob(os.path.dirname(pattern))):
        with suppress(OSError):
            status = os.stat(path)
            if stat.S_ISDIR(status.st_mode):
                is_open = bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
                owner, group = user_name(status.st_uid), _group_name(status.st_gid)
                found.append(Folder(path, owner, group, is_open))
    return found


def _missing(pattern: str, folders: Iterable[Folder]) -> Iterable[str]:
    """Logs that were rotated and are not there, as something was killed half-way."""
    for folder in folders:
        with suppress(OSError):
            for name in os.listdir(folder.path):
                log = os.path.join(folder.path, log_of(name))
                if log_of(name) and is_named(log, pattern) and not os.path.lexists(log):
                    yield log


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _devices(folders: Iterable[Iterable[Folder]]) -> Iterable[int]:
    for folder in chain.from_iterable(folders):
        with suppress(OSError):
            yield os.stat(folder.path).st_dev


def state_file(options: Options) -> str:
    """Where logrotate keeps its state; empty if it has none yet."""
    found = (options.state_file,) if options.state_file else _STATES
    return next((path for path in found if os.path.exists(path)), "")


def _daily_run(program: str, options: Options) -> tuple[bool, list[str]]:
    """Whether it reads our file, and what it objects to in any."""
    try:
        logrotate = Logrotate(program, options.state_file)
        return logrotate.reads(options.main_config, options.config_file)
    except RunbookError:
        return True, []  # not known


def _modified(path: str) -> float | None:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return None


def _read(path: str) -> str | None:
    try:
        return read_text(path)
    except OSError:
        return None
