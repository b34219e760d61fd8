# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the app's git repository beside the releases, and what is read from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.errors import NotCollected
from ..core.text import redact
from .commands import run

#: Seconds for one git command that asks no other host.
_LOCAL = 60.0
_FULL_HASH = 40
#: Name of the origin in commands: its URL may hold a password, which must not be an argument.
_REMOTE = "runbook"
#: Never asks for a password, and takes no repository for unsafe: it only reads.
_SETTINGS = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "LC_ALL": "C",
}


@dataclass(frozen=True)
class Git:
    """The copy in ``folder`` of the repository ``origin``."""

    folder: str
    origin: str = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    seconds: float = 300.0
    """Seconds for a command that asks another host."""

    @property
    def shown(self) -> str:
        """The origin without a password."""
        return redact(self.origin)

    def fetch(self) -> None:
        """Bring the copy up to date; raises `NotCollected`."""
        if not os.path.isdir(self.folder):
            self._git("init", "--quiet", "--bare", self.folder, at="/")
        refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        self._git("fetch", "--quiet", "--prune", "--force", _REMOTE, *refs, far=True)

    def resolve(self, version: str) -> str:
        """The commit that a tag, branch or hash means in the copy; empty if there is none."""
        if not os.path.isdir(self.folder):
            return ""
        names = (f"refs/tags/{version}", f"refs/heads/{version}", version)
        return next(filter(None, map(self._commit, names)), "")

    def _commit(self, name: str) -> str:
        try:
            return self._git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()
        except NotCollected:
            return ""

    def ask(self, version: str) -> str:
        """The commit by the repository itself, which changes nothing; raises `NotCollected`."""
        wanted = [f"refs/tags/{version}^{{}}", f"refs/tags/{version}", f"refs/heads/{version}"]
        lines = self._git("ls-remote", _REMOTE, *wanted, at="/", far=True).splitlines()
        found = {name: commit for commit, _mode, name in (line.partition("\t") for line in lines)}
        hashed = version if len(version) == _FULL_HASH else ""
        return next((found[name] for name in wanted if name in found), hashed)

    def show(self, commit: str, path: str) -> str:
        """A file of a commit; empty if it has none of that name."""
        try:
            return self._git("show", f"{commit}:{path}")
        except NotCollected:
            return ""

    def names(self, commit: str, folder: str) -> list[str]:
        """What is in a folder of a commit."""
        listed = self._git("ls-tree", "--name-only", commit, f"{folder.rstrip('/')}/")
        return [os.path.basename(line) for line in listed.splitlines()]

    def lay_out(self, commit: str, target: str) -> None:
        """The files of a commit in an empty folder; raises `NotCollected`."""
        index = os.path.join(target, ".runbook-index")
        own = {"GIT_DIR": self.folder, "GIT_WORK_TREE": target, "GIT_INDEX_FILE": index}
        environment = {**self.environment, **_SETTINGS, **own}
        run(["git", "read-tree", commit], target, environment, _LOCAL)
        run(["git", "checkout-index", "--all"], target, environment, self.seconds)
        os.unlink(index)

    def _git(self, *arguments: str, at: str = "", far: bool = False) -> str:
        limit = self.seconds if far else _LOCAL
        remote = {
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_1": f"remote.{_REMOTE}.url",
            "GIT_CONFIG_VALUE_1": self.origin,
        }
        environment = {**self.environment, **_SETTINGS, **remote}
        return run(["git", *arguments], at or self.folder, environment, limit)


def described(folder: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Version and commit of a checkout; empty if it is none."""
    try:
        settings = {**environment, **_SETTINGS}
        commit = run(["git", "rev-parse", "HEAD"], folder, settings, _LOCAL).strip()
        tag = run(["git", "describe", "--tags", "--always"], folder, settings, _LOCAL).strip()
    except NotCollected:
        return "", ""
    return tag, commit


def origin_of(folder: str, environment: Mapping[str, str]) -> str:
    """The repository that a checkout was made from; empty if it names none."""
    settings = {**environment, **_SETTINGS}
    try:
        return run(["git", "remote", "get-url", "origin"], folder, settings, _LOCAL).strip()
    except NotCollected:
        return ""
