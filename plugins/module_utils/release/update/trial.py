# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates the packages of a copy, and tries whether the app still works with them."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Callable

from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import NotCollected
from ...npm.client import Npm
from ...npm.options import Options as NpmOptions
from ..commands import CommandFailed, run
from .options import Options
from .packages import Files, changes, names
from .place import Copy
from .suspects import narrow

Report = Callable[[str], None]

#: It only reckons: the lockfile is written, and no package is fetched or run.
_RECKON = ("--json", "--package-lock-only", "--ignore-scripts", "--no-fund")
#: Trouble of the host or the registry, of which the packages are innocent.
_SURROUNDINGS = re.compile(
    r"ENOSPC|[Nn]o space left on device|EDQUOT|ENOMEM"
    r"|npm (?:error|ERR!) code (?:E4\d\d|E5\d\d|ENEEDAUTH|ECONN\w+|ENOTFOUND|EAI_AGAIN|ETIMEDOUT"
    r"|ERR_SOCKET_TIMEOUT|EHOSTUNREACH|ENETUNREACH|ETARGET|\w*CERT\w*|EPROTO)"
)


@dataclass(frozen=True)
class Failure:
    """A command that failed with the updated packages."""

    command: str
    reason: str
    output: str
    """The end of what it wrote, with secrets masked."""
    surroundings: bool = False
    """Whether the host or the registry is to blame."""
    also_without: bool | None = None
    """Whether it fails without the update as well; none if that was not tried."""
    suspects: tuple[str, ...] = ()
    """The packages that are enough to make it fail."""


class Trial:
    """The packages of one copy."""

    def __init__(self, options: Options, copy: Copy, report: Report) -> None:
        self._options = options
        self._copy = copy
        self._report = report
        self.before: Files = copy.files()

    def npm(self) -> Npm:
        """npm for the copy, with a new time limit."""
        options = self._options
        given = NpmOptions(self._copy.path, options.npm, options.registry)
        return Npm(given, Deadline(options.timeout), options.environment)

    def update(self, only: Sequence[str] | None = None) -> Files:
        """Update the lockfile of the copy; its files. Raises `NotCollected`.

        ``only`` are the packages to update, instead of those that the operator asked for.
        """
        options = self._options
        self._copy.put(self.before)
        if only is not None:
            self._ask_update(only)
        elif options.vulnerable:
            self.npm().ask("audit", "fix", *_RECKON)
        elif options.only or options.exclude:
            there = names(self.before)
            unknown = sorted({*options.only, *options.exclude} - set(there))
            if unknown:
                raise NotCollected(
                    f"the app does not use {', '.join(unknown)}", "Correct the options."
                )
            chosen = [name for name in options.only or there if name not in options.exclude]
            self._ask_update(chosen)
        else:
            self._ask_update([])
        return self._copy.files()

    def run(self) -> Failure | None:
        """Run the commands in the copy; the first that fails."""
        for command in self._options.commands:
            failure = self._run(command)
            if failure:
                return failure
        return None

    def explain(self, failure: Failure, after: Files) -> Failure:
        """Find out whether it fails without the update as well, and which package does it."""
        if failure.surroundings:
            return failure
        self._report("trying the commands without the update")
        self._copy.put(self.before)
        again = self._until(failure.command)
        if again:
            known = not again.surroundings
            return replace(failure, also_without=True if known else None)
        found = replace(failure, also_without=False)
        if not self._options.find_cause:
            return found
        end = time.monotonic() + self._options.search_time
        packages = [change.package for change in changes(self.before, after) if change.before]
        try:
            suspects = narrow(
                packages,
                lambda part: self._breaks(part, failure.command),
                lambda: time.monotonic() < end,
            )
        except (NotCollected, DeadlineExceeded):  # the registry; the failure itself is known
            return found
        return replace(found, suspects=suspects)

    def _ask_update(self, packages: Sequence[str]) -> None:
        self.npm().ask("update", *packages, *_RECKON, "--no-audit")

    def _breaks(self, packages: Sequence[str], command: str) -> bool:
        self._report(f"looking for the package that breaks it, {len(packages)} of them updated")
        self.update(packages)
        failure = self._until(command)
        if failure and failure.surroundings:
            raise NotCollected(failure.reason)
        return failure is not None

    def _until(self, last: str) -> Failure | None:
        """Run the commands up to one of them; the first that fails."""
        for command in self._options.commands[: self._options.commands.index(last) + 1]:
            failure = self._run(command)
            if failure:
                return failure
        return None

    def _run(self, command: str) -> Failure | None:
        options = self._options
        self._report(f"running {command}")
        try:
            run(
                ["/bin/sh", "-c", command],
                self._copy.path,
                options.surroundings(),
                options.command_timeout,
                secrets=options.secrets,
            )
        except CommandFailed as failed:
            innocent = bool(_SURROUNDINGS.search(failed.output))
            return Failure(command, str(failed), failed.output, innocent)
        return None
