# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file of a server on this host, without its secrets."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ...linux.proc import read_text
from .values import SECRETS, canonical, merged

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}
#: Files that include each other are followed so deep.
_DEPTH = 8

NONE = "the server was started without a configuration file"


@dataclass(frozen=True)
class ConfigFile:
    """What a file says, as far as it can be seen from here."""

    path: str = ""
    """As the server names it; empty if it has none."""
    settings: Mapping[str, str] | None = None
    """By the newer name of the setting; none if the file could not be read."""
    problem: str = ""
    """Why it could not."""
    lines: int = field(default=0, repr=False)


def read_config_file(path: str, pid: int | None) -> ConfigFile:
    """The file of a server with this process id on this host; none for one elsewhere."""
    if not path:
        return ConfigFile(problem=NONE)
    if pid is None:
        return ConfigFile(path, problem=f"{path} is on another host or in a container")
    root = f"/proc/{pid}/root"
    try:
        try:
            settings = parse(path, root)
        except PermissionError:
            settings = parse(path, "")
    except OSError as error:
        return ConfigFile(path, problem=f"{path}: {error.strerror}")
    return ConfigFile(path, settings)


def parse(path: str, root: str = "", depth: int = 0) -> dict[str, str]:
    """The settings in a file and those it includes; raises OSError."""
    settings: dict[str, str] = {}
    for words in _lines(read_text(root + path)):
        name = canonical(words[0])
        if name == "include" and depth < _DEPTH:
            for included in sorted(glob.glob(root + words[1])):
                settings.update(parse(included[len(root) :], root, depth + 1))
        elif not SECRETS.fullmatch(name):
            settings[name] = merged(name, settings.get(name, ""), " ".join(words[1:]))
    return settings


def _lines(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        words = [_unescaped(found) for found in _TOKEN.finditer(line)]
        if len(words) > 1:
            yield words


def _unescaped(found: re.Match[str]) -> str:
    double, single, bare = found.groups()
    if double is not None:
        text = re.sub(r"\\x([0-9a-fA-F]{2})", lambda hit: chr(int(hit[1], 16)), double)
        return re.sub(r"\\(.)", lambda hit: _ESCAPES.get(hit[1], hit[1]), text)
    return bare if single is None else single.replace("\\'", "'")
