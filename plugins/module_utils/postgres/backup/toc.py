# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of contents of an archive, as ``pg_restore --list`` prints it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .manifest import Table

#: ID of the entry; OIDs of the catalog and of the object.
_ENTRY = re.compile(r"\d+; \d+ \d+ (.+)")
_DATA = {"r": "TABLE DATA", "m": "MATERIALIZED VIEW DATA"}


@dataclass(frozen=True)
class Toc:
    """The entries, each without its numbers: ``TABLE DATA public users app``."""

    entries: tuple[str, ...]

    @property
    def data(self) -> int:
        """Number of entries with data."""
        kinds = (*_DATA.values(), "BLOBS")
        return sum(entry.startswith(kinds) for entry in self.entries)

    def missing(self, tables: Iterable[Table]) -> list[Table]:
        """The tables that have no data in the archive; partitioned ones have none themselves."""
        # Names may hold spaces, and the owner follows: so every beginning is compared.
        beginnings = {
            entry[: match.start()] for entry in self.entries for match in re.finditer(" ", entry)
        }
        return [
            table
            for table in tables
            if table.kind in _DATA
            and f"{_DATA[table.kind]} {_line(table.schema)} {_line(table.name)}" not in beginnings
        ]


def read_toc(text: str) -> Toc:
    """The entries in the output of ``pg_restore --list``."""
    found = (_ENTRY.fullmatch(line) for line in text.splitlines())
    return Toc(tuple(match[1] for match in found if match))


def _line(name: str) -> str:
    """A name as it stands in the list, where line breaks are spaces."""
    return re.sub(r"[\r\n]", " ", name)
