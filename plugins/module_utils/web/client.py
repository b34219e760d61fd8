# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request with `requests`: bounded in time and size, with an eye on redirects, proxies and what the connection cost."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from ..core.errors import UsageError
from ..core.text import shorten
from ..core.units import format_value
from ..net.failures import connection_failure, dropped, timed_out
from ..net.tls import unverified_context, verified_context
from ..net.url import Url, host_port, is_loopback, mask_url
from .assess import Answer, Endpoint
from .collect import ANSWER, BODY, CONNECT, HANDSHAKE, Progress

IMPORT_ERROR: str | None = None
try:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
except ImportError as error:
    IMPORT_ERROR = str(error)
    if not TYPE_CHECKING:
        HTTPAdapter = object

#: No compression: a small answer must not unfold into gigabytes, and the bytes read are those that are limited.
_HEADERS = {
    "User-Agent": "gpt_agent.runbook http_check",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}
_REDIRECTS = (301, 302, 303, 307, 308)
_REDIRECT_BODY = 1 << 16

_thread = threading.local()


class _Context(ssl.SSLContext):
    """Verifies addresses too: urllib3 1.26 passes on no name where the URL's host is an address, and expects to compare by itself."""

    def wrap_socket(self, sock: Any, **more: Any) -> ssl.SSLSocket:  # type: ignore[override]
        more["server_hostname"] = more.get("server_hostname") or _thread.name
        return super().wrap_socket(sock, **more)


class _Failure(Exception):
    """There is no answer; the text says why."""


class _Noted:
    """A connection that notes in its thread's `Progress` how it comes about and how long that takes."""

    sock: Any
    handshakes = False

    def connect(self) -> None:
        progress: Progress = _thread.progress
        progress.phase = CONNECT
        started = time.perf_counter()
        super().connect()  # type: ignore[misc]
        progress.opening = (progress.opening or 0.0) + time.perf_counter() - started
        progress.phase = ANSWER
        self._note_peer()

    def putrequest(self, *args: Any, **more: Any) -> None:
        if self.sock is not None:  # a connection that is used again
            self._note_peer()
        super().putrequest(*args, **more)  # type: ignore[misc]

    def _note_peer(self) -> None:
        with suppress(OSError):
            peer = self.sock.getpeername()
            _thread.progress.peer = host_port(peer[0], peer[1])
            _thread.progress.tls = (
                (self.sock.version() or "") if hasattr(self.sock, "version") else ""
            )

    def _new_conn(self) -> Any:
        connected = super()._new_conn()  # type: ignore[misc]
        _thread.progress.phase = HANDSHAKE if self.handshakes else ANSWER
        return connected


def _pools() -> dict[str, Any]:
    """urllib3's pools, with connections that are noted."""
    plain = type("NotedHTTP", (_Noted, HTTPConnectionPool.ConnectionCls), {})
    secure = type("NotedHTTPS", (_Noted, HTTPSConnectionPool.ConnectionCls), {"handshakes": True})
    return {
        "http": type("NotedHTTPPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("NotedHTTPSPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


class _Adapter(HTTPAdapter):
    """requests' adapter with our TLS context (made once; requests would read all roots again for each connection) and connections."""

    def __init__(self, options: Mapping[str, Any], size: int) -> None:
        self._options = dict(options)
        self._noted_pools = _pools()
        super().__init__(pool_connections=32, pool_maxsize=size)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **more: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **more, **self._options)
        self.poolmanager.pool_classes_by_scheme = self._noted_pools

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **more, **self._options)
        if not proxy.lower().startswith(
            "socks"
        ):  # those have pools of their own, which go through the proxy
            manager.pool_classes_by_scheme = self._noted_pools
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED" if verify else "CERT_NONE"


@dataclass(frozen=True)
class Settings:
    """What holds for all requests."""

    ca_file: str | None = None
    validate_certs: bool = True
    use_proxy: bool = True
    request_timeout: float = 5.0
    max_body: int = 1 << 20
    concurrency: int = 4


