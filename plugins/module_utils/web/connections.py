# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP connections of `requests` that report how far they have come and what opening them took."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..net.url import host_port
from .progress import ANSWER, CONNECT, HANDSHAKE, RequestProgress

try:
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
except ImportError:  # `client` says so
    if not TYPE_CHECKING:
        HTTPAdapter = HTTPConnection = HTTPSConnection = object
        HTTPConnectionPool = HTTPSConnectionPool = object


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


class _TrackedConnection:
    """Mixin: reports to the `RequestProgress` of its thread."""

    sock: Any
    tls = False

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
        connected = super()._new_conn()  # type: ignore[misc]
        thread_state.progress.phase = HANDSHAKE if self.tls else ANSWER
        return connected


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
