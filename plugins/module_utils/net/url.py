# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses and URLs of the network: checked, and in the form in which they may be shown."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ..core.errors import UsageError
from ..core.text import MASK, shorten

DEFAULT_PORTS = {"http": 80, "https": 443}
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d+)?")
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")


def is_address(host: str) -> bool:
    """Whether the host is an IP address and no name."""
    try:
        ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, by its name or by its address."""
    if is_address(host):
        return ipaddress.ip_address(host.split("%", 1)[0]).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def ascii_host(host: str) -> str:
    """The host as DNS, SNI and certificates have it: lower case, no final dot, names of other scripts in their ASCII form.

    Raises ValueError for what can be no host.
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
        import idna  # comes with requests; it knows the names that Python's own codec gets wrong, such as those with ß

        return idna.encode(host, uts46=True).decode()
    except ImportError:
        return host.encode("idna").decode()


def host_port(host: str, port: int) -> str:
    """Host and port in one word."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True)
class Url:
    """A URL that HTTP can ask, in parts; the host is in ASCII."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    """With the query; the fragment is no server's business."""
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    """User and password as they are to be sent."""

    @classmethod
    def parse(cls, what: str, text: str) -> Url:
        """The parts of a URL; `UsageError` names the option ``what`` and says what is wrong with it."""
        shown = shorten(mask_url(text), 120)
        if _UNPRINTABLE.search(text):
            raise UsageError(
                f"{what}: {shown!r} holds a space or a control character; write it as %20 and the like"
            )
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise UsageError(
                f"{what}: {shown!r} is not a URL; write it like https://your-domain.com/api/health"
            ) from None
        if parts.scheme not in DEFAULT_PORTS:
            raise UsageError(f"{what}: {shown!r} has to start with http:// or https://")
        try:
            host = ascii_host(parts.hostname or "")
        except ValueError:
            raise UsageError(
                f"{what}: {shown!r} names no host that can be asked; write it like https://your-domain.com/api/health"
            ) from None
        if port == 0:
            raise UsageError(f"{what}: {shown!r} has port 0; ports are 1 to 65535")
        given = parts.username is not None or parts.password is not None
        credentials = (
            (unquote(parts.username or ""), unquote(parts.password or "")) if given else None
        )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path, credentials)

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them: the port only where it is not the scheme's own."""
        return (
            host_port(self.host, self.port)
            if self.port != DEFAULT_PORTS[self.scheme]
            else f"[{self.host}]"
            if ":" in self.host
            else self.host
        )

    @property
    def text(self) -> str:
        """The URL to ask, without user and password."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def shown(self) -> str:
        return mask_url(self.text)

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


def mask_url(url: str) -> str:
    """A URL for people: without user and password, the values of its query masked. It need not be a good URL."""
    scheme, slashes, rest = url.partition("//") if "//" in url else ("", "", url)
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        rest = f"{MASK}@{authority.rpartition('@')[2]}{rest[len(authority) :]}"
    elif "@" in rest and not _AUTHORITY.fullmatch(authority):
        rest = f"{MASK}@{rest.rpartition('@')[2]}"  # a password with a slash or the like that nobody encoded
    rest, mark, query = rest.split("#", 1)[0].partition("?")
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    masked = "&".join(f"{key}={MASK}" if equals else MASK for key, equals, dummy in pairs)
    return f"{scheme}{slashes}{rest}" + (f"{mark}{masked}" if masked else "")
