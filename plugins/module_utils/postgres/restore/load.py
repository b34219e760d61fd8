# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading a backup into a new database, and what of it the server refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ...core.errors import NotCollected, Refused
from ...core.processes import KEPT, Command, Ended, run_pipeline
from ...core.text import redact, shorten
from ..backup.archive import PipelineFailed, Reader, culprit, failure, is_seekable, reading
from ..backup.naming import Name
from ..programs import Login
from ..url import Target
from ..worker import StatementFailed, Worker
from .failures import Failure, is_reported, is_tolerated, parse_cut_errors, parse_errors
from .server import APPLICATION, session_in

#: Bytes of white space around error output, which are not kept.
_STRIPPED = 16


#: What pg_restore quotes if the server could not load it, whatever it is.
OF_THE_SERVER = (
    "No space left on device",
    "Disk quota exceeded",
    "out of memory",
    "out of shared memory",
    "server closed the connection",
    "terminating connection",
    "connection to server",
    "the database system is",
    "canceling statement due to user request",
)


@dataclass(frozen=True)
class Source:
    """A backup, and what it is read with."""

    path: str
    name: Name
    reader: Reader


class LoadFailed(Refused):
    """The backup did not load; the text names the first statement that failed."""


def load(
    source: Source,
    login: Login,
    database: str,
    jobs: int,
    watch: Callable[[], None],
    settings: Mapping[str, str],
) -> list[Failure]:
    """Load a whole backup into an empty database; returns what it lacks, such as owners.

    ``settings`` are those of the sessions that load it. Raises `LoadFailed` if anything else is
    missing, and `NotCollected` if a program is.
    """
    arguments = ["--no-subscriptions"]
    if jobs > 1 and is_seekable(source.name):
        arguments.append(f"--jobs={jobs}")
    program = source.reader.programs.path("pg_restore")
    last = login.command(
        program, *arguments, database=database, application=APPLICATION, settings=settings
    )
    ended = run_programs(reading(source.path, source.name, last, source.reader), watch)
    return judge(ended, login, database)


def judge(ended: list[Ended], login: Login, database: str) -> list[Failure]:
    """What a pipeline that ends in pg_restore has left out; raises `LoadFailed` if it is more."""
    others = [one for one in ended[:-1] if one.failed]
    restored = ended[-1]
    failures, rest = parse_errors(redact(restored.errors, login.target.secrets))
    if restored.code == 0 and not others:
        return []
    if restored.code == 1 and not others and len(restored.errors.encode()) > KEPT - _STRIPPED:
        _judge_some(restored, login, database)
    if others or rest or not failures or restored.code not in (0, 1):
        guilty = culprit(ended) or restored
        _require_server(guilty, login)
        if guilty is restored and failures:
            raise LoadFailed(shorten(failures[0].shown, 300))
        raise LoadFailed(shorten(redact(str(PipelineFailed(guilty)), login.target.secrets), 300))
    return _judge(failures, login.target, database)


def _require_server(guilty: Ended, login: Login) -> None:
    """Raise `NotCollected` if it is not the backup that made a program fail."""
    text = redact(str(failure(guilty)), login.target.secrets)
    if guilty.how.startswith("killed") or any(words in guilty.errors for words in OF_THE_SERVER):
        raise NotCollected(shorten(text, 300), "Once the cause is gone, run this again.")


def _judge_some(restored: Ended, login: Login, database: str) -> None:
    """Raise `LoadFailed` if an error that was kept is a real one, and `NotCollected` if none is:
    then those that were not kept are as unknown as whether the backup is good."""
    failures = parse_cut_errors(redact(restored.errors, login.target.secrets), KEPT // 2)
    _judge(failures, login.target, database)
    first = f", such as {failures[0].shown}" if failures else ""
    raise NotCollected(
        shorten(f"pg_restore reports too many errors to judge each of them{first}", 300),
        "Create the roles of the backup first; @globals in backup_dir holds them all.",
    )


def run_programs(
    commands: list[Command], watch: Callable[[], None], sink: int | None = None
) -> list[Ended]:
    """Run a pipeline; raises `NotCollected` if a program cannot be started."""
    try:
        return run_pipeline(commands, sink=sink, watch=watch)
    except OSError as error:
        program = error.filename or commands[0].argv[0]
        raise NotCollected(
            f"{program} cannot be started: {error.strerror}", f"Install {program}."
        ) from None


def _judge(failures: list[Failure], target: Target, database: str) -> list[Failure]:
    """The failures with their SQLSTATE; raises `LoadFailed` unless all are tolerated."""
    with session_in(target, database, 30) as session:
        known = [replace(each, sqlstate=_sqlstate(session, each)) for each in failures]
    for each in known:
        if not is_tolerated(each):
            raise LoadFailed(shorten(each.shown, 300))
    return [each for each in known if is_reported(each)]


def _sqlstate(session: Worker, failure: Failure) -> str:
    """The SQLSTATE with which the server refuses a statement; empty if it accepts it now."""
    if failure.is_cut:
        return ""
    try:
        session.ask("what failed", f"BEGIN; {failure.statement}")
    except StatementFailed as error:
        return error.sqlstate
    finally:
        session.ask("what failed", "ROLLBACK")
    return ""
