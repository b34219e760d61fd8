# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the app's process: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import METRICS, Definition, above
from .diagnosis import checks as diagnosis

#: The checks of pm2_health, and those that other modules share with it.
HEALTH: dict[str, Definition] = {
    "app.process": Definition(
        "All expected instances of the app are online under PM2, and none is in a crash loop.",
        "Read the app's error log, then 'pm2 restart APP'; if it fails again, roll back the last "
        "deployment.",
        "count",
    ),
    "app.restarts": Definition(
        "Restarts of the instance that restarted most often in the window, including restarts by "
        "hand and by deployments.",
        "Read the app's error log around the time of the restarts; restarts at the memory limit "
        "are in PM2's own log, pm2.log.",
        "count",
        above(5, 15),
        "more than a day's deployments; PM2 itself gives up after 16 unstable restarts",
    ),
    "app.memory": Definition(
        "Memory of the instance closest to its limit, in percent of the limit at which PM2 "
        "restarts it.",
        "Check for memory leaks: restart the app as an immediate fix, then profile it to find the "
        "leak.",
        "percent",
        above(85, 95),
        f"{METRICS} (Memory Usage)",
    ),
    "app.logs": Definition(
        "What the app writes reaches its logs: PM2 has them open under their names, on a file "
        "system with space left. The value is the size of the largest.",
        "Rotate the logs daily: playbooks/log_rotation.yml.",
        "bytes",
        above(2 << 30, None),
        "a log that is rotated stays far below",
    ),
    "app.errors": Definition(
        "Messages in the app's error log in the window, and those in its output that are marked as "
        "errors, counted by fingerprint.",
        "Investigate the most frequent message first; compare its first appearance with the last "
        "deployment.",
        "count",
        above(10, 100),
        "the runbook asks to review them and gives no limit",
    ),
}

CHECKS: dict[str, Definition] = {**HEALTH, **diagnosis.CHECKS}
