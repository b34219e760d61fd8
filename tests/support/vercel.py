"""A simulator of Vercel's REST API for one project, which can be told to fail.

It checks every request against the documented contract: path, parameters, token, team and body.
What does not keep to it is answered with an error, and remembered in `violations`. Both families of
paths are served, those of the official command line and those of the SDK.

Jobs advance with each question about the project, not with time.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support import vercel_answers as answers
from tests.support.vercel_answers import NAME, PROJECT, SLUG, TEAM, Deployment, Job

TOKEN = "vcp_NotARealTokenOfAnyone0123456789"
#: The secret value of each variable, which must not leave the API.
VALUE = "value-of-a-variable-9d1f"
_SCOPE = {"teamId", "slug"}
_PAGE = {"limit", "since", "until", "from", "to"}
_FILTERS = {"projectId", "app", "target", "state", "rollbackCandidate", "branch", "sha", "users"}
_DOMAINS = {"production", "target", "redirects", "verified", "order", "gitBranch", "redirect"}
_EVENTS = {"builds", "direction", "follow", "name", "statusCode", "delimiter"}

#: An answer: status, content, headers.
Reply = tuple[int, Any, dict[str, str]]


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.reply: Reply = (status, {"error": {"code": code, "message": message}}, {})


@dataclass(frozen=True)
class Fault:
    """What to do to the next request that matches, instead of answering it, or after doing it."""

    path: str
    """Regular expression that its method and path must match: ``POST .*/rollback/``."""
    status: int = 0
    """Answer this; 0 closes the connection without an answer."""
    headers: dict[str, str] = field(default_factory=dict)
    carried_out: bool = False
    """Whether the request has its effect all the same."""
    message: str = "simulated"
    code: str = "simulated"


class Vercel:
    """The service; its attributes may be changed while it runs."""

    def __init__(self) -> None:
        self.project = answers.history()
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.violations: list[str] = []
        self.job_ends: str | None = "succeeded"
        """How jobs end; none if they never do."""
        self.job_questions = 2
        """Questions about the project until a job has ended."""
        self.domains_move = True
        """Whether a job that succeeded has moved the domains."""
        self.queues = False
        """Whether a promotion is answered with 202."""
        self.readable_variables = True
        self.on_request: Callable[[str], None] = lambda request: None
        """Called with the method and path of each request before it is answered."""
        self.address = ""
        self._asked = 0
        self._lock = threading.RLock()

    @property
    def live(self) -> str:
        """Id of the deployment that the first domain leads to."""
        return next(iter(self.project.domains.values()))

    def posts(self) -> list[str]:
        return [each for each in self.requests if each.startswith("POST")]

    def start_job(self, kind: str, target: str, status: str = "pending") -> Job:
        """A job, as if someone else had asked for it."""
        before = self.project.job.requested if self.project.job else 0
        requested = max(int(time.time() * 1000), before + 1)
        self.project.job = Job(self.live, target, kind, requested, status)
        self._asked = 0
        return self.project.job

    # --- requests ---------------------------------------------------------------------------------

    def answer(self, method: str, target: str, token: str, body: bytes) -> Reply | None:
        """The answer; none to close the connection."""
        parts = urlsplit(target)
        request = f"{method} {parts.path}"
        self.on_request(request)
        with self._lock:
            self.requests.append(request)
            fault = next((each for each in self.faults if re.search(each.path, request)), None)
            if fault:
                self.faults.remove(fault)
            if fault is None or fault.carried_out:
                reply = self._checked(method, parts.path, dict(parse_qsl(parts.query)), token, body)
            if fault is None:
                return reply
            if not fault.status:
                return None
            content = {"error": {"code": fault.code, "message": fault.message}}
            return fault.status, content, fault.headers

    def _checked(
        self, method: str, path: str, query: dict[str, str], token: str, body: bytes
    ) -> Reply:
        try:
            if token != f"Bearer {TOKEN}":
                raise Refused(403, "forbidden", "Not authorized")
            for pattern, allowed, scoped, handler in ROUTES:
                found = re.fullmatch(pattern, f"{method} {path}")
                if found:
                    self._require(query, allowed, body, scoped)
                    names = [unquote(each) for each in found.groups()]
                    reply = handler(self, query, *names)
                    return reply if isinstance(reply, tuple) else (200, reply, {})
            self.violations.append(f"{method} {path}")
            raise Refused(404, "not_found", "The requested path could not be found")
        except Refused as refusal:
            return refusal.reply

    def _require(self, query: dict[str, str], allowed: set[str], body: bytes, scoped: bool) -> None:
        unknown = set(query) - allowed - _SCOPE
        if unknown or not 1 <= int(query.get("limit", "1")) <= 100 or body not in (b"", b"{}"):
            self.violations.append(f"{sorted(unknown)} {query} {body!r}")
            raise Refused(400, "bad_request", f"Invalid request: {sorted(unknown)} {query}")
        if scoped and query.get("teamId", TEAM) != TEAM:
            raise Refused(403, "forbidden", "Not authorized: the team")
        if scoped and "teamId" not in query and query.get("slug") != SLUG:
            raise Refused(404, "not_found", "Project not found")

    # --- what is answered -------------------------------------------------------------------------

    def get_project(self, query: dict[str, str], name: str) -> Any:
        self.known(name)
        self._advance()
        return self.project.answer()

    def get_domains(self, query: dict[str, str], name: str) -> Any:
        self.known(name)
        found = [answers.domain(each) for each in self.project.domains]
        return {"domains": found, "pagination": answers.pagination(len(found))}

    def get_variables(self, query: dict[str, str], name: str) -> Any:
        self.known(name)
        if not self.readable_variables:
            raise Refused(403, "forbidden", "You don't have permission to read variables")
        found = [answers.variable(key, at, VALUE) for key, at in self.project.variables.items()]
        return {"envs": found}

    def get_alias(self, query: dict[str, str], name: str) -> Any:
        deployment = self.project.find(self.project.domains.get(name, ""))
        if deployment is None:
            raise Refused(404, "not_found", "Alias not found")
        return answers.alias(name, deployment)

    def get_deployment(self, query: dict[str, str], name: str) -> Any:
        return self.deployment(name).single()

    def get_deployments(self, query: dict[str, str]) -> Any:
        if query.get("projectId", PROJECT) != PROJECT:
            raise Refused(404, "not_found", "Project not found")
        found = [one for one in reversed(self.project.deployments) if one.project == PROJECT]
        found = [one for one in found if _matches(one, query)]
        limit = int(query.get("limit", "20"))
        following = found[limit - 1].created if len(found) > limit else None
        shown = [one.listed() for one in found[:limit]]
        return {"deployments": shown, "pagination": answers.pagination(len(shown), following)}

    def request_rollback(self, query: dict[str, str], name: str, wanted: str) -> Any:
        deployment = self._require_movable(name, wanted)
        if not deployment.candidate:
            raise Refused(422, "not_rollback_candidate", "Deployment is no rollback candidate")
        self.start_job("rollback", deployment.id)
        return 201, None, {}

    def request_promote(self, query: dict[str, str], name: str, wanted: str) -> Any:
        deployment = self._require_movable(name, wanted)
        if deployment.target != "production":
            raise Refused(422, "not_production", "Deployment was not built for production")
        self.start_job("promote", deployment.id)
        return (202 if self.queues else 201), None, {}

    def get_job_aliases(self, query: dict[str, str], name: str) -> Any:
        self.known(name)
        status = "failed" if self.job_ends == "failed" else "completed"
        found = [
            {"id": each, "status": status, "alias": {"alias": each, "deploymentId": to}}
            for each, to in self.project.domains.items()
        ]
        return {"aliases": found, "pagination": answers.pagination(len(found))}

    def get_promote_aliases(self, query: dict[str, str], name: str) -> Any:
        found = self.get_job_aliases(query, name)
        for each in found["aliases"]:
            each["alias"] = each["alias"]["alias"]
        return found

    def get_user(self, query: dict[str, str]) -> Any:
        return {"user": answers.user()}

    def get_teams(self, query: dict[str, str]) -> Any:
        return {"teams": [answers.team()], "pagination": answers.pagination(1)}

    def get_team(self, query: dict[str, str], name: str) -> Any:
        return answers.team()

    def get_events(self, query: dict[str, str], name: str) -> Any:
        found = self.deployment(name).events()
        return found[::-1] if query.get("direction") == "backward" else found

    def get_builds(self, query: dict[str, str], name: str) -> Any:
        return {"builds": []}

    # --- state ------------------------------------------------------------------------------------

    def known(self, name: str) -> None:
        if name not in (PROJECT, NAME):
            raise Refused(404, "not_found", "Project not found")

    def deployment(self, name: str) -> Deployment:
        found = self.project.find(name)
        if found is None:
            raise Refused(404, "not_found", "The deployment could not be found")
        return found

    def _require_movable(self, name: str, wanted: str) -> Deployment:
        if name != PROJECT:  # these paths take no name
            raise Refused(400, "bad_request", "projectId must be an id")
        if self.project.job and self.project.job.status in ("pending", "in-progress"):
            raise Refused(409, "conflict", "Another alias job is in progress")
        deployment = self.deployment(wanted)
        if deployment.id != wanted:
            raise Refused(400, "bad_request", "deploymentId must be an id")
        return deployment

    def _advance(self) -> None:
        """The next step of a job that runs."""
        job = self.project.job
        if job is None or job.status not in ("pending", "in-progress"):
            return
        self._asked += 1
        if self._asked < self.job_questions or self.job_ends is None:
            job.status = "in-progress"
            return
        job.status = self.job_ends
        if self.job_ends == "succeeded":
            self.project.auto_assign = job.type == "promote"
            if self.domains_move:
                self.project.domains = dict.fromkeys(self.project.domains, job.target)

    # --- the app ----------------------------------------------------------------------------------

    def site(self, domain: str) -> Reply:
        """What users of a domain get: the health of the deployment that it leads to."""
        deployment = self.project.find(self.project.domains.get(domain, ""))
        if deployment is None:
            return 404, {"error": "DEPLOYMENT_NOT_FOUND"}, {}
        content = {"status": "ok", "commit": deployment.commit}
        return (200 if deployment.healthy else 500), content, {}

    def health_url(self, domain: str = "your-domain.com") -> str:
        return f"{self.address}/site/{domain}/api/health"


def _matches(one: Deployment, query: dict[str, str]) -> bool:
    return (
        query.get("target", one.target) == one.target
        and query.get("state", one.state) == one.state
        and (query.get("rollbackCandidate") != "true" or one.candidate)
        and one.created < int(query.get("until", str(one.created + 1)))
        and one.created > int(query.get("since", "0"))
    )


_P = "/projects/([^/]+)"
#: Pattern of method and path, parameters, whether a team is needed, and what answers.
ROUTES: list[tuple[str, set[str], bool, Callable[..., Any]]] = [
    (rf"GET /v9{_P}", {"rollbackInfo"}, True, Vercel.get_project),
    (rf"GET /v9{_P}/domains", _PAGE | _DOMAINS, True, Vercel.get_domains),
    (rf"GET /v10{_P}/env", {"decrypt", "gitBranch", "source"}, True, Vercel.get_variables),
    (r"GET /v4/aliases/([^/]+)", _PAGE | {"projectId"}, True, Vercel.get_alias),
    (r"GET /v13/deployments/([^/]+)", {"withGitRepoInfo"}, True, Vercel.get_deployment),
    (r"GET /v3/deployments/([^/]+)/events", _PAGE | _EVENTS, True, Vercel.get_events),
    (r"GET /v11/deployments/([^/]+)/builds", set(), True, Vercel.get_builds),
    (r"GET /v[67]/deployments", _PAGE | _FILTERS, True, Vercel.get_deployments),
    (rf"POST /v[19]{_P}/rollback/([^/]+)", {"description"}, True, Vercel.request_rollback),
    (rf"POST /v10{_P}/promote/([^/]+)", set(), True, Vercel.request_promote),
    (rf"GET /v9{_P}/rollback/aliases", _PAGE | {"failedOnly"}, True, Vercel.get_job_aliases),
    (rf"GET /v1{_P}/promote/aliases", _PAGE | {"failedOnly"}, True, Vercel.get_promote_aliases),
    (r"GET /v2/user", set(), False, Vercel.get_user),
    (r"GET /v1/teams", _PAGE, False, Vercel.get_teams),
    (r"GET /(?:v2/)?teams/([^/]+)", set(), False, Vercel.get_team),
]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    vercel: Vercel

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _answer(self, body: bytes) -> None:
        site = re.match("/site/([^/]+)/", self.path)
        token = self.headers.get("Authorization", "")
        reply = (
            self.vercel.site(site[1])
            if site
            else self.vercel.answer(self.command, self.path, token, body)
        )
        if reply is None:
            self.close_connection = True
            return
        status, content, headers = reply
        data = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        if data:
            self.send_header("Content-Type", "application/json")
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def simulator() -> Iterator[Vercel]:
    """Vercel on the loopback interface."""
    vercel = Vercel()
    handler = type("Handler", (_Handler,), {"vercel": vercel})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    vercel.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield vercel
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
