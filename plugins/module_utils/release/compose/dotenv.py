# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file ``.env`` beside a compose file: read and changed line by line, its values secret."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from contextlib import suppress

from ...core.files import write_atomically

#: Values that are too short or too plain to be masked wherever they appear.
_SECRET = 8


class DotEnv:
    """The variables of a project."""

    def __init__(self, path: str) -> None:
        self.path = path

    def get(self, name: str) -> str:
        """The value of a variable; empty if the file does not set it."""
        lines = [line for line in self._lines() if _assigned(line) == name]
        return _plain(lines[-1].partition("=")[2]) if lines else ""

    def secrets(self, known: Collection[str]) -> list[str]:
        """The values that may be secrets, to be masked in messages; not those of ``known``."""
        names = [name for name in map(_assigned, self._lines()) if name and name not in known]
        values = [self.get(name) for name in names if not name.startswith("COMPOSE_")]
        return list(filter(may_be_secret, values))

    def set(self, name: str, value: str) -> None:
        """Change one variable and leave everything else as it is; raises OSError."""
        lines = self._lines()
        places = [number for number, line in enumerate(lines) if _assigned(line) == name]
        if places:
            lines[places[-1]] = f"{name}={value}"
        else:
            lines.append(f"{name}={value}")
        path = os.path.realpath(self.path)  # a link stays one
        text = "\n".join(lines) + "\n"
        if not os.path.exists(path):
            write_atomically(path, text)
            return
        before = os.stat(path)
        write_atomically(path, text, stat.S_IMODE(before.st_mode))
        with suppress(PermissionError):
            os.chown(path, before.st_uid, before.st_gid)

    def _lines(self) -> list[str]:
        with suppress(FileNotFoundError), open(self.path, encoding="utf-8") as stream:
            return stream.read().splitlines()
        return []


def may_be_secret(value: str) -> bool:
    """Whether the value of a variable is to be masked."""
    return len(value) >= _SECRET and value[0] not in "./"


def _assigned(line: str) -> str:
    """The variable that a line sets; empty for any other line."""
    found = re.match(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=", line)
    return found[1] if found else ""


def _plain(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return re.split(r"\s+#", text)[0]
