# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests that are still to be sent to each endpoint, and how a rate limit slows them down.

Pure: which request comes next follows from the answers so far and from the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.check import OK, WARNING
from ..core.definition import Threshold
from ..core.units import format_value
from .expectations import excerpt_of, problem_with
from .options import Endpoint
from .pages import cached_by, past_the_cache
from .rate_limit import REMEDY, pause_after
from .sampling import enough, slow_requests
from .snapshot import Answer, EndpointSnapshot, Sample

#: What a request is for: the first look, another one after a rate limit refused, one past a cache,
#: those that measure the response time, and those alone after a pause.
FIRST, AGAIN, UNCACHED, SAMPLE, ALONE = "first", "again", "uncached", "sample", "alone"
_ALONE_REQUESTS, _ALONE_PAUSE = 2, 1.0
#: Share of slow requests that makes one suspect that the probe's own requests are the reason.
_SUSPICIOUS = 0.6
_MOST_ATTEMPTS = 3


@dataclass
class Server:
    """What the endpoints of one server have in common."""

    running: int = 0
    served: bool = False
    """It has given a good answer."""
    pause: float = 0.0
    """Seconds between two requests, since a rate limit refused one."""
    resume_at: float = 0.0

    def free(self, now: float) -> bool:
        """Whether a request may start: any number at once, one by one after a refusal."""
        return not self.pause or (self.running == 0 and now >= self.resume_at)

    def slow_down(self, pause: float, now: float) -> None:
        """A rate limit refused a request."""
        self.pause = max(self.pause, pause)
        self.resume_at = max(self.resume_at, now + pause)


