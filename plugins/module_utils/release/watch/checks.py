# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of a release that is watched after its deployment."""

from __future__ import annotations

from ...core.definition import Definition, above

CHECKS: dict[str, Definition] = {
    "release.watch": Definition(
        "The release that was deployed last kept working for as long as it was watched: no endpoint"
        " failed again and again, and no instance was down or restarted repeatedly.",
        "Roll it back: playbooks/emergency_rollback.yml. The other checks say what fails.",
    ),
    "release.response_time": Definition(
        "Median response time of a health endpoint while it was watched, in percent of the one"
        " before the deployment. Less than 100 ms more is ok in any case.",
        "Compare the app's busiest statements and CPU usage with those before the deployment; roll"
        " the release back if users notice.",
        "percent",
        above(200, None),
        "a release that works as before answers as fast",
    ),
    "release.error_rate": Definition(
        "Error messages per hour since the switch, in percent of those of the day before. Fewer"
        " than 10 messages are ok in any case.",
        "Read the messages of release.errors and app.errors, and decide whether users can live with"
        " them; if not, roll the release back.",
        "percent",
        above(200, None),
        "a release that works as before has as many as before",
    ),
}
