# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the git checkout that an app runs in. Pure."""

from __future__ import annotations

from dataclasses import dataclass

#: The command whose output `parse` reads; it writes nothing, not even its own index.
COMMAND = (
    *("git", "-c", "safe.directory=*", "--no-optional-locks"),
    *("status", "--porcelain=v2", "--branch"),
)


@dataclass(frozen=True)
class Checkout:
    """What ``git status`` says."""

    commit: str = ""
    branch: str = ""
    """Empty if the head is detached, as it is after the checkout of a tag."""
    ahead: int = 0
    behind: int = 0
    """Commits, as of the last fetch."""
    changed: tuple[str, ...] = ()
    """Files of the repository that differ."""
    conflicts: tuple[str, ...] = ()
    untracked: int = 0
    newest: str = ""
    """The commit that the branch has in the repository now; empty if that is not known."""


def parse(output: str) -> Checkout:
    """A checkout by the output of `COMMAND`."""
    commit = branch = ""
    ahead = behind = untracked = 0
    changed, conflicts = [], []
    for line in output.splitlines():
        words = line.split(" ")
        if line.startswith("# branch.oid "):
            commit = words[2]
        elif line.startswith("# branch.head "):
            branch = "" if words[2] == "(detached)" else words[2]
        elif line.startswith("# branch.ab "):
            ahead, behind = int(words[2]), -int(words[3])
        elif words[0] in ("1", "2"):
            changed.append(line.split(" ", 8 if words[0] == "1" else 9)[-1].split("\t")[0])
        elif words[0] == "u":
            conflicts.append(line.split(" ", 10)[-1])
        elif words[0] == "?":
            untracked += 1
    return Checkout(commit, branch, ahead, behind, tuple(changed), tuple(conflicts), untracked)
