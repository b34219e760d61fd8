# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of which others rotate some logs: ours then names the rest one by one. Pure."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .foreign import PM2_LOGROTATE
from .naming import is_named
from .options import is_safe
from .snapshot import Log, Snapshot

_REFUSED = "and logrotate refuses logs that two files name"


@dataclass(frozen=True)
class Shared:
    """A pattern that others rotate, in part or altogether."""

    pattern: str
    taken: Mapping[str, str]
    """Who rotates which log."""
    free: Sequence[Log] = ()
    """Logs that no one else rotates."""
    names: Sequence[str] = ()
    """Those that our file names, also one that is missing for the moment."""
    unsafe: Sequence[str] = ()
    """Logs that it cannot name: logrotate would read their names as something else."""
    obstacle: str = ""
    """Why our file has none of them; empty if it has some."""

    @property
    def who(self) -> str:
        return ", ".join(sorted(set(self.taken.values())))


def share(pattern: str, snapshot: Snapshot, paths: Sequence[str]) -> Shared | None:
    """How ours and others share the logs of a pattern; none if they are all ours."""
    logs, rivals = snapshot.logs[pattern], snapshot.rivals.get(pattern, ())
    known = {log.path for log in logs}
    for each in snapshot.rotated:
        elsewhere = any(is_named(each.log, other) for other in paths if other != pattern)
        if is_named(each.log, pattern) and not elsewhere:
            known.add(each.log)
    taken = {log: rival.file for rival in rivals for log in known if is_named(log, rival.pattern)}
    if snapshot.pm2_logrotate:
        taken.update(dict.fromkeys(known & snapshot.pm2_logs, PM2_LOGROTATE))
    if not taken and not rivals:
        return None
    # One that others name and that is not there yet is theirs as well.
    taken = taken or {rival.pattern: rival.file for rival in rivals}
    rest = sorted(known - taken.keys())
    names = [log for log in rest if is_safe(log)]
    free = [log for log in logs if log.path in names]
    whole = any(pattern == rival.pattern for rival in rivals) or not glob.has_magic(pattern)
    found = Shared(pattern, taken, free, names, [log for log in rest if log not in names])
    if whole or not names:
        reason = f"{found.who} rotates them"
        reason += "" if found.who == PM2_LOGROTATE else f", {_REFUSED}"
        if found.unsafe:
            reason += f"; nothing rotates {', '.join(found.unsafe)}, which ours cannot name"
        return Shared(pattern, taken, unsafe=found.unsafe, obstacle=reason)
    return found
