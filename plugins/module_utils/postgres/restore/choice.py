# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup is meant: the newest one, one by its name, or a file somewhere else."""

from __future__ import annotations

import os

from ...core.errors import NotCollected, UsageError
from ..backup.naming import SQL, manifest_time, parse_name
from ..backup.repository import Backup, list_backups, list_databases, read_backup
from .options import ALL, LATEST, Options
from .plain import PlainDump, is_plain, read_plain


def backups_to_verify(options: Options) -> list[Backup]:
    """The backups to verify, newest last within each database; raises `NotCollected`."""
    if "/" in options.backup:
        stem = os.path.basename(options.backup).partition(".")[0]
        return [_by_path(options.backup, options.database or stem)]
    names = [name for name in list_databases(options.backup_dir) if options.selects(name)]
    names += [""] if not options.databases else []  # the globals
    found: list[Backup] = []
    for name in names:
        backups = list_backups(options.backup_dir, name).backups
        if options.backup == ALL:
            found += backups
        elif options.backup == LATEST:
            found += backups[-1:]
        else:
            found += [one for one in backups if _is_called(one, options.backup)]
    return found


def backup_to_restore(options: Options, database: str) -> Backup:
    """The one backup to restore; raises `UsageError` or `NotCollected`.

    The newest one is the newest that is verified.
    """
    if "/" in options.backup:
        return _usable(_by_path(options.backup, database))
    source = options.source or database
    listing = list_backups(options.backup_dir, source)
    if options.backup == LATEST:
        newest = listing.newest_verified()
        if newest is None:
            raise NotCollected(
                f"{options.backup_dir} holds no verified backup of database '{source}'",
                "Take one with playbooks/backup.yml, check backup_dir, or name a backup.",
            )
        return newest
    for backup in listing.backups:
        if _is_called(backup, options.backup):
            return _usable(backup)
    names = ", ".join(backup.name.time for backup in listing.backups[-5:]) or "none"
    raise UsageError(
        f"backup: database '{source}' has no backup {options.backup!r}; its newest ones: {names}"
    )


def _is_called(backup: Backup, text: str) -> bool:
    return text in (str(backup.name), backup.name.time)


def _usable(backup: Backup) -> Backup:
    if backup.manifest is None:
        raise NotCollected(f"{backup.path} cannot be used: {backup.problem}")
    if backup.name.form == SQL and not isinstance(backup, PlainDump):
        raise UsageError(f"backup: {backup.path} holds roles, not a database")
    return backup


def _by_path(path: str, database: str) -> Backup:
    """A backup by its path, or by that of its manifest; or a plain dump, of ``database``."""
    folder, entry = os.path.split(os.path.abspath(path))
    if not os.path.exists(path):
        raise UsageError(f"backup: there is no {path}")
    time = manifest_time(entry)
    if time:
        entry = next(
            (each for each in os.listdir(folder) if (n := parse_name(each)) and n.time == time),
            entry,
        )
    name = parse_name(entry)
    if name is None and is_plain(path):
        return read_plain(path, database)
    if name is None:
        raise UsageError(
            f"backup: {path} is neither a backup that pg_backup has written nor a plain dump, "
            "*.sql or *.sql.gz"
        )
    return read_backup(folder, name)
