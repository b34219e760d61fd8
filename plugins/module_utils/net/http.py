# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One bounded request to the app, each on a connection of its own."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import dataclass
from typing import Any

from .failures import connection_failure, timed_out
from .tls import unverified_context, verified_context
from .url import Url, is_loopback

#: Bytes of an answer that are read; a health answer is far shorter.
_BODY = 64 << 10
_HEADERS = {"User-Agent": "gpt_agent.runbook", "Connection": "close"}


@dataclass(frozen=True)
class Answer:
    """How a request ended."""

    status: int = 0
    """HTTP status; 0 if there was no answer."""
    problem: str = ""
    """Why there was no answer."""
    body: bytes = b""

    @property
    def healthy(self) -> bool:
        """Whether it is an answer with a status of 2xx."""
        return 200 <= self.status < 300

    @property
    def shown(self) -> str:
        """``status 500``, or why there was no answer. The body is left out, it is not ours."""
        return f"status {self.status}" if self.status else self.problem

    @property
    def content(self) -> dict[str, Any]:
        """The JSON object that it holds; empty if it holds none."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


@dataclass(frozen=True)
class Target:
    """Where to send requests: a URL, or its path at another port of this host."""

    url: Url
    port: int = 0
    """Port to ask instead; 0 to ask the URL itself."""
    host: str = "127.0.0.1"
    """Address of that port."""

    @property
    def shown(self) -> str:
        return f"port {self.port}{self.url.path}" if self.port else self.url.shown


def ask(target: Target, seconds: float) -> Answer:
    """The answer to a GET within so many seconds; redirects are not followed."""
    url, end = target.url, time.monotonic() + seconds
    host, port = (target.host, target.port) if target.port else (url.host, url.port)
    connection = _connection(target, host, port, seconds)
    try:
        connection.request("GET", url.path, headers={**_HEADERS, "Host": url.authority})
        response = connection.getresponse()
        body = b""
        while len(body) < _BODY and (chunk := response.read1(_BODY)):
            body += chunk
            if time.monotonic() > end:
                return Answer(problem=f"no complete answer within {seconds:g} s")
        return Answer(response.status, body=body)
    except (OSError, http.client.HTTPException) as error:
        if timed_out(error):
            return Answer(problem=f"no answer within {seconds:g} s")
        return Answer(problem=connection_failure(error, host, port).text)
    finally:
        connection.close()


def _connection(target: Target, host: str, port: int, seconds: float) -> http.client.HTTPConnection:
    if target.port or target.url.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=seconds)
    return http.client.HTTPSConnection(host, port, timeout=seconds, context=_context(host))


def _context(host: str) -> ssl.SSLContext:
    """Certificates are checked elsewhere; on this host itself nothing is in between."""
    return unverified_context() if is_loopback(host) else verified_context(None)
