# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host names, addresses and URLs: validated, and masked where they are shown."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ..core.errors import UsageError
from ..core.text import MASK, shorten

DEFAULT_PORTS = {"http": 80, "https": 443}
_EXAMPLE = "write it like https://your-domain.com/api/health"
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d+)?")
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")


def is_address(host: str) -> bool:
    """Whether the host is an IP address, not a name."""
    try:
        ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, by name or by address."""
    if is_address(host):
        return ipaddress.ip_address(host.split("%", 1)[0]).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def ascii_host(host: str) -> str:
    """The host as DNS, SNI and certificates have it: lower case, no final dot, IDNA encoded.

    Raises ValueError for what cannot be a host.
    """
    host = host.strip("[]").rstrip(".").lower()
    if is_address(host):
        return host
    if not host.isascii():
        host = _to_ascii(host)
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise ValueError("not a host name")
    return host


def _to_ascii(host: str) -> str:
    try:
        # Comes with requests. Python's own codec gets some names wrong, such as those with ß.
        import idna

        return idna.encode(host, uts46=True).decode()
    except ImportError:
        return host.encode("idna").decode()


def host_port(host: str, port: int | str) -> str:
    """Host and port as one text; an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True)
class Url:
    """The parts of an HTTP URL; the host is in ASCII."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    """With the query; a fragment is never sent to a server."""
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    """User and password, decoded."""

    @classmethod
    def parse(cls, option: str, text: str) -> Url:
        """Parse a URL; raises `UsageError` that names the option and says what is wrong."""
        shown = shorten(mask_url(text), 120)
        if _UNPRINTABLE.search(text):
            raise UsageError(
                f"{option}: {shown!r} holds a space or a control character;"
                " percent-encode it (a space is %20)"
            )
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise UsageError(f"{option}: {shown!r} is not a URL; {_EXAMPLE}") from None
        if parts.scheme not in DEFAULT_PORTS:
            raise UsageError(f"{option}: {shown!r} must start with http:// or https://")
        try:
            host = ascii_host(parts.hostname or "")
        except ValueError:
            raise UsageError(f"{option}: {shown!r} has no valid host; {_EXAMPLE}") from None
        if port == 0:
            raise UsageError(f"{option}: {shown!r} has port 0; ports are 1 to 65535")
        credentials = None
        if parts.username is not None or parts.password is not None:
            credentials = (unquote(parts.username or ""), unquote(parts.password or ""))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path, credentials)

    @property
    def authority(self) -> str:
        """Host and port for the Host header: the port only if it is not the default."""
        if self.port != DEFAULT_PORTS[self.scheme]:
            return host_port(self.host, self.port)
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def text(self) -> str:
        """The URL to request, without user and password."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def shown(self) -> str:
        """The URL as people may see it, the values of its query masked."""
        return mask_url(self.text)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self.scheme, self.host, self.port


def mask_url(url: str) -> str:
    """A URL as people may see it: without user and password, the values of its query masked.

    It need not be a valid URL. The fragment is dropped.
    """
    scheme, slashes, rest = url.partition("//") if "//" in url else ("", "", url)
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        rest = f"{MASK}@{authority.rpartition('@')[2]}{rest[len(authority) :]}"
    elif "@" in rest and not _AUTHORITY.fullmatch(authority):
        # A password with a slash or the like that was not percent-encoded.
        rest = f"{MASK}@{rest.rpartition('@')[2]}"
    base, _mark, query = rest.split("#", 1)[0].partition("?")
    masked = "&".join(_mask_value(pair) for pair in query.split("&") if pair)
    return f"{scheme}{slashes}{base}" + (f"?{masked}" if masked else "")


def _mask_value(pair: str) -> str:
    key, equals, _value = pair.partition("=")
    return f"{key}={MASK}" if equals else MASK
