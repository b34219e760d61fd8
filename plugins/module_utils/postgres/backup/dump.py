# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipelines that write a backup. Pure."""

from __future__ import annotations

from ...core.processes import Command
from ..programs import Login, Programs
from .collect import Database
from .compression import Compression
from .options import Options

#: What pg_dump says if another session holds, or queues for, a lock that it needs. It waits for
#: locks under a statement_timeout, and has switched that off for everything else.
LOCK_CONFLICTS = (
    "could not obtain lock on relation",
    "canceling statement due to lock timeout",
    "canceling statement due to statement timeout",
)
APPLICATION = "gpt_agent.runbook/pg_backup"


def dump_database(
    login: Login,
    programs: Programs,
    database: Database,
    snapshot: str,
    path: str,
    compression: Compression,
    options: Options,
) -> list[Command]:
    """Dump one database as the snapshot shows it; the last program writes to its output if it is
    a stream, and else to ``path``, which is not flushed to disk yet."""
    arguments = [
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={int(options.lock_wait * 1000)}",
        "--no-password",
        # Its own, whatever the role or the URL sets: nothing is converted, so nothing can be lost.
        f"--encoding={database.encoding}",
        compression.argument(programs.major),
    ]
    if options.stream:
        arguments += ["--format=custom"]
    else:
        arguments += ["--format=directory", f"--jobs={options.processes}", f"--file={path}"]
        arguments += ["--no-sync"]
    dump = login.command(
        programs.path("pg_dump"), *arguments, database=database.name, application=APPLICATION
    )
    zstd = ["zstd", f"-{compression.level}", "--threads=0", "--quiet", "--stdout"]
    return [
        dump,
        *([Command(zstd)] if compression.by_program else []),
        *_encryption(options),
    ]


def dump_globals(
    login: Login, programs: Programs, passwords: bool, options: Options
) -> list[Command]:
    """Dump roles, memberships, tablespaces and settings of roles; ``passwords`` needs a
    superuser."""
    arguments = ["--globals-only", "--no-password", f"--database={login.target.database}"]
    if not passwords:
        arguments.append("--no-role-passwords")
    dump = login.command(programs.path("pg_dumpall"), *arguments, application=APPLICATION)
    return [dump, *_encryption(options)]


def _encryption(options: Options) -> list[Command]:
    if not options.age_recipients:
        return []
    recipients = [part for key in options.age_recipients for part in ("--recipient", key)]
    return [Command([options.age_program, "--encrypt", *recipients])]
