# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a release: what it was built from, and whether it has proven itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

#: What is known about a release.
UNKNOWN = "unknown"
GOOD = "good"
BAD = "bad"


@dataclass(frozen=True)
class Release:
    """One release on a host."""

    id: str
    """Name of its folder, such as ``v1.1.0-3f2a91c``; a rebuild of the same commit is the same."""
    version: str
    """What it was asked for as: a tag, a branch or a commit."""
    path: str
    """Its folder, with all links resolved; under Docker the id of its image."""
    commit: str = ""
    """Full hash of its commit; empty if it did not come from git."""
    lockfile: str = ""
    """SHA-256 of its package-lock.json."""
    node_version: str = ""
    """Version of Node.js that it was built with."""
    migrations: tuple[str, ...] = ()
    """Names of the database migrations that it has."""
    built: float | None = None
    """Unix time at which it was complete; none if another tool built it."""
    adopted: bool = False
    """Whether another tool made it, so that nothing of it is ever removed."""
    status: str = UNKNOWN
    """`UNKNOWN`, `GOOD` (it was live and verified) or `BAD` (it failed, or was rolled back)."""
    verified: float | None = None
    """Unix time of its last successful verification while it was live."""
    reason: str = ""
    """Why it is bad."""
    image: str = ""
    """Under Docker: what Compose starts, ``registry.example.com/app:v1@sha256:...``."""


@dataclass(frozen=True)
class Switch:
    """One switch from a release to another, as it ended."""

    at: float
    """Unix time."""
    kind: str
    """``deploy``, ``rollback``, ``revert`` or ``adopt``."""
    before: str
    """Id of the release that was live before; empty if there was none."""
    after: str
    """Id of the release that is live since."""
    owner: str = ""
    """Who did it."""
    reason: str = ""
    seconds_without_service: float | None = None
    """As measured from the host during the switch; none if it was not measured."""


@dataclass(frozen=True)
class FailedBuild:
    """The last build that failed, of which nothing else is left."""

    release: str
    """Id of the release that it would have been."""
    version: str
    commit: str
    at: float
    """Unix time."""
    command: str
    """The command that failed."""
    output: str
    """The end of what that wrote, with secrets masked."""


def release_from_json(content: Mapping[str, Any]) -> Release:
    """Raises TypeError or ValueError if it is not the record of a release."""
    known = {item.name for item in fields(Release)}
    plain = {key: value for key, value in content.items() if key in known}
    if plain.get("status", UNKNOWN) not in (UNKNOWN, GOOD, BAD):
        raise ValueError(f"status is {plain['status']!r}")
    return Release(**{**plain, "migrations": tuple(plain.get("migrations", ()))})


def as_json(record: Release | Switch | FailedBuild) -> dict[str, Any]:
    """Plain data."""
    return asdict(record)
