# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations: those that the database has, and those that a release knows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .source import Source

#: Where apps keep their migrations, by the tool: Prisma, knex, node-pg-migrate and their own.
FOLDERS = ("prisma/migrations", "db/migrations", "migrations", "db/migrate", "database/migrations")
_APPLIED = frozenset(("applied", "unknown", "up", "done", "completed", "executed", "yes", "[x]"))
_OPEN = frozenset(("pending", "down", "open", "no", "[ ]", "missing"))
_ENDINGS = re.compile(r"(\.up)?\.(sql|js|cjs|mjs|ts|py|rb)$")
_NAME = re.compile(r"[\w.-]+")
#: Names that a sentence lists.
_LISTED = 5


def known(source: Source, folder: str) -> tuple[str, ...]:
    """The migrations that a release has, by name, sorted."""
    for place in [folder] if folder else FOLDERS:
        names = {
            name_of(entry)
            for entry in source.names(place)
            if not re.search(r"\.down\.\w+$", entry) and entry[:1].isdigit()
        }
        if names:
            return tuple(sorted(names))
    return ()


def name_of(entry: str) -> str:
    """The name of a migration by that of its file or folder, or as the database has it."""
    return _ENDINGS.sub("", entry)


def applied(output: str) -> tuple[str, ...] | None:
    """The applied migrations in the output of a command; none if it lists no migrations.

    Each line is a name, or a word such as ``applied`` or ``pending`` and a name. Other lines do
    not count.
    """
    names, understood = [], not output.strip()
    for line in output.splitlines():
        words = line.split()
        if len(words) == 1 and _NAME.fullmatch(words[0]):
            names.append(name_of(words[0]))
            understood = True
        elif len(words) > 1 and words[0].lower().rstrip(":") in _APPLIED:
            names.append(name_of(words[1]))
            understood = True
        elif len(words) > 1 and words[0].lower().rstrip(":") in _OPEN:
            understood = True
    return tuple(sorted(set(names))) if understood else None


def unknown_to(
    target: Iterable[str], in_database: Iterable[str], compatible: Iterable[str]
) -> list[str]:
    """The migrations in the database that a release neither knows nor is said to work with."""
    return sorted(set(in_database) - set(target) - {name_of(name) for name in compatible})


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
