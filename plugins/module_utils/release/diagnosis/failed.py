# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release that failed last, by the records. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..record import BAD, Release, Switch
from ..switch import DEPLOY, REVERTED, ROLLBACK


def failed_release(releases: Iterable[Release], history: Sequence[Switch]) -> Release | None:
    """The one that was built, and then failed or was rolled back; none if one has worked since."""
    worked = max((switch.at for switch in history if switch.kind == DEPLOY), default=0.0)
    failed = {failed_at(release, history): release for release in releases if release.status == BAD}
    last = max(failed, default=0.0)
    return failed[last] if last > worked else None


def failed_at(release: Release, history: Sequence[Switch]) -> float:
    """When it was taken back; else when it was built, as it is tried right after that."""
    ends = (
        switch.at
        for switch in history
        if switch.before == release.id and switch.kind in (REVERTED, ROLLBACK)
    )
    return max(ends, default=release.built or 0.0)