class Client:
    """Asks endpoints, from several threads at once."""

    def __init__(self, endpoints: Iterable[Endpoint], settings: Settings) -> None:
        self._settings = settings
        self._timeout = settings.request_timeout
        context = (
            verified_context(settings.ca_file, _Context)
            if settings.validate_certs
            else unverified_context()
        )
        if not settings.validate_certs:
            urllib3.disable_warnings()
        self._plain = _Adapter({"ssl_context": context}, settings.concurrency)
        # A pinned connection is made to an address, so the name to verify and to send as SNI has to be said.
        names = {endpoint.url.host for endpoint in endpoints if endpoint.address}
        self._pinned = {
            name: _Adapter({"ssl_context": context, "server_hostname": name}, settings.concurrency)
            for name in names
        }

    def fetch(self, endpoint: Endpoint, progress: Progress) -> Answer:
        """The answer of an endpoint, after its redirects."""
        _thread.progress = progress
        started = time.perf_counter()
        try:
            response, url, redirects = self._follow(endpoint, progress)
            try:
                body = self._read(endpoint, response, progress)
            finally:
                response.close()  # gives back a connection that was read to the end, closes any other
        except _Failure as failure:
            return Answer(failure=str(failure))
        limit = self._settings.max_body
        return Answer(
            status=response.status_code,
            content_type=response.headers.get("Content-Type", "").split(";")[0].strip().lower(),
            body=body[:limit],
            charset=response.encoding or "utf-8",
            cut_at=limit if len(body) > limit else 0,
            seconds=time.perf_counter() - started - (progress.opening or 0.0),
            opening=progress.opening,
            url=url.shown,
            redirects=redirects,
            peer=progress.peer,
            tls=progress.tls,
        )

    def _follow(self, endpoint: Endpoint, progress: Progress) -> tuple[requests.Response, Url, int]:
        """The first answer that is no redirect to be followed, where it came from, and the number of redirects."""
        url, cookies, trusted = endpoint.url, requests.cookies.RequestsCookieJar(), True
        seen = {url.text}
        for redirects in range(endpoint.max_redirects + 1):
            response = self._ask(endpoint, url, cookies, trusted, progress)
            location = response.headers.get("Location")
            if (
                endpoint.max_redirects == 0
                or response.status_code not in _REDIRECTS
                or response.status_code in endpoint.statuses
                or not location
            ):
                return response, url, redirects
            self._drain(response)
            before, url = url, _target(url, location)
            if url.text in seen and not response.cookies:
                raise _Failure(
                    f"redirects in a loop: after {redirects + 1} step{'s' if redirects else ''} it leads to {url.shown} again"
                )
            if before.scheme == "https" and url.scheme == "http":
                raise _Failure(f"redirects from https to plain http: {url.shown}")
            seen.add(url.text)
            cookies.update(response.cookies)
            trusted = trusted and _same_server(endpoint.url, url)
        raise _Failure(f"more than {endpoint.max_redirects} redirects, the last one to {url.shown}")

    def _ask(
        self, endpoint: Endpoint, url: Url, cookies: Any, trusted: bool, progress: Progress
    ) -> requests.Response:
        """One request, no redirects."""
        headers: dict[str, str] = {**_HEADERS, "Host": url.authority}
        credentials = None
        if trusted:  # what the operator gave for this endpoint is nobody else's business
            headers.update(endpoint.headers)
            credentials = (
                tuple(part.encode() for part in endpoint.url.credentials)
                if endpoint.url.credentials
                else None
            )
        pinned = (
            endpoint.address if url.host == endpoint.url.host else ""
        )  # on another port too: http redirects to https
        connected = replace(url, host=pinned) if pinned else url
        adapter = self._pinned[url.host] if pinned and url.scheme == "https" else self._plain
        proxies = {} if pinned else self._proxies(url)
        _thread.name = url.host
        progress.where, progress.phase = host_port(connected.host, connected.port), ANSWER
        try:
            prepared = requests.Request(
                endpoint.method, connected.text, headers=headers, cookies=cookies, auth=credentials
            ).prepare()
            return self._send(adapter, prepared, proxies, progress)
        except (requests.RequestException, OSError, ValueError) as error:
            proxy = proxies.get(url.scheme, "")
            raise _Failure(self._reason(error, connected, url.host, proxy, progress)) from None

    def _send(
        self,
        adapter: _Adapter,
        prepared: requests.PreparedRequest,
        proxies: dict[str, str],
        progress: Progress,
    ) -> requests.Response:
        opened = progress.opening
        try:
            return adapter.send(
                prepared,
                stream=True,
                timeout=self._timeout,
                verify=self._settings.validate_certs,
                proxies=proxies,
            )
        except requests.RequestException as error:
            if progress.opening != opened or not dropped(error):
                raise
        # The server closed a connection that was kept open, as it may at any time: that says nothing about the endpoint.
        return adapter.send(
            prepared,
            stream=True,
            timeout=self._timeout,
            verify=self._settings.validate_certs,
            proxies=proxies,
        )

    def _reason(
        self, error: BaseException, asked: Url, name: str, proxy: str, progress: Progress
    ) -> str:
        if isinstance(error, requests.exceptions.ProxyError) and proxy:
            parts = urlsplit(proxy)
            return f"the proxy {mask_url(proxy)} gives no access: {connection_failure(error, parts.hostname or '', parts.port or 80).text}"
        return (
            progress.late(self._timeout)
            if timed_out(error)
            else connection_failure(error, asked.host, asked.port, name).text
        )

    def _proxies(self, url: Url) -> dict[str, str]:
        """The environment's proxies, as NO_PROXY allows them; what is on this machine is never asked through another one."""
        if not self._settings.use_proxy or is_loopback(url.host):
            return {}
        return dict(requests.utils.get_environ_proxies(url.text))

    def _drain(self, response: requests.Response) -> None:
        """Read the little that a redirect has to say, so that its connection can be used again."""
        with suppress(Exception):
            response.raw.read(_REDIRECT_BODY, decode_content=False)
        response.close()

    def _read(self, endpoint: Endpoint, response: requests.Response, progress: Progress) -> bytes:
        progress.phase = BODY
        due = response.headers.get("Content-Length", "")
        try:
            body: bytes = response.raw.read(self._settings.max_body + 1, decode_content=False)
        except Exception as error:  # urllib3's, http.client's and the operating system's
            raise _Failure(
                progress.late(self._timeout)
                if timed_out(error)
                else f"the answer of {progress.where} broke off"
            ) from None
        if (
            endpoint.method == "GET"
            and due.isdecimal()
            and len(body) < min(int(due), self._settings.max_body)
        ):
            raise _Failure(
                f"the answer of {progress.where} broke off after {format_value(len(body), 'bytes')} of {format_value(int(due), 'bytes')}"
            )
        return body


def _target(url: Url, location: str) -> Url:
    """Where a redirect leads; user and password in it are not for us to send."""
    try:
        return replace(
            Url.parse("Location", urljoin(url.text, location).replace(" ", "%20")), credentials=None
        )
    except (UsageError, ValueError):
        raise _Failure(
            f"redirects to something that is no URL of a web server: {shorten(mask_url(location), 80)!r}"
        ) from None


def _same_server(first: Url, second: Url) -> bool:
    """Whether what was meant for the first URL may be sent to the second: the same server, or the same one over TLS at last."""
    if first.host != second.host:
        return False
    return first.origin == second.origin or (first.origin[::2], second.origin[::2]) == (
        ("http", 80),
        ("https", 443),
    )
