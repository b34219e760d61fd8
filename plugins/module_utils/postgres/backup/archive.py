# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and writing a backup of any form: the pipeline of programs that it takes."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import IO

from ...core.errors import NotCollected, RunbookError
from ...core.processes import Command, Ended, run_pipeline, run_together
from ..programs import Programs
from .naming import Name
from .toc import decoded

#: What `age` says if none of the identities opens a file; then nothing is known about the file.
WRONG_KEY = ("no identity matched", "incorrect identity")
#: Exit codes of a program that was ended by another.
_ENDED = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
_CONSEQUENCE = "a worker process died unexpectedly"
_PIPE_CLOSED = "broken pipe"


@dataclass(frozen=True)
class Reader:
    """What a backup is read with."""

    programs: Programs
    """PostgreSQL's, not older than those that wrote the backup."""
    identity: str = ""
    """File with the key of an encrypted backup; empty without one."""
    age: str = "age"
    """The program that decrypts."""
    jobs: int = 1
    """Processes that read one backup at the same time, where its form allows that."""

    def pg_restore(self, *arguments: str) -> Command:
        return Command([self.programs.path("pg_restore"), *arguments])


class PipelineFailed(RunbookError):
    """A program of a pipeline failed; the text says which one, how, and what it wrote."""

    def __init__(self, ended: Ended) -> None:
        said = f": {main_line(ended.errors)}" if ended.errors else ""
        super().__init__(f"{ended.program} failed ({ended.how}){said}")
        self.ended = ended

    @property
    def wrong_key(self) -> bool:
        """Whether it could not be decrypted with the identity that was given."""
        return any(words in self.ended.errors for words in WRONG_KEY)


def reading(path: str, name: Name, last: Command, reader: Reader) -> list[Command]:
    """The pipeline that reads the backup at ``path``: age, zstd, and ``last``, as it needs them.

    ``last`` is pg_restore, psql or cat, without a file: it gets the backup as its argument where it
    can read it from there, which pg_restore needs to work in parallel, and else on its input.
    ``name`` says the form. Raises `NotCollected` if a program or the identity is missing.
    """
    before: list[Command] = []
    if name.encrypted:
        if not reader.identity:
            raise NotCollected(
                "it is encrypted, and age_identity is not given",
                "Give the file with the key as age_identity.",
            )
        require_program(reader.age)
        before.append(Command([reader.age, "--decrypt", "--identity", reader.identity, path]))
    if name.zstd:
        require_program("zstd")
        file = [] if before else [path]
        before.append(Command(["zstd", "--decompress", "--stdout", "--quiet", *file]))
    if before:
        return [*before, last]
    argument = f"--file={path}" if last.program == "psql" else path
    return [replace(last, argv=[*last.argv, argument])]


def is_seekable(name: Name) -> bool:
    """Whether pg_restore reads the backup itself, and so can work in parallel."""
    return not name.encrypted and not name.zstd


def run(
    commands: Sequence[Command],
    watch: Callable[[], None],
    sink: IO[bytes] | int | None = None,
    copies: Sequence[tuple[Command, IO[bytes] | int | None]] = (),
) -> list[Ended]:
    """Run a pipeline, see `run_pipeline`; raises `PipelineFailed` unless every program succeeded.

    Raises `NotCollected` if a program cannot be started, or the key is a wrong one.
    """
    try:
        ended = run_pipeline(commands, sink=sink, watch=watch, copies=copies)
    except OSError as error:
        raise _not_started(error, commands[0]) from None
    return _succeeded(ended)


def run_each(
    programs: Sequence[tuple[Command, IO[bytes]]], watch: Callable[[], None]
) -> list[Ended]:
    """Run programs at the same time, each with its source; raises like `run`."""
    try:
        ended = run_together(programs, watch)
    except OSError as error:
        raise _not_started(error, programs[0][0]) from None
    return _succeeded(ended)


def _not_started(error: OSError, first: Command) -> NotCollected:
    program = error.filename or first.argv[0]
    return NotCollected(f"{program} cannot be started: {error.strerror}", f"Install {program}.")


def _succeeded(ended: list[Ended]) -> list[Ended]:
    guilty = culprit(ended)
    if guilty is not None:
        raise failure(guilty)
    return ended


def failure(guilty: Ended) -> RunbookError:
    """The error for the program that failed; a wrong key says nothing about the backup, nor does
    someone, or a lack of memory, that has ended the program."""
    failed = PipelineFailed(guilty)
    if guilty.code in _ENDED:
        return NotCollected(str(failed))
    if not failed.wrong_key:
        return failed
    return NotCollected(
        "age_identity is not the key of this backup: none of its keys opens it",
        "Give the identity of one of the recipients that its manifest names.",
    )


def culprit(ended: Sequence[Ended]) -> Ended | None:
    """The program whose failure made others fail; none if all succeeded.

    A program whose reader has ended fails at writing, so such a failure is never the cause.
    """
    failed = [one for one in ended if one.failed]
    causes = [one for one in failed if not _lost_its_reader(one)]
    return next(iter(causes or failed), None)


def _lost_its_reader(ended: Ended) -> bool:
    return ended.code == -signal.SIGPIPE or _PIPE_CLOSED in ended.errors.lower()


def output_of(commands: Sequence[Command], watch: Callable[[], None]) -> str:
    """What the last program writes, kept in memory and never on disk; raises like `run`."""
    with os.fdopen(os.memfd_create("output"), "w+b") as output:
        run(commands, watch, output)
        output.seek(0)
        return output.read().decode(errors="replace")


def listing(path: str, name: Name, reader: Reader, watch: Callable[[], None]) -> str:
    """What ``pg_restore --list`` prints, as `toc` has it; raises like `run`.

    It stops reading after the table of contents, so the programs before it may lose their reader.
    """
    commands = reading(path, name, reader.pg_restore("--list"), reader)
    try:
        with os.fdopen(os.memfd_create("output"), "w+b") as output:
            ended = run_pipeline(commands, sink=output, watch=watch)
            output.seek(0)
            text = decoded(output.read())
    except OSError as error:
        raise NotCollected(f"pg_restore cannot be started: {error.strerror}") from None
    if not ended[-1].failed:
        return text
    raise failure(culprit(ended) or ended[-1])


def require_program(program: str) -> None:
    """Raise `NotCollected` unless a program is installed."""
    if shutil.which(program) is None:
        raise NotCollected(
            f"the program {program} is not installed", f"Install the package {program}."
        )


def main_line(text: str) -> str:
    """The line that says why a program failed, without its own name: its first error, or the last.

    After the error come hints, queries, and what other processes say because of it.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    errors = (line for line in lines if "error:" in line.lower() and _CONSEQUENCE not in line)
    line = next(errors, lines[-1] if lines else "")
    program, separator, rest = line.partition(": ")
    return rest.strip() if separator and " " not in program else line.strip()
