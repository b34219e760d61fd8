# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, settings, grants and comment of a database, which neither a dump nor a rename carries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .names import identifier, literal

#: Settings whose value is a list of quoted names: each must be written as a text of its own.
_LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)


#: By the letter in pg_database.
PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
#: The letters of privileges on a database.
_PRIVILEGES = {"C": "CREATE", "T": "TEMPORARY", "c": "CONNECT"}
#: One grant as PostgreSQL writes it: ``"a role"=C*c/owner``.
_ACL = re.compile(r'(?P<role>"(?:[^"]|"")*"|[^"=]*)=(?P<privileges>[A-Za-z*]*)/.*', re.S)


@dataclass(frozen=True)
class Statement:
    """A statement that carries one property, and what it needs."""

    what: str
    """``setting work_mem``, ``CONNECT for role 'reader'``."""
    sql: str
    role: str = ""
    """The role that must exist; empty if none must."""


def creation(name: str, properties: Mapping[str, Any], version: int) -> str:
    """CREATE DATABASE with encoding and collation; ``version`` is the server's.

    It accepts no connections until `opening`, so that a run that is killed before it could mark the
    database leaves one in which there can be nothing.
    """
    parts = [
        f"CREATE DATABASE {identifier(name)} TEMPLATE template0 ALLOW_CONNECTIONS false",
        f"ENCODING {literal(properties['encoding'])}",
    ]
    provider = PROVIDERS.get(properties.get("provider") or "c", "libc")
    locale = properties.get("locale")
    parts.append(f"LC_COLLATE {literal(properties['collate'])}")
    parts.append(f"LC_CTYPE {literal(properties['ctype'])}")
    if version >= 150000:
        parts.append(f"LOCALE_PROVIDER {provider}")
        if provider == "icu" and locale:
            parts.append(f"ICU_LOCALE {literal(locale)}")
        elif provider == "builtin" and locale:
            parts.append(f"BUILTIN_LOCALE {literal(locale)}")
    if version >= 160000 and properties.get("icu_rules"):
        parts.append(f"ICU_RULES {literal(properties['icu_rules'])}")
    return " ".join(parts)


def opening(name: str) -> str:
    """Let sessions into a new database."""
    return f"ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS true"


def statements(name: str, properties: Mapping[str, Any]) -> Iterator[Statement]:
    """What gives a database everything but its comment."""
    database = f"DATABASE {identifier(name)}"
    owner = properties.get("owner")
    if owner:
        yield Statement(f"owner '{owner}'", f"ALTER {database} OWNER TO {identifier(owner)}", owner)
    limit = properties.get("connection_limit", -1)
    if limit != -1:
        yield Statement("connection limit", f"ALTER {database} CONNECTION LIMIT {limit}")
    for item in properties.get("settings") or ():
        for setting in item["settings"]:
            yield _setting(name, item["role"] or "", setting)
    grants = properties.get("acl")
    if grants is not None:
        yield Statement("default grants", f"REVOKE ALL ON {database} FROM PUBLIC")
        for grant in grants:
            yield from _grants(database, grant)


def _grants(database: str, grant: str) -> Iterator[Statement]:
    found = _ACL.fullmatch(grant)
    if found is None:
        return
    role = found["role"]
    if role.startswith('"'):
        role = role[1:-1].replace('""', '"')
    receiver, to = (identifier(role), f"role '{role}'") if role else ("PUBLIC", "all")
    for letter, star in re.findall(r"([A-Za-z])(\*?)", found["privileges"]):
        privilege = _PRIVILEGES.get(letter)
        if privilege:
            option = " WITH GRANT OPTION" if star else ""
            sql = f"GRANT {privilege} ON {database} TO {receiver}{option}"
            yield Statement(f"{privilege} for {to}", sql, role)


def _setting(name: str, role: str, assignment: str) -> Statement:
    setting, _equals, value = assignment.partition("=")
    quoted = ".".join(identifier(part) for part in setting.split("."))
    values = _elements(value) if setting.lower() in _LISTS else [value]
    assigned = f"SET {quoted} TO {', '.join(literal(each) for each in values)}"
    if role:
        what = f"setting {setting} of role '{role}'"
        sql = f"ALTER ROLE {identifier(role)} IN DATABASE {identifier(name)} {assigned}"
        return Statement(what, sql, role)
    return Statement(f"setting {setting}", f"ALTER DATABASE {identifier(name)} {assigned}")


def _elements(value: str) -> list[str]:
    """The names in a list: ``"$user", public``."""
    found: list[str] = []
    current, quoted, position = "", False, 0
    while position < len(value):
        character = value[position]
        if character == '"' and quoted and value[position + 1 : position + 2] == '"':
            current, position = current + '"', position + 1
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            found.append(current)
            current = ""
        elif quoted or not character.isspace():
            current += character
        position += 1
    return [*found, current]
