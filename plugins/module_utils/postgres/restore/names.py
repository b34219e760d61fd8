# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the databases that a restore makes and keeps, and the comments that mark them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

#: What a database is for: being restored, the one that was replaced, one that was switched back
#: again, and one that only proves a backup.
RESTORE = "restore"
BEFORE = "before"
REVERTED = "reverted"
VERIFY = "verify"
KINDS = (RESTORE, BEFORE, REVERTED, VERIFY)

#: Bytes of the longest name; PostgreSQL cuts a longer one.
LONGEST = 63
_TIME = "%Y%m%d_%H%M%S"
_NEW = re.compile(rf".+_({RESTORE}|{VERIFY})_\d{{8}}_\d{{6}}", re.S)
_MARK = re.compile(
    rf"gpt_agent\.runbook ({'|'.join(KINDS)}) (\d{{8}}_\d{{6}}) ([^\n]+)(?:\n(.*))?", re.S
)


@dataclass(frozen=True)
class Mark:
    """What the comment of a database says that it is."""

    kind: str
    """One of `KINDS`."""
    time: str
    """When it was made, in UTC: ``20261128_030000``."""
    database: str
    """The database that it is a copy of."""
    comment: str = ""
    """The comment that it had before."""

    def __str__(self) -> str:
        text = f"gpt_agent.runbook {self.kind} {self.time} {self.database}"
        return f"{text}\n{self.comment}" if self.comment else text

    @property
    def name(self) -> str:
        """The name of the database."""
        return name_of(self.database, self.kind, self.time)

    @property
    def made(self) -> float:
        """Unix time."""
        return datetime.strptime(self.time, _TIME).replace(tzinfo=timezone.utc).timestamp()


def format_time(seconds: float) -> str:
    """A Unix time as it stands in names."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime(_TIME)


def name_of(database: str, kind: str, time: str) -> str:
    """``shop_before_20261128_030000``; a long name of a database is shortened."""
    end = f"_{kind}_{time}"
    room = LONGEST - len(end)
    return database.encode()[:room].decode(errors="ignore") + end


def is_new(name: str) -> bool:
    """Whether a name is that of a database which a restore makes."""
    return _NEW.fullmatch(name) is not None


def parse_mark(comment: str | None) -> Mark | None:
    """What a comment says, if this collection wrote it."""
    found = _MARK.fullmatch(comment or "")
    if found is None:
        return None
    mark = Mark(found[1], found[2], found[3], found[4] or "")
    try:
        mark.made  # noqa: B018 - raises if there is no such day
    except ValueError:
        return None
    return mark


def identifier(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL has it, whatever the session's settings."""
    quoted = text.replace("'", "''")
    return f" E'{quoted}'".replace("\\", "\\\\") if "\\" in text else f"'{quoted}'"
