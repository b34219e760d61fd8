# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The URL of a Redis server. No error quotes it, as any part of it may be the password."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from ..core.errors import UsageError
from .connection import Endpoint

_ENCODE = "percent-encode characters such as # / ? @ : in a password, as in %23 for #"
_QUOTES = "'\"`\u201c\u201d\u2018\u2019"
_FALSE = ("false", "no", "0", "f", "n")


def parse_url(url: str, ca_file: str | None = None) -> Endpoint:
    """The endpoint of a URL; raises `UsageError`."""
    parts, port = _split(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if parts.scheme == "unix":
        endpoint = _socket_endpoint(parts, query)
    else:
        endpoint = Endpoint(
            host=unquote(parts.hostname or "127.0.0.1"),
            port=port or 6379,
            database=_database(query.get("db") or parts.path.strip("/")),
            username=_username(parts, query),
            password=_password(parts, query),
            tls=_tls(query, ca_file) if parts.scheme == "rediss" else None,
        )
    if ca_file and endpoint.tls is None:
        raise UsageError(
            "ca_file: has no effect, as the connection is not encrypted; "
            "use rediss:// in redis_url, or remove ca_file"
        )
    return endpoint


def _split(url: str) -> tuple[SplitResult, int | None]:
    """The parts and the port of a URL, of which only one reading is possible."""
    url = url.strip()
    if not url:
        raise UsageError(
            "redis_url: is empty, as is REDIS_URL if that is where it comes from; give it a value "
            "as in redis://:PASSWORD@HOST:6379/0, or remove it"
        )
    if url[0] in _QUOTES or url[-1] in _QUOTES:
        raise UsageError(
            "redis_url: has quotes around it, which are taken for a part of it; remove them "
            "(docker --env-file, for one, keeps the quotes in its file)"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError(
            "redis_url: host and port cannot be told apart, "
            f"or the port is not a number from 1 to 65535; {_ENCODE}"
        ) from None
    parts = parts._replace(scheme=parts.scheme.replace("valkey", "redis"))
    if parts.scheme not in ("redis", "rediss", "unix") or "://" not in url:
        raise UsageError(
            "redis_url: must start with redis://, rediss:// (encrypted) or unix://, "
            "as in redis://:PASSWORD@HOST:6379/0"
        )
    misplaced = "@" in parts.path or ("@" in parts.query and parts.scheme != "unix")
    if port == 0 or parts.fragment or misplaced:
        raise UsageError(f"redis_url: the parts of the URL cannot be told apart; {_ENCODE}")
    return parts, port


def _socket_endpoint(parts: SplitResult, query: dict[str, str]) -> Endpoint:
    if parts.hostname or not parts.path.startswith("/") or parts.path == "/":
        raise UsageError(
            "redis_url: unix:// needs the absolute path of a socket, "
            "as in unix:///run/redis/redis-server.sock"
        )
    return Endpoint(
        path=unquote(parts.path),
        database=_database(query.get("db", "")),
        username=_username(parts, query),
        password=_password(parts, query),
    )


def _username(parts: SplitResult, query: dict[str, str]) -> str:
    return unquote(parts.username or query.get("username", ""))


def _password(parts: SplitResult, query: dict[str, str]) -> str:
    return unquote(parts.password or "") or query.get("password", "")


def _database(text: str) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise UsageError(
            f"redis_url: what follows the host is not the number of a database; {_ENCODE}"
        )
    return int(text or 0)


def _tls(query: dict[str, str], ca_file: str | None) -> dict[str, Any]:
    """redis-py's TLS options, from its URL parameters that say which certificates to use."""
    names = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
    options: dict[str, Any] = {name: query[name] for name in names if name in query}
    if ca_file:
        options["ssl_ca_certs"] = ca_file
    try:
        _load(options)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        name = "ca_file" if ca_file else "redis_url: one of ssl_ca_certs, ssl_certfile, ssl_keyfile"
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{name}: cannot be read as PEM: {reason}") from None
    requirement = query.get("ssl_cert_reqs", "required").lower()
    if requirement not in ("required", "optional", "none"):
        raise UsageError("redis_url: ssl_cert_reqs must be required, optional or none")
    check_hostname = query.get("ssl_check_hostname", "true").lower() not in _FALSE
    return {
        **options,
        "ssl_cert_reqs": requirement,
        "ssl_check_hostname": check_hostname and requirement != "none",
    }


def _load(options: dict[str, Any]) -> None:
    """Read the files as redis-py will; raises OSError or ValueError."""
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if "ssl_certfile" in options:
        context.load_cert_chain(
            options["ssl_certfile"], options.get("ssl_keyfile"), password=lambda: ""
        )
