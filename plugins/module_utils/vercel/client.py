# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to Vercel's REST API, in bounded time; what changes anything is asked for once.

`requests` rather than http.client: this runs on controllers and in CI, where a proxy and a private
CA are set in the environment.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote

from ..core.deadline import Deadline, DeadlineExceeded
from ..core.errors import Refused, RunbookError, Unreachable
from ..core.text import redact, shorten
from ..net.failures import timed_out
from ..net.url import Url
from .failures import failure_of
from .options import Options

IMPORT_ERROR: str | None = None
try:
    import requests
except ImportError as error:
    IMPORT_ERROR = str(error)

_HEADERS = {"User-Agent": "gpt_agent.runbook vercel_deployment", "Accept": "application/json"}
#: Seconds to wait after a failed question that may be asked again, in turn.
_PAUSES = (0.5, 1.0, 2.0)
#: Seconds to wait after a 429 that does not say how long.
_UNSAID = 5.0
RATE_LIMITED = 429
_OUTAGE = "Check the network, and https://www.vercel-status.com, then run this again."
_ACCESS = "Give the token access to the team and the project, with a role that may promote."
_REMEDIES = {401: _ACCESS, 403: _ACCESS, RATE_LIMITED: "Run this again in some minutes."}
_SERVER_ERROR = 500


class Refusal(Refused):
    """Vercel answered with an error."""

    def __init__(self, status: int, code: str, message: str, wait: float | None = None) -> None:
        said = ": ".join(part for part in (code, message) if part)
        super().__init__(
            f"Vercel answered with status {status}" + (f" ({said})" if said else ""),
            _REMEDIES.get(status, ""),
        )
        self.status = status
        self.code = code
        self.wait = wait
        """Seconds after which to ask again, of a 429."""


class Unclear(Unreachable):
    """No answer, or one of a server in trouble: the request may have been carried out or not."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy or _OUTAGE)


@dataclass(frozen=True)
class Reply:
    status: int
    content: Any


class Client:
    """Vercel's API for one team."""

    def __init__(self, options: Options, deadline: Deadline) -> None:
        self._options = options
        self._deadline = deadline
        self._url = Url.parse("api_url", options.api_url)
        self._session = requests.Session()
        # As an auth object, or a .netrc of the user would replace it.
        self._session.auth = self._authorize
        self._session.headers.update(_HEADERS)

    def get(self, *path: str, **query: Any) -> dict[str, Any]:
        """The JSON object at a path; asks again after a failure that may pass."""
        found: dict[str, Any] = self._read(dict, path, query)
        return found

    def get_list(self, *path: str, **query: Any) -> list[Any]:
        """The same for a JSON array."""
        found: list[Any] = self._read(list, path, query)
        return found

    def _read(self, kind: type, path: tuple[str, ...], query: Mapping[str, Any]) -> Any:
        pauses = iter(_PAUSES)
        content = None
        while content is None:
            content = self._question(kind, path, query, pauses)
        return content

    def _question(
        self, kind: type, path: tuple[str, ...], query: Mapping[str, Any], pauses: Iterator[float]
    ) -> Any:
        """The answer; none, after a wait, if it is to be asked again."""
        try:
            content = self._send("GET", path, query).content
            if isinstance(content, kind):
                return content
            raise Unclear(f"{self._where} did not answer with the JSON that is documented")
        except Refusal as refusal:
            if refusal.wait is None:
                raise
            self.sleep(refusal.wait, refusal)
        except Unclear as problem:
            pause = next(pauses, None)
            if pause is None:
                raise
            self.sleep(pause, problem)
        return None

    def post(self, *path: str, **query: Any) -> Reply:
        """Ask once for something to be changed; raises `Unclear` if that may have happened."""
        return self._send("POST", path, query)

    def sleep(self, seconds: float, problem: RunbookError | None = None) -> None:
        """Wait, unless the time limit would pass meanwhile: then raises the problem."""
        if seconds >= self._deadline.remaining():
            if problem is not None:
                raise problem
            raise DeadlineExceeded
        time.sleep(seconds)

    @property
    def _where(self) -> str:
        return self._url.authority

    def _authorize(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        prepared.headers["Authorization"] = f"Bearer {self._options.token}"
        return prepared

    def _send(self, method: str, path: tuple[str, ...], query: Mapping[str, Any]) -> Reply:
        url = self._url.text.rstrip("/") + "".join(f"/{quote(part, safe='')}" for part in path)
        given = {**query, **self._options.scope}
        seconds = self._deadline.remaining(self._options.timeout)
        try:
            with _time_limit(seconds):
                response = self._session.request(
                    method,
                    url,
                    params={key: _text(value) for key, value in given.items() if value != ""},
                    json={} if method == "POST" else None,
                    timeout=seconds,
                    allow_redirects=False,
                )
        except (requests.RequestException, OSError) as error:
            if timed_out(error):
                raise Unclear(f"{self._where} did not answer within {seconds:.3g} s") from None
            failure = failure_of(error, self._url)
            raise Unclear(redact(failure.text, [self._options.token]), failure.remedy) from None
        return self._judged(response)

    def _judged(self, response: requests.Response) -> Reply:
        """The reply; raises `Unclear` or `Refusal` for one that is an error."""
        content: Any = None
        with suppress(ValueError):
            if "stream+json" in response.headers.get("Content-Type", ""):
                content = [json.loads(line) for line in response.text.splitlines() if line.strip()]
            else:
                content = response.json()
        if 200 <= response.status_code < 300:
            return Reply(response.status_code, content)
        error = content.get("error") if isinstance(content, dict) else None
        error = error if isinstance(error, dict) else {}
        code, message = (self._clean(error.get(key)) for key in ("code", "message"))
        if response.status_code >= _SERVER_ERROR:
            said = ": ".join(part for part in (code, message) if part)
            text = f"{self._where} answered with status {response.status_code}"
            raise Unclear(text + (f" ({said})" if said else ""))
        wait = _wait(response) if response.status_code == RATE_LIMITED else None
        raise Refusal(response.status_code, code, message, wait)

    def _clean(self, text: Any) -> str:
        return shorten(redact(str(text or ""), [self._options.token]), 200)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _wait(response: requests.Response) -> float:
    """Seconds after which a rate limit lets the next request pass."""
    with suppress(KeyError, ValueError):
        return max(0.1, float(response.headers["Retry-After"]))
    with suppress(KeyError, ValueError):
        return max(0.1, float(response.headers["X-RateLimit-Reset"]) - time.time())
    return _UNSAID


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """End a request that trickles in: the time limit of `requests` is for each read alone."""

    def give_up(signum: int, frame: object) -> NoReturn:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds + 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
