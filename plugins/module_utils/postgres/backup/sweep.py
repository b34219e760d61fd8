# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What killed runs left behind: completed where everything is there, and else removed.

Only a run that holds the lock may sweep, because what another one is writing looks the same.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...core.check import DONE, FAILED, PLANNED, Action
from .commit import complete, discard
from .repository import Listing

SWEEP = "backup.sweep"


def sweep(listings: Sequence[Listing], check_mode: bool) -> list[Action]:
    """An action for each leftover; in check mode nothing is touched."""
    # Manifests first: they say whether the data beside them is complete.
    paths = sorted(
        (path for listing in listings for path in listing.partial),
        key=lambda path: not path.endswith(".json"),
    )
    return [
        Action(SWEEP, PLANNED, "left behind by a run that was killed", subject=path)
        if check_mode
        else _sweep(path)
        for path in paths
    ]


def _sweep(path: str) -> Action:
    try:
        completed = complete(path)
        if completed:
            reason = f"completed {completed}, whose run was killed at its very end"
            return Action(SWEEP, DONE, reason, subject=path)
        size = _size(path)
        discard(path)
    except OSError as error:
        return Action(SWEEP, FAILED, f"cannot be removed: {error.strerror}", subject=path)
    reason = "removed what a killed run left behind"
    return Action(SWEEP, DONE, reason, subject=path, bytes=size)


def _size(path: str) -> int:
    if not os.path.isdir(path) or os.path.islink(path):
        return os.lstat(path).st_size
    return sum(
        os.lstat(os.path.join(folder, name)).st_size
        for folder, _folders, names in os.walk(path)
        for name in names
    )
