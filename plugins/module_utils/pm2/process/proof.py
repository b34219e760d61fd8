# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that the app works: the directory that its processes are in, and its answer."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Callable

from ...linux.proc import working_directory
from ...net.http import Target, ask
from ...net.url import Url
from ..instance import Instance
from .options import Options
from .verify import NotProven, last_message, require_stays_up

#: Seconds between two looks, and the time limit of one request.
_POLL = 0.2
_REQUEST_SECONDS = 10.0


@dataclass
class Proof:
    """What must hold for an instance to count as proven."""

    options: Options
    directory: str = ""
    """The directory, without links, that its process must be in; empty for any."""
    url: str = ""
    """Must answer with a status of 2xx; empty for no request."""
    started: float = field(default_factory=time.monotonic)
    _answered: bool = False

    def hold(
        self,
        rows: list[tuple[Instance, int]],
        seconds: float,
        report: Callable[[str], None],
        requests: int = 0,
    ) -> dict[int, Instance]:
        """Watch instances for some seconds, each given with the size of its error log before.

        Sends at least ``requests`` requests. Raises `NotProven` as soon as anything does not hold.
        """
        until = time.monotonic() + seconds
        found: dict[int, Instance] = {}
        while True:
            report("watching whether it stays up")
            for row, log_start in rows:
                found[row.pm_id] = require_stays_up(self.options, row, log_start)
            self._require_answer(rows)
            requests -= 1
            enough = requests <= 0 and self._answered
            if time.monotonic() >= until and (enough or not self.url):
                break
            if time.monotonic() < until:
                time.sleep(min(_POLL, max(0.0, until - time.monotonic())))
        for row, _then in rows:
            self._require_directory(found[row.pm_id])
        return found

    def _require_directory(self, row: Instance) -> None:
        if not self.directory:
            return
        try:
            actual = working_directory(row.pid)
        except OSError as error:
            raise NotProven(
                f"the directory of its process {row.pid} cannot be read: {error.strerror}"
            ) from None
        if actual != os.path.realpath(self.directory):
            raise NotProven(f"its process {row.pid} is in {actual}, not in {self.directory}")

    def _require_answer(self, rows: list[tuple[Instance, int]]) -> None:
        if not self.url:
            return
        problem = problem_of(self.url)
        if not problem:
            self._answered = True
            return
        row, log_start = rows[0]
        still_starting = time.monotonic() - self.started < row.listen_timeout
        if still_starting and not self._answered and not row.wait_ready:
            time.sleep(_POLL)
            return
        raise NotProven(f"{self.url} {problem}{last_message(row, log_start)}")


def problem_of(url: str) -> str:
    """What is wrong with the answer of a URL, as a verb phrase; empty if it is 2xx."""
    answer = ask(Target(Url.parse("url", url)), _REQUEST_SECONDS)
    if answer.healthy:
        return ""
    return f"answers {answer.status}" if answer.status else f"does not answer: {answer.problem}"
