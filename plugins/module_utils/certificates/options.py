# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked for: the certificates of endpoints and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..core.errors import UsageError
from ..core.options import checked_seconds, unique_names
from ..net.url import ascii_host, host_port, is_address

#: What a TLS endpoint is called by; documented in the fragment ``tls_endpoints``.
ENDPOINT_OPTIONS: dict[str, Any] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 443},
    "server_name": {"type": "str"},
    "starttls": {
        "type": "str",
        "choices": ["none", "postgres", "postgres_direct"],
        "default": "none",
    },
    "address": {"type": "str"},
    "file": {"type": "path"},
    "key_file": {"type": "path", "no_log": False},
}
#: Options of every module that connects to TLS endpoints, documented in the same fragment.
ENDPOINTS_OPTIONS: dict[str, Any] = {
    "endpoints": {"type": "list", "elements": "dict", "default": [], "options": ENDPOINT_OPTIONS},
    "ca_file": {"type": "path"},
    "all_addresses": {"type": "bool", "default": False},
    "connect_timeout": {"type": "float", "default": 5.0},
}


@dataclass(frozen=True)
class Endpoint:
    """Where to connect, for which name, and how TLS starts."""

    host: str
    port: int
    server_name: str
    """For SNI."""
    starttls: str = "none"
    """``none``, ``postgres`` or ``postgres_direct``."""
    address: str = ""
    """IP address to connect to; empty to resolve the host."""


@dataclass(frozen=True)
class Target:
    """A certificate to check: what an endpoint serves, or what a file holds."""

    subject: str
    """Its name in the checks."""
    name: str = ""
    """The name that the certificate must be issued for; empty for a file."""
    file: str = ""
    """Path of the certificate on disk."""
    key_file: str = ""
    endpoint: Endpoint | None = None
    """None for a file."""
    all_addresses: bool = False
    """Check each address of the endpoint's host."""


@dataclass(frozen=True)
class Options:
    """What the operator asked for, validated."""

    targets: tuple[Target, ...]
    ca_file: str | None = None
    connect_timeout: float = 5.0
    """Seconds that one endpoint may take for each step of the connection."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's parameters, validated; raises `UsageError`."""
        if not params["endpoints"] and not params["files"]:
            raise UsageError(
                "endpoints, files: both are empty; "
                "name at least one endpoint or one certificate file"
            )
        return cls(parse_targets(params), params["ca_file"], params["connect_timeout"])


def parse_targets(params: Mapping[str, Any]) -> tuple[Target, ...]:
    """The endpoints and files among a module's parameters, validated; raises `UsageError`."""
    checked_seconds("connect_timeout", params["connect_timeout"])
    targets = [
        _parse_endpoint(f"endpoints[{number}]", given, params["all_addresses"])
        for number, given in enumerate(params["endpoints"])
    ]
    targets += [
        _parse_file(f"files[{number}]", given)
        for number, given in enumerate(params.get("files") or ())
    ]
    subjects = unique_names(target.subject for target in targets)
    return tuple(replace(target, subject=subject) for target, subject in zip(targets, subjects))


def _parse_endpoint(option: str, given: Mapping[str, Any], all_addresses: bool) -> Target:
    host = _parse_host(f"{option}.host", given["host"])
    server_name = host
    if given["server_name"]:
        server_name = _parse_host(f"{option}.server_name", given["server_name"])
    port, address = given["port"], (given["address"] or "").strip("[]")
    if not 1 <= port <= 65535:
        raise UsageError(f"{option}.port: {port} is not a port; ports are 1 to 65535")
    if address and not is_address(address):
        raise UsageError(f"{option}.address: {address!r} is not an IP address")
    subject = host_port(server_name, port)
    if address or server_name != host:
        subject += f" at {address or host}"
    return Target(
        subject=subject,
        name=server_name,
        file=given["file"] or "",
        key_file=given["key_file"] or "",
        endpoint=Endpoint(host, port, server_name, given["starttls"], address),
        all_addresses=all_addresses and not address and not is_address(host),
    )


def _parse_file(option: str, given: Mapping[str, Any]) -> Target:
    path = given["path"]
    if not path.startswith("/"):
        raise UsageError(f"{option}.path: {path!r} must be an absolute path, starting with /")
    return Target(path, file=path, key_file=given["key_file"] or "")


def _parse_host(option: str, host: str) -> str:
    if "://" in host:
        shown = host.split("://")[0] + "://…"
        raise UsageError(
            f"{option}: {shown!r} is a URL; give the host alone, like your-domain.com,"
            " and the port in port"
        )
    try:
        return ascii_host(host)
    except ValueError:
        raise UsageError(
            f"{option}: {host!r} is neither a host name nor an IP address; give a port in port"
        ) from None
