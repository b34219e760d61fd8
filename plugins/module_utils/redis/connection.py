# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to Redis or Valkey: module options, endpoint and client."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

from ansible.module_utils.basic import env_fallback

from ..core.text import MASK
from ..net.url import host_port

IMPORT_ERROR: str | None = None
try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    if redis.VERSION[:2] < (4, 3):
        IMPORT_ERROR = f"its version {redis.__version__} is too old, 4.3 or newer is needed"
except ImportError as missing:
    redis = None  # type: ignore[assignment]
    IMPORT_ERROR = str(missing)

DEFAULT_URL = "redis://127.0.0.1:6379/0"

#: Options of every module that connects to Redis, documented in ``gpt_agent.runbook.redis``.
REDIS_OPTIONS: dict[str, Any] = {
    "redis_url": {
        "type": "str",
        "no_log": True,
        "default": DEFAULT_URL,
        "fallback": (env_fallback, ["REDIS_URL"]),
    },
    "ca_file": {"type": "path"},
}


@dataclass(frozen=True)
class Endpoint:
    """Address and login of a Redis server."""

    host: str = ""
    port: int = 6379
    path: str = ""
    """Path of a Unix socket; host and port have no meaning then."""
    database: int = 0
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    tls: dict[str, Any] | None = None
    """redis-py's TLS options; none if the connection is not encrypted."""

    @property
    def user(self) -> str:
        """The user as people may see it. Without a password it may be one in the wrong place."""
        if self.username and not self.password:
            return MASK
        return self.username or "default"

    @property
    def secrets(self) -> list[str]:
        """What must not be shown."""
        return [self.password or self.username]

    @property
    def address(self) -> str:
        """Host and port, or the path of the socket."""
        return self.path or host_port(self.host, self.port)

    @property
    def local(self) -> bool:
        """Whether the server certainly runs on this host."""
        return bool(self.path) or self.host in ("localhost", "::1") or self.host.startswith("127.")


def connect(endpoint: Endpoint, timeout: float, decode: bool = True) -> redis.Redis:
    """A client that tries each command once and waits ``timeout`` seconds for each answer.

    It connects with its first command. Without ``decode``, answers are bytes, as keys may be.
    """
    return redis.Redis(
        db=endpoint.database,
        username=endpoint.username or None,
        password=endpoint.password or None,
        socket_timeout=timeout,
        decode_responses=decode,
        encoding_errors="replace",
        retry=Retry(NoBackoff(), 0),
        **_address_options(endpoint, timeout),
        **_tls_options(endpoint),
        **_handshake_options(),
    )


def _address_options(endpoint: Endpoint, timeout: float) -> dict[str, Any]:
    if endpoint.path:
        return {"unix_socket_path": endpoint.path}
    return {"host": endpoint.host, "port": endpoint.port, "socket_connect_timeout": timeout}


def _tls_options(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.tls is None:
        return {}
    options = {"ssl": True, **endpoint.tls}
    # Since Python 3.13 clients reject CA certificates that break formal rules. Whether a
    # certificate is good is for cert_check to judge.
    if "ssl_exclude_verify_flags" in signature(redis.Redis).parameters:
        options["ssl_exclude_verify_flags"] = [ssl.VERIFY_X509_STRICT]
    return options


def _handshake_options() -> dict[str, Any]:
    """Send only AUTH and SELECT: newer versions of redis-py would wait for three more answers."""
    if hasattr(redis, "DriverInfo"):
        return {"protocol": 2, "driver_info": None}
    if redis.VERSION >= (5,):
        return {"protocol": 2, "lib_name": None, "lib_version": None}
    return {}
