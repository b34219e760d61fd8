# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The URL of a database: validated, and turned into libpq's connection parameters."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from typing import Any

from ..core.errors import UsageError
from .authorities import with_system_authorities
from .drivers import is_known, split_query, translate, with_libpq_scheme

try:
    import psycopg2
    import psycopg2.extensions
except ImportError:  # the module says so before it parses a URL
    pass

_ENCODE = (
    "percent-encode special characters in user name and password: "
    "'%' as %25, '/' as %2F, '@' as %40, ':' as %3A"
)


@dataclass(frozen=True)
class Target:
    """Where to connect, and with which login."""

    params: dict[str, str]
    """Connection parameters as libpq names them."""
    warnings: tuple[str, ...] = ()
    """What was changed in or left out of the URL; shows no value."""

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


def read_target(module: Any) -> Target:
    """The target that a module's ``database_url`` names; raises `UsageError`.

    ``module`` is the Ansible module, which passes on what was left out of the URL.
    """
    target = parse_url(module.params["database_url"])
    for warning in target.warnings:
        module.warn(warning)
    return target


def parse_url(url: str | None) -> Target:
    """The target of a URL; raises `UsageError`, whose text shows nothing of a password."""
    text, warnings = _unquoted((url or "").strip())
    if not text:
        raise UsageError(_missing(url))
    own = with_libpq_scheme(text)
    if own is None:
        raise UsageError(f"database_url: {_not_a_url(text)}")
    before_host, at, _rest = own.partition("://")[2].rpartition("@")
    if at and ("/" in before_host or "@" in before_host):
        # libpq would take part of the password for a host or a parameter, and quote it in errors.
        raise _malformed(_ENCODE)
    base, query = split_query(own)
    try:
        query, dropped = translate(query)
        params = psycopg2.extensions.parse_dsn(f"{base}?{query}" if query else base)
    except psycopg2.Error as error:
        raise _malformed(_syntax_error(str(error))) from None
    except UnicodeError:  # its text quotes bytes of the URL
        raise _malformed("what is percent-encoded in it is not UTF-8") from None
    _check_ports(params)
    named = any(params.get(key) for key in ("host", "hostaddr", "service"))
    if not named and os.environ.get("PGHOST"):
        params["host"] = os.environ["PGHOST"]
    if dropped:
        warnings.append(_ignored(dropped))
    return Target(with_system_authorities(params), tuple(warnings))


def _unquoted(text: str) -> tuple[str, list[str]]:
    """The URL without quotes around it, and a warning if it had some."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"`":
        warning = (
            "database_url: is in quotes, which were removed. A file for 'docker --env-file' or "
            "systemd's Environment must hold the value without quotes, or the app gets them, too."
        )
        return text[1:-1].strip(), [warning]
    return text, []


def _missing(given: str | None) -> str:
    """What to do without a URL. The module sees the environment of the host that it runs on."""
    where = platform.node() or "the host that it runs on"
    problem = f"and DATABASE_URL is not set on {where}, where this module runs"
    if given is not None:
        problem = "it is empty"
        if os.environ.get("DATABASE_URL", "x").strip(" \"'") == "":
            problem = f"because DATABASE_URL is set to nothing on {where}, where this module runs"
    return (
        f"database_url: missing, {problem} (a variable that is exported on the controller is not "
        "seen there); give postgresql://USER:PASSWORD@HOST:PORT/DATABASE, to the playbooks as "
        "postgres_url"
    )


def _not_a_url(text: str) -> str:
    """Why a text is no URL of PostgreSQL, without quoting it."""
    if re.match(r"(export\s+)?\w+=", text):
        return "must be the URL alone, without the name of a variable and '=' before it"
    if text.startswith("psql "):
        return "must be the URL alone, without the command psql and quotes"
    if text.startswith(("prisma://", "prisma+")):
        return (
            "is a URL of Prisma Accelerate, which only Prisma's client understands; give the "
            "database's own URL, which must start with 'postgresql://'"
        )
    if text[0] in "'\"`" or text[-1] in "'\"`":
        return "has a quote at one end only; remove it"
    return "must start with 'postgresql://'"


def _ignored(names: list[str]) -> str:
    """A warning that names parameters; what is no plain name may be part of a secret."""
    plain = [name for name in names if re.fullmatch(r"[A-Za-z][\w.-]{0,40}", name)]
    shown = [f"'{name}'" for name in dict.fromkeys(plain)]
    if len(plain) < len(names):
        shown.append("one without a plain name")
    return (
        f"database_url: ignored what libpq has no parameter for: {', '.join(shown)}. It is meant "
        "for the app's own driver, or misspelled."
    )


def _malformed(reason: str) -> UsageError:
    return UsageError(f"database_url: malformed; {reason}")


def _check_ports(params: dict[str, str]) -> None:
    host, port = params.get("host", ""), params.get("port", "")
    for number in port.split(","):
        if number and not (number.isdecimal() and 0 < int(number) < 65536):
            raise _malformed("its port is not a number from 1 to 65535")
    if port.count(",") and port.count(",") != host.count(","):
        raise _malformed("give one port for all hosts, or one for each")


def _syntax_error(text: str) -> str:
    """What libpq says is wrong with a URL, without the parts of the URL that it quotes."""
    parameter = re.search(r'URI query parameter: "(\w{1,40})"', text)
    if parameter and is_known(parameter[1]):
        return f"write its parameter '{parameter[1]}' as NAME=VALUE"
    if "query parameter" in text:  # it may be a part of a password, so it is not shown
        return f"after '?' there is a part that is not NAME=VALUE; {_ENCODE}, '&' as %26"
    if "percent-encoded" in text:
        return _ENCODE
    if "IPv6" in text or "looking for matching" in text:
        return "write an IPv6 address in brackets, as in [::1]"
    return f"it is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE; {_ENCODE}"
