# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a release: in its folder, or still in git."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from .git import Git

#: Files in which apps keep their variables, beside those that their manager gives them.
ENV_FILES = (".env", ".env.production", ".env.local")


class Source(Protocol):
    """Reads files of a release."""

    def read(self, path: str) -> str:
        """The content of a file; empty if there is none."""

    def names(self, folder: str) -> list[str]:
        """What is in a folder; empty if there is none."""


@dataclass(frozen=True)
class Folder:
    """A release that is there."""

    path: str

    def read(self, path: str) -> str:
        with suppress(OSError), open(os.path.join(self.path, path), errors="replace") as stream:
            return stream.read()
        return ""

    def names(self, folder: str) -> list[str]:
        with suppress(OSError):
            return sorted(os.listdir(os.path.join(self.path, folder)))
        return []


@dataclass(frozen=True)
class Commit:
    """A release that is not built yet."""

    git: Git
    commit: str

    def read(self, path: str) -> str:
        return self.git.show(self.commit, path)

    def names(self, folder: str) -> list[str]:
        return self.git.names(self.commit, folder)


def package(source: Source) -> Mapping[str, Any]:
    """What package.json says; empty if there is none that can be read."""
    try:
        content = json.loads(source.read("package.json"))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def engines(source: Source) -> str:
    """The versions of Node.js that package.json asks for; empty if it asks for none."""
    wanted = package(source).get("engines")
    node = wanted.get("node") if isinstance(wanted, dict) else ""
    return node if isinstance(node, str) else ""


def lockfile(source: Source) -> str:
    """SHA-256 of the lock file; empty if there is none."""
    for name in ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml"):
        content = source.read(name)
        if content:
            return hashlib.sha256(content.encode()).hexdigest()
    return ""


def variables(source: Source, files: Sequence[str]) -> dict[str, bool]:
    """The variables in some files, and whether each has a value."""
    found: dict[str, bool] = {}
    for file in files:
        for line in source.read(file).splitlines():
            name, sign, value = line.strip().removeprefix("export ").partition("=")
            if sign and name.strip().isidentifier():
                found[name.strip()] = bool(_plain(value))
    return found


def _plain(value: str) -> str:
    """A value without quotes, and without a comment in its place."""
    text = value.strip()
    if text.startswith("#"):
        return ""
    return text[1:-1].strip() if text[:1] in "'\"" and text[-1:] == text[:1] else text
