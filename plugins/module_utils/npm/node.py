# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long Node.js gets security fixes."""

from __future__ import annotations

from datetime import date

from ..core.check import Check
from ..core.thresholds import Thresholds
from ..core.units import pluralize
from .options import Options
from .snapshot import Snapshot

#: Last day of support by major version, of the schedule at https://github.com/nodejs/Release.
END_OF_LIFE = {
    10: date(2021, 4, 30),
    11: date(2019, 6, 1),
    12: date(2022, 4, 30),
    13: date(2020, 6, 1),
    14: date(2023, 4, 30),
    15: date(2021, 6, 1),
    16: date(2023, 9, 11),
    17: date(2022, 6, 1),
    18: date(2025, 4, 30),
    19: date(2023, 6, 1),
    20: date(2026, 4, 30),
    21: date(2024, 6, 1),
    22: date(2027, 4, 30),
    23: date(2025, 6, 1),
    24: date(2028, 4, 30),
    25: date(2026, 6, 1),
    26: date(2029, 4, 30),
}


def assess_node(snapshot: Snapshot, options: Options, thresholds: Thresholds, today: date) -> Check:
    """``npm.node_support``."""
    name, version = "npm.node_support", snapshot.node
    major = int(version.partition(".")[0])
    end = END_OF_LIFE.get(max(major, min(END_OF_LIFE)))
    if end is None:
        reason = "its end of support is not known to this version of the collection"
        return thresholds.not_judged(name, f"Node.js {version}", reason, subject=options.path)
    days = (end - today).days
    if days < 0:
        summary = f"Node.js {version} has had no security fixes since {end.isoformat()}"
    else:
        left = pluralize(days, "day")
        summary = f"Node.js {version} gets security fixes until {end.isoformat()}, {left} from now"
    return thresholds.evaluate(name, float(days), summary, subject=options.path)
