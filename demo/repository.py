# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app's own git repository with its three versions, and releases made from it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo.packages import HERE, link_tree
from demo.processes import StackError, remove_tree

Run = Callable[..., object]


@dataclass(frozen=True)
class Version:
    tag: str
    date: str
    message: str
    without: tuple[str, ...] = ()
    """What demo/app has and this version had not yet."""


VERSIONS = (
    Version(
        "v1.0.0",
        "2026-01-05T09:00:00Z",
        "Agents, behind a login",
        ("src/routes/documents.js", "db/migrations/20260302090000_*"),
    ),
    Version("v1.1.0", "2026-03-02T09:00:00Z", "Documents of an agent"),
    Version(
        "v1.2.0",
        "2026-04-13T09:00:00Z",
        "Say in the health answer whether the app is closed for maintenance",
    ),
)
AUTHOR = (("NAME", "demo"), ("EMAIL", "demo@localhost"))
DEPLOYED = ("v1.0.0", "v1.1.0")
CURRENT = "v1.1.0"


def _git(repository: Path, *arguments: str, **variables: str) -> str:
    # Nobody's own settings, and a repository that belongs to the stack's user is fine.
    configuration = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    environment = {"PATH": os.defpath, "HOME": str(repository), **configuration, **variables}
    program = shutil.which("git")
    if program is None:
        raise StackError("git is missing: install it with the system's package manager")
    done = subprocess.run(
        [program, *arguments],
        cwd=repository,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"git {arguments[0]} failed in {repository}: {done.stderr.strip()}")
    return done.stdout.strip()


def _lay_out(version: Version, target: Path) -> None:
    """The source files of a version: those of demo/app, without what came later."""
    for old in target.iterdir():
        if old.name != ".git":
            remove_tree(old)
    shutil.copytree(
        HERE / "app",
        target,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("node_modules", "dist", ".env"),
    )
    for pattern in version.without:
        for path in target.glob(pattern):
            path.unlink()
    changed = HERE / "history" / version.tag
    if changed.exists():
        shutil.copytree(changed, target, dirs_exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        file = target / name
        file.write_text(
            file.read_text().replace(
                '"version": "1.1.0"',
                f'"version": "{version.tag.removeprefix("v")}"',
                2 if name != "package.json" else 1,
            )
        )


def ensure_repository(repository: Path) -> None:
    """The same commits each time: dates, author and contents are given."""
    if repository.exists():
        return
    fresh = repository.with_name(f".{repository.name}.new")
    remove_tree(fresh)
    fresh.mkdir(parents=True)
    _git(fresh, "init", "--quiet", "--initial-branch=main", "--object-format=sha1")
    for version in VERSIONS:
        _lay_out(version, fresh)
        signature = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (*AUTHOR, ("DATE", version.date))
        }
        _git(fresh, "add", "--all")
        _git(fresh, "commit", "--quiet", "--message", version.message, **signature)
        _git(fresh, "tag", "--annotate", version.tag, "--message", version.message, **signature)
    fresh.rename(repository)


def ensure_release(
    repository: Path, tag: str, target: Path, node_modules: Path, environment_file: Path, build: Run
) -> None:
    """One version unpacked, with its packages and pages; it appears under its name when it is
    complete.
    """
    if target.exists():
        return
    fresh = target.with_name(f".{target.name}.new")
    remove_tree(fresh)
    fresh.mkdir(parents=True)
    index = fresh / ".index"
    _git(repository, "read-tree", tag, GIT_INDEX_FILE=str(index))
    _git(repository, "checkout-index", "--all", f"--prefix={fresh}/", GIT_INDEX_FILE=str(index))
    index.unlink()
    (fresh / "REVISION").write_text(_git(repository, "rev-parse", f"{tag}^{{commit}}") + "\n")
    (fresh / ".env").symlink_to(environment_file)
    link_tree(node_modules, fresh / "node_modules")
    build(fresh)
    fresh.rename(target)


def point(link: Path, target: Path) -> None:
    """Let the link show to the target, with no moment in between."""
    beside = link.with_name(f".{link.name}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)
