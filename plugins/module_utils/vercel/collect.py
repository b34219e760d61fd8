# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a project, its production domains and its deployments from Vercel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..core.errors import NotCollected, UsageError
from .client import Client, Refusal
from .options import ROLLED_BACK, Options
from .snapshot import PRODUCTION, Deployment, Project, Snapshot, host_of

#: Deployments in one answer, and answers that are read to find one.
_PAGE = 100
_PAGES = 5
#: Production domains that are checked, one request each.
_DOMAINS = 30
_NOT_FOUND = 404
_FORBIDDEN = (401, 403)
_ID_OR_HOST = re.compile(r"dpl_\w+|[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}", re.IGNORECASE)


def collect(options: Options, client: Client) -> Snapshot:
    """What is live, and what there is to switch to; raises `UsageError` as well."""
    project = read_project(options, client)
    domains, uncertain = read_domains(client, project)
    snapshot = Snapshot(project, domains, (), uncertain=uncertain)
    live = snapshot.live_id
    found: list[Deployment] = []
    query = {} if options.wanted and options.state != ROLLED_BACK else {"target": PRODUCTION}
    for page in _pages(client, project, query):
        found += page
        if _is_enough(options, found, live):
            break
    named = None
    if options.wanted and not any(each.is_called(options.wanted) for each in found):
        named = _named(client, options.wanted)
        if named and named.project == project.id and options.state == ROLLED_BACK:
            named = _from_list(client, project, named)
    job = project.job
    for needed in {live, job.target if job and job.running else ""} - {"", *(d.id for d in found)}:
        found.append(Deployment.parse(client.get("v13", "deployments", needed)))
    found.sort(key=lambda each: each.created, reverse=True)
    return Snapshot(project, domains, tuple(found), named, uncertain)


def read_project(options: Options, client: Client) -> Project:
    """The project, with the last request to move its domains."""
    try:
        found = client.get("v9", "projects", options.project, rollbackInfo=True)
    except Refusal as refusal:
        team = f"the team {options.team}" if options.team else "the account of the token"
        if refusal.status == _NOT_FOUND:
            raise UsageError(
                f"project: there is no project {options.project!r} in {team}, as far as the token "
                "can see; correct vercel_project or vercel_team"
            ) from None
        if refusal.status in _FORBIDDEN:
            raise UsageError(
                f"token: Vercel does not let it read the project {options.project!r} in {team}: "
                f"{refusal}. Make one with access to that team"
            ) from None
        raise
    return Project.parse(found)


def read_domains(client: Client, project: Project) -> tuple[dict[str, str], str]:
    """The deployment of each production domain, and why some were not checked."""
    answer = client.get(
        "v9", "projects", project.id, "domains", production=True, redirects=False, limit=_PAGE
    )
    names = [
        str(each["name"])
        for each in answer.get("domains", ())
        if not (each.get("redirect") or each.get("gitBranch") or each.get("customEnvironmentId"))
        and each.get("verified", True)
    ]
    if not names:
        raise NotCollected(
            f"the project {project.name} has no production domain",
            "Give it a domain, or deploy it to production once.",
        )
    left = len(names) - _DOMAINS
    uncertain = f"{left} further domains were not checked" if left > 0 else ""
    return {name: read_domain(client, name) for name in names[:_DOMAINS]}, uncertain


def read_domain(client: Client, domain: str) -> str:
    """Id of the deployment that a domain leads to; empty if it leads to none."""
    try:
        return str(client.get("v4", "aliases", domain).get("deploymentId") or "")
    except Refusal as refusal:
        if refusal.status == _NOT_FOUND:
            return ""
        raise


def changed_variables(client: Client, project: Project, since: float) -> list[str]:
    """Names of the production variables that were changed after a moment; never their values."""
    answer = client.get("v10", "projects", project.id, "env")
    return sorted(
        str(each.get("key"))
        for each in answer.get("envs", ())
        if PRODUCTION in (each.get("target") or ())
        and float(each.get("updatedAt") or each.get("createdAt") or 0) / 1000 > since
    )


def failed_domains(client: Client, project: Project, job_type: str) -> list[dict[str, str]]:
    """The domains that a job could not move, as evidence."""
    version = "v1" if job_type == "promote" else "v9"
    answer = client.get(
        version, "projects", project.id, job_type, "aliases", failedOnly=True, limit=20
    )
    rows = []
    for each in answer.get("aliases", ()):
        alias = each.get("alias")
        name = alias.get("alias") if isinstance(alias, dict) else alias
        rows.append({"domain": str(name), "status": str(each.get("status") or "")})
    return rows


def _pages(client: Client, project: Project, query: dict[str, Any]) -> Iterator[list[Deployment]]:
    """The deployments of a project, the newest first."""
    until: Any = ""
    for _number in range(_PAGES):
        answer = client.get(
            "v7", "deployments", projectId=project.id, limit=_PAGE, until=until, **query
        )
        yield [Deployment.parse(each) for each in answer.get("deployments", ())]
        until = (answer.get("pagination") or {}).get("next")
        if not until:
            return


def _is_enough(options: Options, found: list[Deployment], live: str) -> bool:
    if options.wanted:
        return any(each.is_called(options.wanted) for each in found)
    if options.state != ROLLED_BACK:
        return True
    current = next((each for each in found if each.id == live), None)
    return current is not None and any(
        each.candidate and each.created < current.created for each in found
    )


def _named(client: Client, wanted: str) -> Deployment | None:
    """A deployment by id or host, of whatever project; none if there is none to see."""
    name = host_of(wanted)
    if not _ID_OR_HOST.fullmatch(wanted if wanted.startswith("dpl_") else name):
        return None
    try:
        return Deployment.parse(
            client.get("v13", "deployments", wanted if wanted.startswith("dpl_") else name)
        )
    except Refusal as refusal:
        if refusal.status in (_NOT_FOUND, *_FORBIDDEN):
            return None
        raise


def _from_list(client: Client, project: Project, named: Deployment) -> Deployment:
    """The same as the list has it, which says whether it can be rolled back to."""
    moment = round(named.created * 1000)
    answer = client.get(
        "v7",
        "deployments",
        projectId=project.id,
        target=PRODUCTION,
        since=moment - 1,
        until=moment + 1,
        limit=_PAGE,
    )
    listed = [Deployment.parse(each) for each in answer.get("deployments", ())]
    return next((each for each in listed if each.id == named.id), named)
