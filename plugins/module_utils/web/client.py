# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request with `requests`: bounded time and size, redirects, proxies, fixed addresses."""

from __future__ import annotations

import http.client
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin, urlsplit

from ..core.errors import Unreachable, UsageError
from ..core.text import shorten
from ..core.units import format_value, pluralize
from ..net.failures import causes, connection_failure, dropped, timed_out
from ..net.tls import unverified_context, verified_context
from ..net.url import Url, host_port, is_loopback, mask_url
from .body import CannotDecompress, decompressed, unknown_coding
from .connections import Adapter, TlsContext, thread_state
from .options import Endpoint, Options
from .pages import CACHE_HEADERS
from .progress import ANSWER, BODY, RequestProgress
from .remedies import FAILURES, TIMEOUTS
from .snapshot import Answer

IMPORT_ERROR: str | None = None
try:
    import requests
    import urllib3
except ImportError as error:
    IMPORT_ERROR = str(error)

#: No compression: a small answer must not unfold into gigabytes, and max_body limits what is read.
_HEADERS = {
    "User-Agent": "gpt_agent.runbook http_check",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}
#: Headers of an answer that verdicts and remedies need.
_KEPT_HEADERS = {
    *("retry-after", "ratelimit-reset", "ratelimit-remaining", "x-ratelimit-remaining"),
    *("date", "location", *CACHE_HEADERS),
}
_REDIRECTS = (301, 302, 303, 307, 308)
_REDIRECT_BODY = 1 << 16

REDIRECT_REMEDY = (
    "Follow the redirects with 'curl -sIL URL' and fix them in nginx's configuration or in the app."
)
PROXY_REMEDY = "Check the proxy, or name the host in NO_PROXY, or set use_proxy to false."


class Client:
    """Requests endpoints, from several threads at once."""

    def __init__(self, options: Options) -> None:
        self._options = options
        if options.validate_certs:
            context = verified_context(options.ca_file, TlsContext)
        else:
            context = unverified_context()
            urllib3.disable_warnings()
        self._adapter = Adapter({"ssl_context": context}, options.concurrency)
        # A pinned connection is made to an address, so it needs the name to verify and for SNI.
        self._pinned = {
            name: Adapter({"ssl_context": context, "server_hostname": name}, options.concurrency)
            for name in {one.url.host for one in options.endpoints if one.address}
        }

    def fetch(self, endpoint: Endpoint, progress: RequestProgress) -> Answer:
        """The answer of an endpoint, after its redirects."""
        thread_state.progress = progress
        started = time.perf_counter()
        try:
            response, url, redirects = self._follow(endpoint, progress)
            try:
                body = self._read(endpoint, response, progress)
            finally:
                response.close()  # returns a connection that was read to the end, closes any other
        except Unreachable as failure:
            return Answer(failure=str(failure), remedy=failure.remedy)
        return Answer(
            status=response.status_code,
            **_content(response, body, self._options.max_body),
            headers={
                name.lower(): value
                for name, value in response.headers.items()
                if name.lower() in _KEPT_HEADERS
            },
            seconds=time.perf_counter() - started - (progress.connect_seconds or 0.0),
            connect_seconds=progress.connect_seconds,
            url=url.shown,
            redirects=redirects,
            peer=progress.peer,
            tls=progress.tls,
        )

    def _follow(
        self, endpoint: Endpoint, progress: RequestProgress
    ) -> tuple[requests.Response, Url, int]:
        """The final answer, where it came from, and the number of redirects."""
        url, cookies, trusted = endpoint.url, requests.cookies.RequestsCookieJar(), True
        visited = {url.text}
        for redirects in range(endpoint.max_redirects + 1):
            response = self._request(endpoint, url, cookies, trusted, progress)
            if not _is_redirect(endpoint, response):
                return response, url, redirects
            self._drain(response)
            target = _redirect_target(url, response.headers["Location"])
            if target.text in visited and not response.cookies:
                steps = pluralize(redirects + 1, "redirect")
                raise Unreachable(
                    f"redirect loop: after {steps} it leads back to {target.shown}",
                    REDIRECT_REMEDY,
                )
            if url.scheme == "https" and target.scheme == "http":
                raise Unreachable(
                    f"redirects from https to plain http: {target.shown}", REDIRECT_REMEDY
                )
            url = target
            visited.add(url.text)
            cookies.update(response.cookies)
            trusted = trusted and _same_server(endpoint.url, url)
        raise Unreachable(
            f"more than {endpoint.max_redirects} redirects, the last one to {url.shown}",
            REDIRECT_REMEDY,
        )

    def _request(
        self, endpoint: Endpoint, url: Url, cookies: Any, trusted: bool, progress: RequestProgress
    ) -> requests.Response:
        """One request, no redirects; ``trusted`` allows to send the endpoint's secrets."""
        # On another port too: http redirects to https.
        pinned = endpoint.address if url.host == endpoint.url.host else ""
        connected = replace(url, host=pinned) if pinned else url
        adapter = self._pinned[url.host] if pinned and url.scheme == "https" else self._adapter
        proxies = {} if pinned else self._proxies(url)
        headers: dict[str, str] = {**_HEADERS, "Host": url.authority}
        if trusted:
            headers.update(endpoint.headers)
        thread_state.server_name = url.host
        progress.where, progress.phase = host_port(connected.host, connected.port), ANSWER
        try:
            prepared = requests.Request(
                endpoint.method,
                connected.text,
                headers=headers,
                cookies=cookies,
                auth=_credentials(endpoint) if trusted else None,
            ).prepare()
            return self._send(adapter, prepared, proxies, progress)
        except (requests.RequestException, OSError, ValueError) as error:
            proxy = proxies.get(url.scheme, "")
            raise self._failure(error, connected, url.host, proxy, progress) from None

    def _send(
        self,
        adapter: Adapter,
        prepared: requests.PreparedRequest,
        proxies: dict[str, str],
        progress: RequestProgress,
    ) -> requests.Response:
        def send() -> requests.Response:
            return adapter.send(
                prepared,
                stream=True,
                timeout=self._options.request_timeout,
                verify=self._options.validate_certs,
                proxies=proxies,
            )

        connect_seconds = progress.connect_seconds
        try:
            return send()
        except requests.RequestException as error:
            if progress.connect_seconds != connect_seconds or not _out_of_use(error):
                raise
        # The server closed an idle connection, as it may at any time, or sent more on it than the
        # answer: that says nothing about the endpoint.
        return send()

    def _failure(
        self, error: BaseException, url: Url, name: str, proxy: str, progress: RequestProgress
    ) -> Unreachable:
        if isinstance(error, requests.exceptions.ProxyError) and proxy:
            parts = urlsplit(proxy)
            failure = connection_failure(error, parts.hostname or "", parts.port or 80)
            return Unreachable(f"the proxy {mask_url(proxy)} failed: {failure.text}", PROXY_REMEDY)
        if timed_out(error):
            problem = progress.timeout_problem(self._options.request_timeout)
            return Unreachable(problem, TIMEOUTS[progress.phase])
        failure = connection_failure(error, url.host, url.port, name)
        return Unreachable(failure.text, failure.remedy or FAILURES.get(failure.kind, ""))

    def _proxies(self, url: Url) -> dict[str, str]:
        """The environment's proxies, as NO_PROXY allows; loopback is never asked through one."""
        if not self._options.use_proxy or is_loopback(url.host):
            return {}
        return dict(requests.utils.get_environ_proxies(url.text))

    def _drain(self, response: requests.Response) -> None:
        """Read the short body of a redirect, so that its connection can be reused."""
        with suppress(Exception):
            response.raw.read(_REDIRECT_BODY, decode_content=False)
        response.close()

    def _read(
        self, endpoint: Endpoint, response: requests.Response, progress: RequestProgress
    ) -> bytes:
        progress.phase = BODY
        limit = self._options.max_body
        try:
            body: bytes = response.raw.read(limit + 1, decode_content=False)
        except Exception as error:  # urllib3's, http.client's and the operating system's
            if timed_out(error):
                problem = progress.timeout_problem(self._options.request_timeout)
            else:
                problem = f"the answer from {progress.where} is incomplete: the connection was lost"
            raise Unreachable(problem) from None
        length = response.headers.get("Content-Length", "")
        if endpoint.method == "GET" and length.isdecimal() and len(body) < min(int(length), limit):
            received = format_value(len(body), "bytes")
            announced = format_value(int(length), "bytes")
            raise Unreachable(
                f"the answer from {progress.where} is incomplete: {received} of {announced}"
            )
        return body


