"""Deployments and snapshots of a project on Vercel as plain data."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.vercel.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.vercel.snapshot import (
    Deployment,
    Job,
    Project,
    Snapshot,
)

GIVEN: dict[str, Any] = {"project": "gpt-agent", "token": "t0ken", "state": "rolled_back"}


def deployment(number: int, **more: Any) -> Deployment:
    """The number-th deployment, once live in production unless said otherwise."""
    fields: dict[str, Any] = {
        "id": f"dpl_{number}",
        "url": f"app-{number}.vercel.app",
        "state": "READY",
        "target": "production",
        "created": 1000.0 * number,
        "project": "prj_1",
        "candidate": True,
        "substate": "PROMOTED",
        "meta": {"githubCommitSha": str(number) * 40},
    }
    return Deployment(**{**fields, **more})


def job(kind: str, source: int, target: int, status: str = "succeeded") -> Job:
    return Job(kind, f"dpl_{source}", f"dpl_{target}", status, 5000.0)


def snapshot(live: int, *deployments: Deployment, last: Job | None = None, **more: Any) -> Snapshot:
    """Of three deployments unless others are given."""
    found = deployments or tuple(deployment(number) for number in (3, 2, 1))
    domains = {"your-domain.com": f"dpl_{live}", "app.vercel.app": f"dpl_{live}"}
    auto = more.pop("auto_assign", True)
    project = Project("prj_1", "gpt-agent", auto, last)
    return Snapshot(project, more.pop("domains", domains), found, **more)


def options(**given: Any) -> Options:
    return Options.from_params({**GIVEN, **given})
