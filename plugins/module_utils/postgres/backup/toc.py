# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of contents of an archive, as ``pg_restore --list`` prints it. Pure.

It is in the encoding of the database, whatever that is, and so is its text here: bytes as UTF-8
has them, and those that are none escaped (`decoded`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .manifest import Table

try:
    from psycopg2.extensions import encodings
except ImportError:  # modules report that it is missing
    encodings = {}

#: ID of the entry; OIDs of the catalog and of the object.
_ENTRY = re.compile(r"(\d+); \d+ \d+ (.+)")
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

    def missing(self, tables: Iterable[Table], encoding: str = "UTF8") -> list[Table]:
        """The tables that have no data in the archive; partitioned ones have none themselves.

        ``encoding`` is the database's, as PostgreSQL calls it.
        """
        codec = _codec(encoding)
        # Names may hold spaces, and the owner follows: so every beginning is compared.
        beginnings = {
            entry[: match.start()] for entry in self.entries for match in re.finditer(" ", entry)
        }
        return [
            table
            for table in tables
            if table.kind in _DATA and beginnings.isdisjoint(_lines(table, codec))
        ]


def read_toc(text: str) -> Toc:
    """The entries in the output of ``pg_restore --list``."""
    found = (_ENTRY.fullmatch(line) for line in text.split("\n"))
    return Toc(tuple(match[2] for match in found if match))


def shared_out(text: str, sizes: Mapping[str, int], parts: int) -> list[str]:
    """The output of ``pg_restore --list`` for a folder in at most so many parts with as much data.

    Every entry is in exactly one of them. ``sizes`` are those of the folder's files, which are
    called after the ID of their entry; the files of large objects, which are not, go with theirs.
    """
    found = [match for line in text.split("\n") if (match := _ENTRY.fullmatch(line))]
    of_entry, of_objects = _data_sizes(sizes)
    objects = [match for match in found if match[2].startswith("BLOBS")]
    weights = {match[1]: of_entry.get(match[1], 0) for match in found}
    for match in objects:
        weights[match[1]] += of_objects // len(objects)
    shares: list[list[str]] = [[] for _part in range(parts)]
    filled = [0] * parts
    for match in sorted(found, key=lambda each: -weights[each[1]]):
        least = filled.index(min(filled)) if weights[match[1]] else 0
        shares[least].append(match[0])
        filled[least] += weights[match[1]]
    return ["".join(f"{line}\n" for line in share) for share in shares if share]


def _data_sizes(sizes: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Bytes of the data of each entry by its ID, and of all large objects together."""
    of_entry: dict[str, int] = {}
    of_objects = 0
    for path, size in sizes.items():
        number = path.partition(".")[0]
        if number.isdigit():
            of_entry[number] = size
        elif path.startswith("blob_"):
            of_objects += size
    return of_entry, of_objects


def decoded(data: bytes) -> str:
    """The text of a list; `encoded` gives the same bytes again."""
    return data.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _codec(encoding: str) -> str:
    """What Python calls an encoding; SQL_ASCII means any, and the names were read as UTF-8."""
    return "utf-8" if encoding == "SQL_ASCII" else encodings.get(encoding, "utf-8")


def _lines(table: Table, codec: str) -> tuple[str, str]:
    """How the entry of a table begins in the list, where line breaks are spaces.

    A dump may be in UTF-8 all the same, if a client was told so.
    """
    entry = re.sub(r"[\r\n]", " ", f"{_DATA[table.kind]} {table.schema} {table.name}")
    return decoded(entry.encode(codec, "replace")), entry
