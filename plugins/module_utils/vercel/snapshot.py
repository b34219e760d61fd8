# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a project on Vercel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ROLLBACK, PROMOTE = "rollback", "promote"
#: How a job ended.
SUCCEEDED, FAILED, SKIPPED = "succeeded", "failed", "skipped"
_RUNNING = ("pending", "in-progress")
READY = "READY"
PRODUCTION = "production"
#: A deployment that never had the production domains.
_STAGED = "STAGED"
#: Fewest characters of a commit that identify it.
SHORTEST_COMMIT = 7


@dataclass(frozen=True)
class Deployment:
    """One deployment."""

    id: str
    url: str
    """Its own host name."""
    state: str
    """``READY``, ``ERROR``, ``BUILDING`` …"""
    target: str
    """``production``; empty for a preview."""
    created: float
    """Unix time."""
    project: str = ""
    candidate: bool | None = None
    """Whether Vercel offers it to roll back to; none if it does not say."""
    substate: str = ""
    """``PROMOTED`` if it has ever had the production domains, ``STAGED`` if not."""
    meta: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    """Why it was not built, as Vercel says."""

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Deployment:
        """One item of Vercel's list, or its answer about a single one."""
        meta = item.get("meta")
        return cls(
            id=str(item.get("uid") or item.get("id") or ""),
            url=str(item.get("url") or ""),
            state=str(item.get("readyState") or item.get("state") or ""),
            target=str(item.get("target") or ""),
            created=float(item.get("createdAt") or item.get("created") or 0) / 1000,
            project=str(item.get("projectId") or ""),
            candidate=item.get("isRollbackCandidate"),
            substate=str(item.get("readySubstate") or ""),
            meta={str(key): str(value) for key, value in meta.items()}
            if isinstance(meta, Mapping)
            else {},
            error=str(item.get("errorMessage") or item.get("errorCode") or ""),
        )

    @property
    def commit(self) -> str:
        """The commit that it was built from; empty if it is not known."""
        return next((self.meta[key] for key in self.meta if key.endswith("CommitSha")), "")

    @property
    def shown(self) -> str:
        """``app-9f3k.vercel.app (commit 3f2a91c)``."""
        known = f"commit {self.commit[:12]}" if self.commit else self.id
        return f"{self.url} ({known})" if self.url else self.id

    @property
    def was_live(self) -> bool:
        """Whether it can have had the production domains, as far as Vercel says."""
        return self.target == PRODUCTION and self.substate != _STAGED

    def is_called(self, name: str) -> bool:
        """Whether a name is its id, its URL, its commit, or a value such as a tag in its meta."""
        if name == self.id or host_of(name) == self.url:
            return True
        if re.fullmatch(r"[0-9a-fA-F]+", name) and len(name) >= SHORTEST_COMMIT:
            return self.commit.lower().startswith(name.lower()) and bool(self.commit)
        return name in self.meta.values()


@dataclass(frozen=True)
class Job:
    """A request to move the production domains."""

    type: str
    """`ROLLBACK` or `PROMOTE`."""
    source: str
    """Id of the deployment that had the domains, and of the one that gets them."""
    target: str
    status: str
    requested: float
    """Unix time by Vercel's clock."""

    @classmethod
    def parse(cls, item: Any) -> Job | None:
        if not isinstance(item, Mapping):
            return None
        return cls(
            type=str(item.get("type") or ""),
            source=str(item.get("fromDeploymentId") or ""),
            target=str(item.get("toDeploymentId") or ""),
            status=str(item.get("jobStatus") or ""),
            requested=float(item.get("requestedAt") or 0) / 1000,
        )

    @property
    def running(self) -> bool:
        return self.status in _RUNNING

    def is_after(self, other: Job | None) -> bool:
        """Whether it was requested later; both times are by the same clock."""
        return other is None or self.requested > other.requested


@dataclass(frozen=True)
class Project:
    id: str
    name: str
    auto_assign: bool | None
    """Whether new production deployments get the domains; none if Vercel does not say."""
    job: Job | None

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Project:
        auto = item.get("autoAssignCustomDomains")
        return cls(
            id=str(item.get("id") or ""),
            name=str(item.get("name") or ""),
            auto_assign=auto if isinstance(auto, bool) else None,
            job=Job.parse(item.get("lastAliasRequest")),
        )


@dataclass(frozen=True)
class Snapshot:
    """A project at a moment."""

    project: Project
    domains: Mapping[str, str]
    """Id of the deployment that each production domain leads to; empty if it leads to none."""
    deployments: tuple[Deployment, ...]
    """The newest first; as many as were needed to find what is live and what was asked for."""
    named: Deployment | None = None
    """What the operator named, where it is not among the deployments."""
    uncertain: str = ""
    """Why some domains were not checked; empty if all were."""

    @property
    def live_id(self) -> str:
        """The deployment that most production domains lead to; empty if they lead to none."""
        counts = Counter(value for value in self.domains.values() if value)
        return counts.most_common(1)[0][0] if counts else ""

    @property
    def live(self) -> Deployment | None:
        return self.deployment(self.live_id)

    def deployment(self, wanted: str) -> Deployment | None:
        """One of the deployments, by id."""
        return next((each for each in self.deployments if each.id == wanted), None)

    def name_of(self, wanted: str) -> str:
        """A deployment as people know it, by id."""
        found = self.deployment(wanted)
        return found.shown if found else wanted or "no deployment"

    def elsewhere(self, wanted: str) -> dict[str, str]:
        """The domains that do not lead to this deployment."""
        return {domain: to for domain, to in self.domains.items() if to != wanted}


def host_of(name: str) -> str:
    """The host in a URL; the name itself if it is none."""
    return re.split(r"[/?#]", name.partition("://")[2] or name, maxsplit=1)[0].lower()
