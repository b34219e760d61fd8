# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs as other drivers write them: translated where libpq has an equivalent.

The libpq that is loaded decides which parameters exist, so no list of foreign ones is kept.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

try:
    import psycopg2
    import psycopg2.extensions
except ImportError:  # the module says so before it parses a URL
    pass

#: The forms of ``postgresql://``: of SQLAlchemy, JDBC, Django, Rails and others.
_SCHEME = re.compile(
    r"(?:jdbc:)?(?:postgres(?:ql)?|postgis|pgsql|psql|timescale(?:db)?|cockroach(?:db)?|ecto)"
    r"(?:\+[\w-]+)?://",
    re.IGNORECASE,
)
_ON = ("true", "1", "on", "yes", "t", "require", "required", "no-verify", "allow-insecure")
_OFF = ("false", "0", "off", "no", "f", "disable", "disabled")
#: Values of sslmode that libpq has no word for.
_MODES = {
    "no-verify": "require",
    "required": "require",
    "preferred": "prefer",
    "disabled": "disable",
    "allow-insecure": "require",
    "verify-identity": "verify-full",
}
_LIBPQ_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SESSIONS = {
    "primary": "primary",
    "master": "primary",
    "secondary": "standby",
    "slave": "standby",
    "preferprimary": "any",
    "prefersecondary": "prefer-standby",
    "preferslave": "prefer-standby",
    "any": "any",
}


def with_libpq_scheme(url: str) -> str | None:
    """The URL with libpq's own scheme; none if it is not one of PostgreSQL."""
    found = _SCHEME.match(url)
    return f"postgresql://{url[found.end() :]}" if found else None


def split_query(url: str) -> tuple[str, str]:
    """What precedes the parameters of a URL, and these; a password may hold a question mark."""
    place = url.find("?", max(url.rfind("@"), 0))
    return (url, "") if place < 0 else (url[:place], url[place + 1 :])


def translate(query: str) -> tuple[str, list[str]]:
    """The parameters as libpq knows them, and the names of those that it does not know."""
    kept: list[tuple[str, str]] = []
    dropped: list[str] = []
    ssl = ""
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        name = unquote(name)
        if not equals:
            if part:
                kept.append((name, part))  # libpq says what is wrong with it
            continue
        if name.lower() in ("ssl", "usessl"):
            ssl = _ssl_mode(unquote(value))
            dropped += [] if ssl else [name]
            continue
        if name.lower() == "sslaccept":
            ssl = ssl or ("verify-full" if unquote(value).lower() == "strict" else "require")
            continue
        equivalent = _equivalent(name, value)
        if equivalent is None:
            dropped.append(name)
        else:
            kept.append((equivalent[0], f"{equivalent[0]}={equivalent[1]}"))
    if ssl and ("sslmode" not in dict(kept) or ssl == "verify-full"):
        kept = [pair for pair in kept if pair[0] != "sslmode"] + [("sslmode", f"sslmode={ssl}")]
    return "&".join(text for _name, text in kept), dropped


def _ssl_mode(value: str) -> str:
    """The sslmode for a switch, which some drivers allow to be a mode; empty for other values."""
    value = value.strip("\"' ").lower().replace("_", "-")
    if value in _ON or ("rejectunauthorized" in value and "false" in value):
        return "require"
    if value in _OFF:
        return "disable"
    mode = _MODES.get(value, value)
    return mode if mode in _LIBPQ_MODES else ""


def _equivalent(name: str, value: str) -> tuple[str, str] | None:
    """Name and encoded value of libpq's parameter of the same meaning; none if it has none."""
    word = unquote(value).lower()
    if name.lower() == "sslmode":
        mode = word.replace("_", "-")
        return "sslmode", quote(_MODES.get(mode, mode))
    if name.lower() in ("targetservertype", "target_server_type"):
        session = _SESSIONS.get(word)
        return ("target_session_attrs", session) if session else None
    if name.lower() == "tcpkeepalive":
        return "keepalives", "1" if word in _ON else "0"
    for known in dict.fromkeys((name, _snake_case(name), name.lower())):
        if is_known(known):
            return known, value
    return None


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def is_known(name: str) -> bool:
    """Whether the libpq that is loaded has a parameter of this name."""
    if not re.fullmatch(r"[a-z_]{1,40}", name):
        return False
    try:
        psycopg2.extensions.parse_dsn(f"postgresql:///?{name}=1")
    except psycopg2.Error:
        return False
    return True
