# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Offers an update that has proven itself: as a patch, or as a branch of the repository."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import suppress

from ...core.errors import NotCollected
from ...core.text import redact, shorten
from .packages import Files
from .place import Copy

#: Number of offers to keep in the folder.
_KEPT = 10
_BRANCHES = "npm-update"
_SECONDS = 60.0
#: Exit code of diff.
_DIFFERENT = 1


def name_of(copy: Copy, digest: str) -> str:
    """The name of an offer; the same update of the same commit has the same."""
    return f"{copy.commit[:7]}-{digest}" if copy.commit else digest


def branch_of(name: str) -> str:
    """The branch of an offer."""
    return f"{_BRANCHES}/{name}"


def is_pushed(copy: Copy, name: str) -> bool:
    """Whether the repository has the branch, as of the last fetch."""
    return bool(copy.git and copy.git.resolve(branch_of(name)))


def patch(before: Files, after: Files) -> str:
    """The change as ``git apply`` and ``patch -p1`` read it; raises `NotCollected`."""
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        old, new = os.path.join(folder, "a"), os.path.join(folder, "b")
        for name in sorted({*before, *after}):
            if before.get(name) == after.get(name):
                continue
            for path, files in ((old, before), (new, after)):
                with open(path, "w", encoding="utf-8", newline="") as stream:
                    stream.write(files.get(name, ""))
            labels = [f"--label=a/{name}", f"--label=b/{name}"]
            try:
                done = subprocess.run(  # noqa: S603 - fixed arguments
                    ["diff", "-u", *labels, old, new],  # noqa: S607 - found on PATH
                    check=False,
                    capture_output=True,
                    timeout=_SECONDS,
                )
            except (OSError, subprocess.TimeoutExpired):
                raise NotCollected("the program diff does not work", "Install diffutils.") from None
            if done.returncode != _DIFFERENT:
                said = shorten(redact(done.stderr.decode(errors="replace")), 200)
                raise NotCollected(f"the program diff failed: {said}", "Install diffutils.")
            parts.append(done.stdout.decode())
    return "".join(parts)


def keep_newest(place: str) -> None:
    """Remove all but the newest offers; raises OSError."""
    names = [name for name in os.listdir(place) if name.endswith((".patch", ".cdx.json"))]
    stems = {name.partition(".")[0] for name in names}

    def age(stem: str) -> float:
        paths = [os.path.join(place, name) for name in names if name.startswith(f"{stem}.")]
        return max(map(os.path.getmtime, paths))

    for stem in sorted(stems, key=age, reverse=True)[_KEPT:]:
        for name in names:
            if name.startswith(f"{stem}."):
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(place, name))