def _content(response: requests.Response, body: bytes, limit: int) -> dict[str, Any]:
    """Body, type and charset as fields of an `Answer`.

    Some servers compress although the request forbids it.
    """
    content_type = response.headers.get("Content-Type", "")
    codings = response.headers.get("Content-Encoding", "")
    truncated = len(body) > limit
    fields: dict[str, Any] = {
        "content_type": content_type.split(";")[0].strip().lower(),
        "charset": (response.encoding or "") if "charset" in content_type.lower() else "",
        "unreadable": unknown_coding(codings),
    }
    if fields["unreadable"]:
        body = b""
    elif codings:
        try:
            body = decompressed(body, codings, limit + 1)
        except CannotDecompress as error:
            fields["corrupt"], body = str(error), b""
    truncated = truncated or len(body) > limit
    return {**fields, "body": body[:limit], "truncated_at": limit if truncated else 0}


def _out_of_use(error: BaseException) -> bool:
    """Whether a connection that was kept open could not be used for another request."""
    broken = any(isinstance(cause, http.client.HTTPException) for cause in causes(error))
    return broken or dropped(error)


def _credentials(endpoint: Endpoint) -> tuple[bytes, bytes] | None:
    if endpoint.url.credentials is None:
        return None
    user, password = endpoint.url.credentials
    return user.encode(), password.encode()


def _is_redirect(endpoint: Endpoint, response: requests.Response) -> bool:
    """Whether the answer is a redirect that is to be followed."""
    return (
        endpoint.max_redirects > 0
        and response.status_code in _REDIRECTS
        and response.status_code not in endpoint.statuses
        and bool(response.headers.get("Location"))
    )


def _redirect_target(url: Url, location: str) -> Url:
    """Where a redirect leads; user and password in it are not sent."""
    with suppress(UnicodeError):  # http.client takes headers for Latin-1, browsers for UTF-8
        location = location.encode("latin-1").decode()
    try:
        target = Url.parse("Location", urljoin(url.text, location).replace(" ", "%20"))
    except (UsageError, ValueError):
        shown = shorten(mask_url(location), 80)
        raise Unreachable(
            f"redirects to something that is not an HTTP URL: {shown!r}", REDIRECT_REMEDY
        ) from None
    return replace(target, credentials=None)


def _same_server(first: Url, second: Url) -> bool:
    """Whether what was meant for the first URL may be sent to the second.

    That is the same server, or the same host on its way from http to https.
    """
    if first.host != second.host:
        return False
    if first.origin == second.origin:
        return True
    upgrade = (("http", 80), ("https", 443))
    return ((first.scheme, first.port), (second.scheme, second.port)) == upgrade
