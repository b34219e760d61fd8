# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked of the check of backups, validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ansible.module_utils.common.text.formatters import human_to_bytes

from ....core.errors import UsageError
from ....core.options import none_chosen

#: Values of ``tools``: this collection, and others whose own record of backups is read.
RUNBOOK, PGBACKREST, BARMAN = "runbook", "pgbackrest", "barman"
TOOLS = (RUNBOOK, PGBACKREST, BARMAN)
_PATTERN = "*?["


@dataclass(frozen=True)
class Options:
    """What the operator asked for."""

    backup_dir: str = ""
    """Folder of this collection's backups; empty if none is configured."""
    databases: Sequence[str] = ()
    """Names or shell patterns of the databases that must have a backup."""
    tools: Sequence[str] = (RUNBOOK,)
    server_name: str = ""
    """pgBackRest's stanza or Barman's server; empty for all that the tool knows."""
    bin_dir: str | None = None
    """Folder of PostgreSQL's programs."""
    exclude: Sequence[str] = ()
    """Names or shell patterns of databases that need no backup."""
    keep_free: int = 1 << 30
    """Bytes on the disk that a backup must leave free."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's parameters, validated; raises `UsageError`."""
        if not params["tools"]:
            raise UsageError(none_chosen("tools", TOOLS))
        folder = params["backup_dir"] or ""
        if folder and not folder.startswith("/"):
            raise UsageError(f"backup_dir: {folder!r} must be an absolute path, starting with /")
        return cls(
            folder.rstrip("/") or folder,
            tuple(params["databases"]),
            tuple(dict.fromkeys(params["tools"])),
            params["server_name"] or "",
            params["bin_dir"],
            tuple(params["exclude"]),
            _size("keep_free", params["keep_free"]),
        )

    def expected(
        self, of_url: str, on_server: Sequence[str], in_folder: Sequence[str]
    ) -> list[str]:
        """The databases that must have a backup.

        ``of_url`` is the database of database_url, which counts if none is named; without a URL
        those do that have a folder. ``on_server`` and ``in_folder`` are what patterns apply to.
        """
        if not self.databases:
            return [of_url] if of_url else sorted(in_folder)
        found: dict[str, None] = {}
        for given in self.databases:
            if any(character in given for character in _PATTERN):
                there = sorted(on_server or in_folder)
                found.update({name: None for name in there if fnmatchcase(name, given)})
            else:
                found[given] = None
        return [name for name in found if not any(fnmatchcase(name, no) for no in self.exclude)]


def _size(option: str, text: str) -> int:
    try:
        return int(human_to_bytes(text))
    except ValueError:
        raise UsageError(f"{option}: {text!r} is not a size such as '1G'") from None
