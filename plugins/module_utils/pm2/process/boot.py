# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether systemd starts PM2 after a reboot: the unit that ``pm2 startup`` writes."""

from __future__ import annotations

import os
import re

from ...linux.proc import owner_name

_FOLDER = "etc/systemd/system"
_PM2_HOME = re.compile(r'^Environment="?PM2_HOME=([^"\n]+)"?$', re.MULTILINE)


def owner(home: str) -> str:
    """The user whom PM2's folder belongs to, or will."""
    place = home
    while not os.path.exists(place):
        place = os.path.dirname(place)
    return owner_name(place)


def boot_problem(home: str, root: str = "/") -> str:
    """Why PM2 is not started after a reboot, as a clause; empty if it is."""
    unit = f"pm2-{owner(home)}.service"
    folder = os.path.join(root, _FOLDER)
    try:
        with open(os.path.join(folder, unit), encoding="utf-8") as stream:
            found = _PM2_HOME.search(stream.read())
    except OSError:
        return f"there is no unit {unit}"
    if found and os.path.realpath(found[1]) != os.path.realpath(home):
        return f"{unit} starts the PM2 in {found[1]}"
    if not os.path.lexists(os.path.join(folder, "multi-user.target.wants", unit)):
        return f"{unit} is not enabled"
    return ""
