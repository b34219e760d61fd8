# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP connections of `requests` that report how far they have come and what opening them took."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..net.url import host_port, is_address
from .progress import ANSWER, CONNECT, HANDSHAKE, RESOLVE, RequestProgress

try:
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
except ImportError:  # `client` says so
    if not TYPE_CHECKING:
        HTTPAdapter = HTTPConnection = HTTPSConnection = object
        HTTPConnectionPool = HTTPSConnectionPool = object


#: As much as browsers accept; http.client gives up at 100 headers and at lines of 64 KiB.
http.client._MAXHEADERS = 1000  # type: ignore[attr-defined]
http.client._MAXLINE = 1 << 18  # type: ignore[attr-defined]
_MOST_INTERIM_ANSWERS = 20


class _ThreadState(threading.local):
    """What the connections of a thread need to know of its request."""

    progress: RequestProgress
    server_name: str


thread_state = _ThreadState()


class TlsContext(ssl.SSLContext):
    """A context that verifies addresses too.

    urllib3 1.26 passes on no name where the URL's host is an address: it compares that itself.
    """

    def wrap_socket(self, sock: Any, **more: Any) -> ssl.SSLSocket:  # type: ignore[override]
        more["server_hostname"] = more.get("server_hostname") or thread_state.server_name
        return super().wrap_socket(sock, **more)


class _Response(http.client.HTTPResponse):
    """A response that skips all interim answers, such as 103 Early Hints.

    http.client skips 100 only, and takes another one for the answer itself. The connection is then
    one answer behind.
    """

    _method: str

    def _read_status(self) -> tuple[str, int, str]:
        for _number in range(_MOST_INTERIM_ANSWERS):
            status: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= status[1] < 200 or status[1] == http.client.SWITCHING_PROTOCOLS:
                return status
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("the server sends interim answers without end")

    def begin(self) -> None:
        super().begin()
        # Some servers send a body all the same, which would be read as the next answer.
        if self._method == "HEAD" or self.status in (204, 304) or self.status < 200:
            self.will_close = True


class _TrackedConnection:
    """Mixin: reports to the `RequestProgress` of its thread."""

    sock: Any
    tls = False
    response_class: Any = _Response
    _dns_host: str
    port: int

    def connect(self) -> None:
        progress = thread_state.progress
        progress.phase = CONNECT
        started = time.perf_counter()
        super().connect()  # type: ignore[misc]
        elapsed = time.perf_counter() - started
        progress.connect_seconds = (progress.connect_seconds or 0.0) + elapsed
        progress.phase = ANSWER
        self._record_peer()

    def putrequest(self, *args: Any, **more: Any) -> None:
        if self.sock is not None:  # a connection that is reused
            self._record_peer()
        super().putrequest(*args, **more)  # type: ignore[misc]

    def _record_peer(self) -> None:
        with suppress(OSError):
            peer = self.sock.getpeername()
            thread_state.progress.peer = host_port(peer[0], peer[1])
            version = self.sock.version() if hasattr(self.sock, "version") else ""
            thread_state.progress.tls = version or ""

    def _new_conn(self) -> Any:
        """Resolve the name, then try its addresses, so that a timeout says which of them it was."""
        name, progress = self._dns_host, thread_state.progress
        progress.phase = RESOLVE
        addresses = [name] if is_address(name.strip("[]")) else _addresses(name, self.port)
        progress.phase = CONNECT
        try:
            for left, address in enumerate(addresses, 1 - len(addresses)):
                self._dns_host = address
                try:
                    connected = super()._new_conn()  # type: ignore[misc]
                    break
                except Exception:
                    if left == 0:
                        raise
        finally:
            self._dns_host = name
        progress.phase = HANDSHAKE if self.tls else ANSWER
        return connected


def _addresses(name: str, port: int) -> list[str]:
    found = socket.getaddrinfo(name, port, 0, socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_kind, address in found))


class _PlainConnection(_TrackedConnection, HTTPConnection):
    pass


class _TlsConnection(_TrackedConnection, HTTPSConnection):
    tls = True


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS: dict[str, Any] = {"http": _PlainPool, "https": _TlsPool}


class Adapter(HTTPAdapter):
    """The adapter of requests with tracked connections and our own TLS context.

    The context is built once; requests would read all roots again for each connection.
    """

    def __init__(self, options: Mapping[str, Any], size: int) -> None:
        self._options = dict(options)
        super().__init__(pool_connections=32, pool_maxsize=size)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **more: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **more, **self._options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **more, **self._options)
        # SOCKS has pools of its own, which go through the proxy.
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED" if verify else "CERT_NONE"
