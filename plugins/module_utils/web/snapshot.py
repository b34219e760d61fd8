# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of the endpoints: their answers, and how long these took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """The result of one request, its redirects included."""

    failure: str = ""
    """Why there was no answer; everything but the remedy is then empty."""
    remedy: str = ""
    """What to do about the failure, if the check's own remedy does not fit."""
    status: int = 0
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)
    charset: str = "utf-8"
    """What the server says; empty if it says nothing."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Those that verdicts and remedies need, by their name in lower case."""
    unreadable: str = ""
    """A coding of the body that cannot be undone here."""
    corrupt: str = ""
    """A coding that the server names and that the body does not have."""
    truncated_at: int = 0
    """Bytes that were read of a longer body; 0 if it is complete."""
    seconds: float = 0.0
    """From the request to the complete answer, without opening the connection."""
    connect_seconds: float | None = None
    """For name resolution, TCP and TLS, if a connection was opened."""
    url: str = ""
    """Where the answer finally came from, without secrets."""
    redirects: int = 0
    peer: str = ""
    """Address and port of the server."""
    tls: str = ""
    """TLS version, empty for plain HTTP."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with an answer."""

    text: str
    remedy: str = ""
    """What to do about it, if the check's own remedy does not fit."""
    level: str = ""
    """The worst status that it deserves; empty if its share decides."""


@dataclass(frozen=True)
class Sample:
    """One request, and what was wrong with its answer."""

    seconds: float
    problem: str = ""
    excerpt: str = ""
    """The beginning of an answer that was not as expected."""
    remedy: str = ""
    """What to do about the problem, if the check's own remedy does not fit."""
    level: str = ""
    """The worst status that the problem deserves; empty if its share decides."""
    pending: bool = False
    """Still had no answer when the probe ran out of time."""


@dataclass
class EndpointSnapshot:
    """All that was seen of one endpoint."""

    first: Answer | None = None
    """The answer to the first request."""
    samples: list[Sample] = field(default_factory=list)
    """In the order in which they ended; the first request, which opens the connection, leads."""
    limited: list[int] = field(default_factory=list)
    """The statuses by which a rate limit refused further requests."""
    alone: list[float] = field(default_factory=list)
    """Seconds of requests that were sent alone, after many at once were slow."""
    cached: str = ""
    """What shows that the first answer came from a cache."""
    uncached: Sample | None = None
    """The request past the cache, if the first answer came from one."""
    still_cached: bool = False
    """The cache answered that request as well."""


@dataclass(frozen=True)
class Snapshot:
    """What was seen of all endpoints."""

    endpoints: tuple[EndpointSnapshot, ...]
    """In the order of the options' endpoints."""
    seconds: float
    """The time that the probe had for its requests."""
