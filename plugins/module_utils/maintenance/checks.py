# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of a maintenance run: what each means, and its remedy."""

from __future__ import annotations

from ..core.definition import Definition

CHECKS: dict[str, Definition] = {
    "maintenance.run": Definition(
        "No other maintenance run is working on the host, the last one was not killed, and this "
        "one had time for a part that changes something, if there is one.",
        "Wait until the other run has ended.",
    ),
    "maintenance.others": Definition(
        "No one else is working on the host: no other user is logged in, no package is being "
        "installed, and no lock of another operation is held.",
        "Ask who it is, and run the maintenance when they have finished.",
    ),
    "maintenance.part": Definition(
        "The part of the maintenance was done, or had nothing to do, and none of the checks that "
        "its own steps made is critical or unknown.",
        "Read the part's own checks and actions, fix the cause, and run the maintenance again.",
    ),
    "maintenance.health": Definition(
        "No health check is worse after the maintenance than before it.",
        "Read the checks named in the evidence; their remedies say what to do. What this run "
        "changed is listed as actions.",
        "count",
    ),
}
