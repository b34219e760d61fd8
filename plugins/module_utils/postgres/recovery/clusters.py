# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's clusters: which one has a port, by all the files that say so."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from ...linux.proc import read_text

#: Main configuration files of Debian's clusters: version and name are in the path.
_CLUSTERS = "/etc/postgresql/*/*/postgresql.conf"
_SETTING = re.compile(
    r"^[ \t]*(\w+)(?:[ \t]*=[ \t]*|[ \t]+)(?:'((?:[^']|'')*)'|([^\s#']+))", re.MULTILINE
)
#: Files that include each other are followed so deep.
_DEPTH = 8


@dataclass(frozen=True)
class Cluster:
    """What a server on this host is started with."""

    config: str = ""
    """Its main configuration file; empty if it is none of Debian's clusters."""
    port: int = 0
    data: str = ""
    logs: str = ""
    """The folder of its log collector."""

    @property
    def version_and_name(self) -> str:
        """``15-main``."""
        return "-".join(self.config.split("/")[-3:-1])

    @property
    def starts(self) -> bool:
        """Whether it starts with the host."""
        with suppress(OSError):
            said = read_text(os.path.join(os.path.dirname(self.config), "start.conf"))
            return re.search(r"^\s*auto\b", said, re.MULTILINE) is not None
        return True


def cluster_on(port: int) -> Cluster:
    """The cluster of Debian on a port; an empty one if there is none, or more than one."""
    found = [read_cluster(path) for path in sorted(glob.glob(_CLUSTERS))]
    found = [each for each in found if each.port == port]
    if len(found) > 1:  # often the old one, kept after an upgrade
        found = [each for each in found if each.starts]
    return found[0] if len(found) == 1 else Cluster()


def read_cluster(path: str) -> Cluster:
    """What its files say; what cannot be read is left out."""
    settings = dict(_settings(path))
    data = settings.get("data_directory", "")
    if data:  # ALTER SYSTEM counts most
        settings.update(_settings(os.path.join(data, "postgresql.auto.conf")))
    port = settings.get("port", "")
    logs = os.path.join(data, settings.get("log_directory", "log"))
    return Cluster(path, int(port) if port.isdigit() else 5432, data, logs if data else "")


def _settings(path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """The settings in a file and those that it includes, in order."""
    with suppress(OSError):
        for found in _SETTING.finditer(read_text(path)):
            name = found[1].lower()
            value = found[3] if found[2] is None else found[2].replace("''", "'")
            if not name.startswith("include"):
                yield name, value
            elif depth < _DEPTH:
                for each in _included(name, os.path.join(os.path.dirname(path), value)):
                    yield from _settings(each, depth + 1)


def _included(name: str, path: str) -> list[str]:
    return sorted(glob.glob(f"{glob.escape(path)}/*.conf")) if name == "include_dir" else [path]
