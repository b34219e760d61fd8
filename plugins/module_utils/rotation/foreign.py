# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else rotates the same logs: other configurations of logrotate, and pm2-logrotate."""

from __future__ import annotations

import glob
import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..linux.proc import read_text
from .naming import is_named

#: Ends of names that logrotate skips in a folder.
_SKIPPED = (
    *("~", ",v", ".bak", ".cfsaved", ".disabled", ".new", ".old", ".orig", ".save", ".swp"),
    *(".dpkg-bak", ".dpkg-del", ".dpkg-dist", ".dpkg-new", ".dpkg-old", ".dpkg-tmp"),
    *(".rhn-cfg-tmp-suffix", ".rpmnew", ".rpmorig", ".rpmsave", ".ucf-dist", ".ucf-new"),
    ".ucf-old",
)
_SCRIPT = re.compile(
    r"^[ \t]*(?:prerotate|postrotate|firstaction|lastaction|preremove)\b.*?"
    r"^[ \t]*endscript[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_INCLUDE = re.compile(r"^[ \t]*include[ \t=]+(\S+)", re.MULTILINE)
_DEPTH = 5
PM2_LOGROTATE = "pm2-logrotate"


@dataclass(frozen=True)
class Foreign:
    """A pattern in a configuration that is not ours."""

    file: str
    pattern: str


def patterns_in(text: str) -> list[str]:
    """The logs that a configuration names."""
    text = _COMMENT.sub("", _SCRIPT.sub("", text))
    found = []
    for head in re.findall(r"([^{}]*)\{", text):
        # Directives for all logs stand before it, one a line; names of logs start with / or quotes.
        words = re.sub(r"^[ \t]*[a-zA-Z].*$", "", head, flags=re.MULTILINE)
        try:
            found += shlex.split(words)
        except ValueError:
            found += words.split()
    return [word for word in found if word.startswith("/")]


def foreign_patterns(main: str, own: str) -> list[Foreign]:
    """What the main configuration and all that it includes rotate, our own file apart."""
    return [
        Foreign(file, pattern)
        for file, text in _files(main, own, _DEPTH)
        for pattern in patterns_in(text)
    ]


def _files(path: str, own: str, depth: int) -> Iterator[tuple[str, str]]:
    if os.path.realpath(path) == os.path.realpath(own) or depth == 0:
        return
    if os.path.isdir(path):
        for name in sorted(os.listdir(path)):
            if not name.endswith(_SKIPPED):
                yield from _files(os.path.join(path, name), own, depth - 1)
        return
    with suppress(OSError):
        text = read_text(path)
        yield path, text
        for included in _INCLUDE.findall(_COMMENT.sub("", _SCRIPT.sub("", text))):
            yield from _files(included, own, depth - 1)


def rivals(pattern: str, logs: Iterable[str], others: Sequence[Foreign]) -> list[Foreign]:
    """Those that rotate logs of this pattern, or would rotate one that may come."""
    logs = list(logs)
    return [
        other
        for other in others
        if pattern == other.pattern
        or any(is_named(log, other.pattern) for log in logs)
        or (not glob.has_magic(pattern) and is_named(pattern, other.pattern))
        or (not glob.has_magic(other.pattern) and is_named(other.pattern, pattern))
    ]


def has_pm2_logrotate(home: str) -> bool:
    """Whether PM2 has the module pm2-logrotate, running or not."""
    if not home:
        return False
    with suppress(OSError, ValueError, AttributeError):
        known = json.loads(read_text(os.path.join(home, "module_conf.json")))
        if PM2_LOGROTATE in (known.get("module-db-v2") or {}):
            return True
    return os.path.isdir(os.path.join(home, "modules", PM2_LOGROTATE))
