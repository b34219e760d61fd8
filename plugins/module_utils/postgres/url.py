# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The URL of a database: validated, and turned into libpq's connection parameters."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import unquote

from ..core.errors import UsageError

try:
    import psycopg2
    import psycopg2.extensions
except ImportError:  # the module says so before it parses a URL
    pass

#: Parameters that other drivers put into the same URL and that libpq does not know.
FOREIGN_PARAMETERS = {
    "connection_limit",
    "max_idle_connection_lifetime",
    "pgbouncer",
    "pool_timeout",
    "schema",
    "socket_timeout",
    "sslaccept",
    "sslidentity",
    "statement_cache_size",
    "uselibpqcompat",
}

_ENCODE = (
    "percent-encode special characters in user name and password: "
    "'%' as %25, '/' as %2F, '@' as %40, ':' as %3A"
)


@dataclass(frozen=True)
class Target:
    """Where to connect, and with which login."""

    params: dict[str, str]
    """Connection parameters as libpq names them."""

    @property
    def address(self) -> str:
        """Hosts with ports, or the directory of the socket, as messages show them."""
        return ", ".join(show_address(host, port) for host, port in self.hosts)

    @property
    def hosts(self) -> list[tuple[str, str]]:
        """Each host with its port, in the order in which libpq tries them."""
        hosts = (self.params.get("host") or self.params.get("hostaddr") or "").split(",")
        ports = (self.params.get("port") or os.environ.get("PGPORT") or "5432").split(",")
        if len(ports) != len(hosts):
            ports = ports[:1] * len(hosts)
        return list(zip(hosts, ports))

    @property
    def user(self) -> str:
        return (
            self.params.get("user") or os.environ.get("PGUSER") or "of the operating system's user"
        )

    @property
    def database(self) -> str:
        return (
            self.params.get("dbname")
            or os.environ.get("PGDATABASE")
            or self.params.get("user")
            or "of the role's name"
        )

    @property
    def secrets(self) -> list[str]:
        """What must not be shown. Masking a password of three letters would garble every text."""
        return [
            value
            for key, value in self.params.items()
            if key in ("password", "sslpassword") and len(value) > 3
        ]


def show_address(host: str, port: str) -> str:
    """Host and port, or the directory of the socket and its port, as messages show them."""
    if not host:
        return f"the local socket, port {port}"
    if host.startswith(("/", "@")):
        return f"socket {host}, port {port}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_url(url: str | None) -> Target:
    """The target of a URL; raises `UsageError`, whose text shows nothing of a password."""
    url = (url or "").strip()
    if not url:
        raise UsageError(
            "database_url: missing; give postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            "or set DATABASE_URL where the module runs"
        )
    if not url.startswith(("postgresql://", "postgres://")):
        raise UsageError("database_url: must start with 'postgresql://'")
    before_host, at, _rest = url.partition("://")[2].rpartition("@")
    if at and ("/" in before_host or "@" in before_host):
        # libpq would take part of the password for a host or a parameter, and quote it in errors.
        raise _malformed(_ENCODE)
    try:
        params = psycopg2.extensions.parse_dsn(_without_foreign(url))
    except psycopg2.Error as error:
        raise _malformed(_syntax_error(str(error))) from None
    except UnicodeDecodeError:  # its text quotes bytes of the URL
        raise _malformed("what is percent-encoded in it is not UTF-8") from None
    _check_ports(params)
    named = any(params.get(key) for key in ("host", "hostaddr", "service"))
    if not named and os.environ.get("PGHOST"):
        params["host"] = os.environ["PGHOST"]
    return Target(params)


def _malformed(reason: str) -> UsageError:
    return UsageError(f"database_url: malformed; {reason}")


def _check_ports(params: dict[str, str]) -> None:
    host, port = params.get("host", ""), params.get("port", "")
    for number in port.split(","):
        if number and not (number.isdecimal() and 0 < int(number) < 65536):
            raise _malformed("its port is not a number from 1 to 65535")
    if port.count(",") and port.count(",") != host.count(","):
        raise _malformed("give one port for all hosts, or one for each")


def _without_foreign(url: str) -> str:
    """The URL without the parameters of other drivers, which an app's own URL may carry."""
    base, mark, query = url.partition("?")
    kept = [
        part
        for part in query.split("&")
        if part and unquote(part.split("=")[0]) not in FOREIGN_PARAMETERS
    ]
    return base + mark + "&".join(kept) if kept else base


def _syntax_error(text: str) -> str:
    """What libpq says is wrong with a URL, without the parts of the URL that it quotes."""
    parameter = re.search(r'URI query parameter: "(\w{1,40})"', text)
    if parameter and "invalid URI query parameter" in text:
        return f"libpq has no parameter '{parameter[1]}'; remove it"
    if parameter:
        return f"write its parameter '{parameter[1]}' as NAME=VALUE"
    if "percent-encoded" in text:
        return _ENCODE
    if "IPv6" in text or "looking for matching" in text:
        return "write an IPv6 address in brackets, as in [::1]"
    return f"it is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE; {_ENCODE}"