@dataclass
class Queue:
    """The requests of one endpoint."""

    endpoint: Endpoint
    server: Server
    threshold: Threshold
    mark: str = ""
    """A word that no cache knows."""
    seen: EndpointSnapshot = field(default_factory=EndpointSnapshot)
    started: int = 0
    running: int = 0
    attempts: int = 0
    """Requests that a rate limit refused and that are worth another try."""
    held: Answer | None = None
    """A refusal that is a rate limit's if the server answers another request, else a failure."""
    pending: str = FIRST
    """What the next request is for."""
    _times: list[float] = field(default_factory=list)
    _failed: int = 0

    def ready(self, now: float) -> bool:
        """Whether its next request may start now."""
        if not self.server.free(now) or self._is_held():
            return False
        if self.pending != SAMPLE:
            return self.pending != "" and self.running == 0
        wanted = self.endpoint.samples
        if self.server.pause or self.running >= self.endpoint.concurrency or not wanted:
            return False
        # If those under way turn out to be fast, they may be enough.
        under_way = [*self._times, *[0.0] * self.running]
        return not (
            enough(self._times, wanted, self.threshold, self._failed)
            or enough(under_way, wanted, self.threshold, self._failed)
        )

    def waits_until(self) -> float | None:
        """When its next request may start, if it waits for a rate limit; none if it does not."""
        if self._is_held():
            return None
        waiting = self.pending not in ("", SAMPLE) and self.server.pause
        return self.server.resume_at if waiting and not self.server.running else None

    def _is_held(self) -> bool:
        return self.held is not None and self.pending == FIRST and not self.server.served

    def start(self) -> tuple[str, Endpoint]:
        """What the next request is for, and what it asks for."""
        purpose = self.pending
        self.started += 1
        self.running += 1
        self.server.running += 1
        if purpose == UNCACHED:
            return purpose, past_the_cache(self.endpoint, self.mark)
        return purpose, self.endpoint

    def finish(self, purpose: str, answer: Answer, now: float) -> None:
        """Enter an answer, and decide what comes next."""
        self.running -= 1
        self.server.running -= 1
        if self.server.pause:
            self.server.resume_at = max(self.server.resume_at, now + self.server.pause)
        expected = answer.status in self.endpoint.statuses
        pause = None if expected else pause_after(answer, served_before=True)
        if pause is not None and pause_after(answer, self.server.served) is None:
            if purpose == FIRST and self.held is None:
                self.held = answer
                self.server.slow_down(pause, now)
                return
            pause = None
        if pause is not None and self._refused(purpose, answer, pause, now):
            return
        self._enter(purpose, answer, now)

    def _refused(self, purpose: str, answer: Answer, pause: float, now: float) -> bool:
        """Whether a rate limit's refusal is no answer of the endpoint."""
        self.server.slow_down(pause, now)
        self.attempts += 1
        if purpose == SAMPLE:
            self.seen.limited.append(answer.status)
            # 429 says what it is. Any other status may be a failure: then it is still there later.
            if answer.status != 429 and self.attempts == 1:
                self.pending = AGAIN
            return True
        if purpose in (UNCACHED, ALONE):
            self.seen.still_cached, self.pending = purpose == UNCACHED, SAMPLE
            return True
        most = _MOST_ATTEMPTS if answer.status == 429 else 2
        if self.attempts >= most or (purpose == AGAIN and answer.status != 429):
            return False
        self.seen.limited.append(answer.status)
        self.pending = purpose
        return True

    def _enter(self, purpose: str, answer: Answer, now: float) -> None:
        # Judged in the main thread, the only one that the alarm can interrupt in a regular
        # expression that never ends.
        sample = self._sample(answer)
        if purpose == UNCACHED:
            # A query may be refused although the app is well.
            refused = bool(sample.problem) and 400 <= answer.status < 500
            self.seen.uncached = None if refused else sample
            self.seen.still_cached = refused or (not sample.problem and bool(cached_by(answer)))
            self.pending = SAMPLE
            return
        if purpose == ALONE:
            self.seen.alone.append(answer.seconds)
            going_on = not sample.problem and len(self.seen.alone) < _ALONE_REQUESTS
            self.pending = ALONE if going_on else SAMPLE
            return
        self.seen.samples.append(sample)
        self.server.served = self.server.served or not (sample.problem or answer.failure)
        if purpose == SAMPLE or (purpose == AGAIN and self.seen.first):
            self._failed += bool(sample.problem)
            self._times += [] if sample.problem else [sample.seconds]
            self.pending = SAMPLE if purpose == AGAIN else self.pending
            if self.pending == SAMPLE and self._is_suspicious():
                self.server.slow_down(_ALONE_PAUSE, now)
                self.pending = ALONE
            return
        self.seen.first = answer
        self.seen.cached = "" if sample.problem else cached_by(answer)
        self.pending = "" if answer.failure else UNCACHED if self.seen.cached else SAMPLE

    def _is_suspicious(self) -> bool:
        """Whether the first request was fast and most of the later ones, sent at once, are slow.

        A rate limit delays what comes too fast (nginx's limit_req without nodelay).
        """
        first, times = self.seen.first, self._times
        if first is None or self.server.pause or self.threshold.status_of(first.seconds) != OK:
            return False
        if not enough(times, self.endpoint.samples, self.threshold, self._failed):
            return False
        slow = slow_requests(times, self.threshold)["slow"]
        return slow > 0 and slow >= _SUSPICIOUS * len(times)

    def _sample(self, answer: Answer) -> Sample:
        problem = problem_with(self.endpoint, answer)
        if problem is None:
            return Sample(answer.seconds)
        level, text = problem.level, problem.text
        if answer.status == 429:
            level, text = WARNING, f"{text}: a rate limit refuses the probe"
        return Sample(answer.seconds, text, excerpt_of(answer), problem.remedy, level)

    def close(self) -> None:
        """Time is up, or all is done: an endpoint that was only ever refused has no answer."""
        if not self.seen.samples and self.held and not self.seen.limited:
            self._enter(FIRST, self.held, 0.0)
        if self.seen.samples or not self.seen.limited:
            return
        status, pause = self.seen.limited[-1], format_value(self.server.pause, "seconds")
        text = f"HTTP {status}: a rate limit refuses the probe, which is to wait for {pause}"
        self.seen.samples.append(Sample(0.0, text, "", REMEDY, WARNING))
