"""The state of one project on Vercel, in the shapes that the official SDK checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TEAM, SLUG = "team_8Yq0example", "example"
USER = "usr_5Xm2example"
PROJECT, NAME = "prj_4Tn7example", "gpt-agent"
#: When the oldest deployment was made, and the time between two, in milliseconds.
_BEGIN, _STEP = 1_790_000_000_000, 3_600_000
CREATOR = {"uid": USER, "email": "dev@example.com", "username": "dev"}
RESOURCES = {
    "elasticConcurrencyEnabled": False,
    "fluid": True,
    "functionDefaultRegions": ["fra1"],
    "functionDefaultTimeout": 300,
    "functionDefaultMemoryType": "standard",
    "functionZeroConfigFailover": False,
    "buildMachineType": "standard",
    "isNSNBDisabled": False,
}


@dataclass
class Deployment:
    """One deployment, and whether the app works in it."""

    id: str
    url: str
    commit: str
    number: int
    target: str | None = "production"
    state: str = "READY"
    substate: str = "PROMOTED"
    candidate: bool = True
    project: str = PROJECT
    healthy: bool = True
    log: list[str] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)

    @property
    def created(self) -> int:
        return _BEGIN + self.number * _STEP

    def listed(self) -> dict[str, Any]:
        """As in a list."""
        return {
            "uid": self.id,
            "name": NAME,
            "projectId": self.project,
            "url": self.url,
            "created": self.created,
            "createdAt": self.created,
            "buildingAt": self.created + 1000,
            "ready": self.created + 60_000,
            "state": self.state,
            "readyState": self.state,
            "readySubstate": self.substate,
            "type": "LAMBDAS",
            "creator": CREATOR,
            "inspectorUrl": f"https://vercel.com/{SLUG}/{NAME}/{self.id}",
            "target": self.target,
            "isRollbackCandidate": self.candidate,
            "meta": {"githubCommitSha": self.commit, "githubCommitRef": "main", **self.meta},
        }

    def events(self) -> list[dict[str, Any]]:
        """Its build log."""
        return [
            {
                "id": f"{self.id}-{number}",
                "type": "stderr" if "rror" in line else "stdout",
                "created": self.created + number,
                "date": self.created + number,
                "deploymentId": self.id,
                "serial": str(number),
                "text": line,
                "info": {"type": "build", "name": "bld_1", "entrypoint": "."},
            }
            for number, line in enumerate(self.log)
        ]

    def single(self) -> dict[str, Any]:
        """As it is answered alone, which does not say whether it can be rolled back to."""
        return {
            "id": self.id,
            "name": NAME,
            "projectId": self.project,
            "ownerId": TEAM,
            "url": self.url,
            "createdAt": self.created,
            "readyState": self.state,
            "status": self.state,
            "readySubstate": self.substate,
            "type": "LAMBDAS",
            "target": self.target,
            "creator": CREATOR,
            "team": {"id": TEAM, "name": "Example", "slug": SLUG},
            "project": {"id": self.project, "name": NAME},
            "public": False,
            "regions": ["fra1"],
            "version": 2,
            "aliasAssigned": self.target == "production",
            "bootedAt": self.created + 500,
            "buildingAt": self.created + 1000,
            "build": {"env": []},
            "buildSkipped": False,
            "createdIn": "fra1",
            "env": [],
            "inspectorUrl": None,
            "isInConcurrentBuildsQueue": False,
            "isInSystemBuildsQueue": False,
            "plan": "pro",
            "projectSettings": {},
            "routes": None,
            "meta": {"githubCommitSha": self.commit, "githubCommitRef": "main", **self.meta},
        }


@dataclass
class Job:
    source: str
    target: str
    type: str
    requested: int
    status: str = "pending"

    def answer(self) -> dict[str, Any]:
        return {
            "fromDeploymentId": self.source,
            "toDeploymentId": self.target,
            "jobStatus": self.status,
            "requestedAt": self.requested,
            "type": self.type,
        }


@dataclass
class Project:
    """The project as Vercel keeps it."""

    deployments: list[Deployment]
    """The oldest first."""
    domains: dict[str, str]
    """Id of the deployment that each production domain leads to."""
    variables: dict[str, int] = field(default_factory=dict)
    """When each was changed, in milliseconds."""
    job: Job | None = None
    auto_assign: bool = True

    def answer(self) -> dict[str, Any]:
        return {
            "id": PROJECT,
            "name": NAME,
            "accountId": TEAM,
            "createdAt": _BEGIN,
            "updatedAt": _BEGIN,
            "directoryListing": False,
            "nodeVersion": "22.x",
            "framework": "nextjs",
            "speedInsights": {"id": "", "hasData": False},
            "autoAssignCustomDomains": self.auto_assign,
            "defaultResourceConfig": RESOURCES,
            "resourceConfig": RESOURCES,
            "deploymentExpiration": {},
            "features": {},
            "latestDeployments": [],
            "alias": [],
            "lastAliasRequest": self.job.answer() if self.job else None,
        }

    def find(self, name: str) -> Deployment | None:
        """A deployment by id, by its URL or by a domain that leads to it."""
        wanted = self.domains.get(name, name)
        return next((one for one in self.deployments if wanted in (one.id, one.url)), None)


def domain(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "apexName": ".".join(name.split(".")[-2:]),
        "projectId": PROJECT,
        "redirect": None,
        "redirectStatusCode": None,
        "gitBranch": None,
        "customEnvironmentId": None,
        "createdAt": _BEGIN,
        "updatedAt": _BEGIN,
        "verified": True,
    }


def alias(name: str, deployment: Deployment) -> dict[str, Any]:
    return {
        "uid": f"als_{abs(hash(name))}",
        "alias": name,
        "created": "2026-09-21T14:13:20.000Z",
        "createdAt": _BEGIN,
        "updatedAt": _BEGIN,
        "creator": CREATOR,
        "deploymentId": deployment.id,
        "projectId": PROJECT,
        "deployment": {"id": deployment.id, "url": deployment.url},
    }


def variable(key: str, updated: int, value: str) -> dict[str, Any]:
    return {
        "id": f"env{key}",
        "key": key,
        "value": value,
        "type": "encrypted",
        "securityIssues": [],
        "target": ["production"],
        "createdAt": _BEGIN,
        "updatedAt": updated,
    }


def user() -> dict[str, Any]:
    return {
        "id": USER,
        "uid": USER,
        "username": "dev",
        "email": "dev@example.com",
        "name": "Dev",
        "defaultTeamId": TEAM,
        "version": "northstar",
        "limited": False,
    }


def team() -> dict[str, Any]:
    return {
        "id": TEAM,
        "slug": SLUG,
        "name": "Example",
        "createdAt": _BEGIN,
        "creatorId": USER,
        "membership": {"role": "OWNER", "confirmed": True, "uid": USER, "teamId": TEAM},
    }


def pagination(count: int, following: int | None = None) -> dict[str, Any]:
    return {"count": count, "next": following, "prev": None}


def history() -> Project:
    """Three production deployments, the last of which is live, and a preview."""
    first = Deployment("dpl_1first", "gpt-agent-1aaa.vercel.app", "1" * 40, 1)
    second = Deployment("dpl_2second", "gpt-agent-2bbb.vercel.app", "2" * 40, 2)
    third = Deployment("dpl_3third", "gpt-agent-3ccc.vercel.app", "3" * 40, 3)
    second.meta["version"] = "v1.1.0"
    preview = Deployment("dpl_4preview", "gpt-agent-4ddd.vercel.app", "4" * 40, 4, target=None)
    preview.candidate, preview.substate = False, "STAGED"
    live = dict.fromkeys(("your-domain.com", "gpt-agent.vercel.app"), third.id)
    return Project([first, second, third, preview], live, {"API_KEY": first.created - 1})
