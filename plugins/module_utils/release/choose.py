# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release to roll back to: by the record, never by the age of a folder. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..core.errors import NotCollected, UsageError
from .record import BAD, GOOD, Release, Switch


def previous_good(
    releases: Mapping[str, Release], history: Sequence[Switch], current: str
) -> Release:
    """The newest good release that went live before the current one first did.

    So a second rollback in a row goes further back. ``history`` is oldest first. Raises
    `NotCollected` if there is none.
    """
    first_live = first_live_order(history)
    since = first_live.get(current, len(first_live))
    older = [
        release
        for release in releases.values()
        if release.status == GOOD
        and release.id != current
        and first_live.get(release.id, since) < since
    ]
    if not older:
        raise NotCollected(
            f"no release before {current or 'this one'} is known to be good",
            "Name a version with rollback_to; it is built aside and tried before it goes live.",
        )
    return max(older, key=lambda release: first_live[release.id])


def named(releases: Mapping[str, Release], wanted: str) -> Release | None:
    """The release that an operator means: by id, version, or the start of its commit.

    None if there is none yet. Raises `UsageError` if the name fits several.
    """
    if wanted in releases:
        return releases[wanted]
    found = [
        release
        for release in releases.values()
        if wanted == release.version or (len(wanted) >= 7 and release.commit.startswith(wanted))
    ]
    if len({release.id for release in found}) > 1:
        names = ", ".join(sorted(release.id for release in found))
        raise UsageError(f"rollback_to: '{wanted}' fits several releases, name one: {names}")
    return found[0] if found else None


def require_not_bad(release: Release) -> None:
    """Raise `UsageError` for a release that has failed here before."""
    if release.status == BAD:
        raise UsageError(
            f"rollback_to: {release.id} is marked as bad: {release.reason or 'no reason recorded'}"
        )


def first_live_order(history: Sequence[Switch]) -> dict[str, int]:
    """The releases in the order in which they went live first.

    A rollback returns to a release that was live before, also if no one recorded that.
    """
    order: dict[str, int] = {}
    for switch in history:
        older, newer = switch.before, switch.after
        if switch.kind in ("rollback", "revert"):
            older, newer = newer, older
        for name in filter(None, (older, newer)):
            order.setdefault(name, len(order))
    return order
