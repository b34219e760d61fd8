# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks Vercel to move the production domains, once, and waits until they have moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..core.errors import Refused, RunbookError
from .client import Client, Refusal, Unclear
from .collect import read_domain, read_project
from .options import Options
from .plan import age, job_type
from .snapshot import PROMOTE, SKIPPED, SUCCEEDED, Deployment, Job, Snapshot

#: Seconds between two questions whether it is done.
_POLL = 0.5
#: Times that are waited for a job whose request ended without a clear answer, and asked again.
_LOOKS = 3
_REQUESTS = 3
_CONFLICT = 409
_QUEUED = 202

_ADVICE = {
    402: "The plan allows to roll back only to the production deployment before, or not at all: "
    "name that one, or upgrade.",
    422: "Name another deployment; state=listed shows which Vercel offers.",
}


class Stopped(Refused):
    """The switch did not begin, or ended without having moved the domains."""


@dataclass
class Switch:
    """One move of the production domains."""

    client: Client
    options: Options
    snapshot: Snapshot
    target: Deployment
    report: Callable[[str], None] = lambda phase: None
    notes: list[str] = field(default_factory=list)
    """What went other than planned, for the report."""
    requested: bool = False
    """Whether Vercel may act on it, whatever happens here."""
    pending: str = "Vercel has not answered"
    """What has not happened yet, for the message if the time limit passes."""

    def request(self) -> Job | None:
        """Ask for it; the job that was found to have begun, none if it is not visible yet."""
        for number in range(_REQUESTS):
            self.report("asking Vercel to move the domains")
            try:
                return self._request()
            except Unclear as problem:
                self.requested = True
                self.notes.append(f"the request ended without a clear answer: {problem}")
                job = self._begun()
                if job is not None:
                    return job
                if number == _REQUESTS - 1:
                    raise Stopped(
                        f"{problem}, {_REQUESTS} times in a row, and no job has begun",
                        "Ask again later; https://www.vercel-status.com says whether Vercel has "
                        "an outage.",
                    ) from None
        return None

    def wait(self, job: Job | None) -> Job:
        """The job, once it has ended."""
        while job is None or job.running:
            self.pending = f"the job is still {job.status}" if job else "no job has begun yet"
            self.report(self.pending)
            self.client.sleep(_POLL)
            newest = self._newest()
            job = newest or job
        return job

    def arrive(self, job: Job) -> None:
        """Wait until the domains lead to the target: a job that succeeded is a claim."""
        before = (self.snapshot.live_id, job.source, "")
        waiting = [
            domain
            for domain, to in self.snapshot.domains.items()
            if to != self.target.id and to in before
        ]
        while waiting:
            now = read_domain(self.client, waiting[0])
            if now == self.target.id:
                waiting.pop(0)
                continue
            self.pending = (
                f"Vercel reports success, but {waiting[0]} still leads to "
                f"{self.snapshot.name_of(now)}"
            )
            self.report(self.pending)
            self.client.sleep(_POLL)

    def is_needless(self, job: Job) -> bool:
        """Whether a job was skipped because someone else was quicker."""
        domains = self.snapshot.domains
        return job.status == SKIPPED and all(
            read_domain(self.client, each) == self.target.id for each in domains
        )

    def explained(self, error: RunbookError, remedy: str) -> RunbookError:
        """The error, or that it came after the request: the domains may still move."""
        if isinstance(error, Stopped) or not self.requested:
            return error
        return Stopped(f"the {job_type(self.options)} was requested, but then {error}", remedy)

    # --- steps ------------------------------------------------------------------------------------

    def _request(self) -> Job | None:
        """Ask until there is an answer other than to wait."""
        kind = job_type(self.options)
        version = "v10" if kind == PROMOTE else "v1"
        why = {} if kind == PROMOTE else {"description": self.options.reason}
        path = (version, "projects", self.snapshot.project.id, kind, self.target.id)
        while True:
            try:
                reply = self.client.post(*path, **why)
            except Refusal as refusal:
                if refusal.wait is not None:
                    self.report(f"rate limited, asking again in {refusal.wait:.0f} s")
                    self.notes.append(f"Vercel's rate limit: waited {refusal.wait:.3g} s")
                    self.client.sleep(refusal.wait, _gave_up(refusal))
                    continue
                return self._refused(refusal)
            self.requested = True
            if reply.status == _QUEUED:
                self.notes.append("Vercel has queued it behind a rolling release")
            return None

    def _refused(self, refusal: Refusal) -> Job:
        """Another operator's job that does the same; raises `Stopped` for any other refusal."""
        if refusal.status == _CONFLICT:
            job = read_project(self.options, self.client).job
            if job is not None and job.running:
                name = self.snapshot.name_of(job.target)
                if (job.type, job.target) == (job_type(self.options), self.target.id):
                    self.notes.append(f"someone else requested the same {age(job)} before")
                    return job
                raise Stopped(
                    f"{refusal}: a {job.type} to {name}, requested {age(job)} ago, is running",
                    "Wait until it has ended, then check what is live with state=verified.",
                )
        raise Stopped(str(refusal), _ADVICE.get(refusal.status, refusal.remedy))

    def _begun(self) -> Job | None:
        """The job that a request without a clear answer has begun, if it has."""
        for look in range(_LOOKS):
            job = self._newest()
            if job is not None:
                return job
            if look < _LOOKS - 1:
                self.client.sleep(_POLL * (look + 1))
        return None

    def _newest(self) -> Job | None:
        """The job to the target that was not there before."""
        job = read_project(self.options, self.client).job
        known = self.snapshot.project.job
        if job is None:
            return None
        if known is not None and known.running and job.requested == known.requested:
            return job if job.target == self.target.id else None
        if not job.is_after(known):
            return None
        if job.target != self.target.id or job.type != job_type(self.options):
            raise Stopped(
                f"someone else has requested a {job.type} to {self.snapshot.name_of(job.target)} "
                "meanwhile",
                "Agree with them what is to be live; state=verified shows what is.",
            )
        return job


def _gave_up(refusal: Refusal) -> RunbookError:
    wait = refusal.wait or 0
    return Stopped(
        f"Vercel's rate limit: the next request is allowed in {wait:.0f} s, after the time limit",
        "Ask again then, or raise time_limit.",
    )


def succeeded(job: Job) -> bool:
    return job.status == SUCCEEDED
