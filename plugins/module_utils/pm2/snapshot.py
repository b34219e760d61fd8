# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of the apps under one daemon."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ..core.state import Delta, Sample
from .history import History
from .instance import App, Instance, group_apps

_NO_RESTARTS = Delta({}, "", 0.0, False)


@dataclass(frozen=True)
class Snapshot:
    """The processes of one daemon at one moment, and what happened while they were watched."""

    taken: float
    """Seconds since the epoch."""
    instances: tuple[Instance, ...]
    daemon_id: str
    """Which run of the daemon it was: another one starts counting restarts at zero."""
    watched: float = 0.0
    """Seconds from the first look to the last."""
    history: History = field(default_factory=History)
    """What the daemon's own log tells of crashes."""
    other_daemons: tuple[tuple[str, str], ...] = ()
    """Folder and user of the other daemons on this host; looked for if an app is missing."""
    crash_restarts: Mapping[int, int] = field(default_factory=dict)
    """How often PM2 restarted an instance meanwhile, by PM2's id; not counting restarts on
    purpose."""
    restarts: Mapping[str, Delta] = field(default_factory=dict)
    """Restarts since the last run, or since the app was added to PM2: by the app's label, then by
    PM2's id."""

    def apps(self, names: Collection[str] = (), namespace: str | None = None) -> list[App]:
        """The apps with these names, or all of them; of one namespace or of every one."""
        found = group_apps(self.instances, namespace)
        return [app for app in found if not names or app.name in names]

    def restarts_of(self, app_label: str) -> Delta:
        return self.restarts.get(app_label, _NO_RESTARTS)

    def crash_restarts_of(self, instance: Instance) -> int:
        return self.crash_restarts.get(instance.pm_id, 0)

    def sample(self, app: App) -> Sample:
        """What the next run needs to know to count the restarts of an app."""
        counters = {str(instance.pm_id): float(instance.restarts) for instance in app.instances}
        return Sample(self.taken, self.daemon_id, counters)
