# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a backup lies and what it is called: <backup_dir>/<database>/<UTC time>.<form>. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import quote, unquote

from ...core.files import PARTIAL

#: Folder of roles and other globals; no database's folder can have this name, as '@' is encoded.
GLOBALS_FOLDER = "@globals"
#: Suffix of the manifest, which stands in the place of the form: <UTC time>.manifest.json.
MANIFEST = "manifest.json"
#: Forms of a backup: pg_dump's directory and custom formats, and SQL (globals, older dumps).
DIRECTORY = "dir"
CUSTOM = "dump"
SQL = "sql"
#: What a form can be followed by, once for each program that wrote it as a stream.
ZSTD = "zst"
AGE = "age"

_TIME = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(rf"(\d{{8}}T\d{{6}}Z)\.({DIRECTORY}|{CUSTOM}|{SQL})(\.{ZSTD})?(\.{AGE})?")
_MANIFEST_NAME = re.compile(rf"(\d{{8}}T\d{{6}}Z)\.{re.escape(MANIFEST)}")


@dataclass(frozen=True)
class Name:
    """The name of a backup, taken apart."""

    time: str
    """When it was started, in UTC: ``20261128T030000Z``."""
    form: str
    """`DIRECTORY`, `CUSTOM` or `SQL`."""
    zstd: bool = False
    """Whether the program zstd compressed it, and not pg_dump."""
    encrypted: bool = False
    """Whether it is encrypted by age."""

    def __str__(self) -> str:
        return ".".join(
            [
                self.time,
                self.form,
                *([ZSTD] if self.zstd else []),
                *([AGE] if self.encrypted else []),
            ]
        )

    @property
    def manifest(self) -> str:
        """File name of its manifest."""
        return f"{self.time}.{MANIFEST}"

    def partial(self, run: str) -> str:
        """The name that it has until it is complete; ``run`` identifies the run."""
        return f"{PARTIAL}{run}-{self}"


def folder_of(database: str) -> str:
    """The folder of a database's backups: its name, percent-encoded where a path needs it."""
    encoded = quote(database, safe=" +=,")
    return f"%2E{encoded[1:]}" if encoded.startswith(".") else encoded


def database_of(folder: str) -> str:
    """The database whose backups a folder holds; empty if no database can have this folder."""
    database = unquote(folder, errors="replace")
    return database if folder_of(database) == folder else ""


def format_time(seconds: float) -> str:
    """A Unix time as it stands in names."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime(_TIME)


def parse_time(text: str) -> float:
    """The Unix time in a name; raises ValueError if there is no such day or hour."""
    return datetime.strptime(text, _TIME).replace(tzinfo=timezone.utc).timestamp()


def parse_name(text: str) -> Name | None:
    """The name of a backup; none if no backup of this collection is called so."""
    found = _NAME.fullmatch(text)
    if found is None or not _is_time(found[1]):
        return None
    return Name(found[1], found[2], bool(found[3]), bool(found[4]))


def manifest_time(text: str) -> str:
    """The time in a manifest's name; empty if it is not one."""
    found = _MANIFEST_NAME.fullmatch(text)
    return found[1] if found is not None and _is_time(found[1]) else ""


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True
