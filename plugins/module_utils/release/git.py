# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the app's git repository beside the releases, what is read from it and pushed."""

from __future__ import annotations

import os
import tempfile
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
#: Who makes a commit.
_AUTHOR = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "gpt_agent.runbook"), ("EMAIL", "runbook@localhost"))
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

    def commit(self, parent: str, files: Mapping[str, str], message: str) -> str:
        """A commit on top of another that replaces these files; raises `NotCollected` and OSError.

        It is made in the copy, so that no hook of a checkout runs.
        """
        with tempfile.TemporaryDirectory() as folder:
            own = {"GIT_DIR": self.folder, "GIT_INDEX_FILE": os.path.join(folder, "index")}
            environment = {**self.environment, **_SETTINGS, **_AUTHOR, **own}

            def ask(*arguments: str) -> str:
                return run(["git", *arguments], folder, environment, _LOCAL).strip()

            ask("read-tree", parent)
            for name, content in files.items():
                path = os.path.join(folder, "content")
                with open(path, "w", encoding="utf-8", newline="") as stream:
                    stream.write(content)
                blob = ask("hash-object", "-w", "--no-filters", path)
                ask("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
            return ask("commit-tree", ask("write-tree"), "-p", parent, "-m", message)

    def push(self, commit: str, branch: str) -> None:
        """Make a new branch of the repository itself; raises `NotCollected`."""
        self._git("push", "--quiet", _REMOTE, f"{commit}:refs/heads/{branch}", far=True)

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
