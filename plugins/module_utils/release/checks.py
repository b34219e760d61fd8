# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of releases: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import Definition, above

CHECKS: dict[str, Definition] = {
    "release.trial": Definition(
        "The release starts on a port of its own beside the live one, and its health endpoints "
        "answer for as long as it is watched.",
        "Read the message, fix the release, and deploy it again; the live one was not touched.",
    ),
    "release.health": Definition(
        "Percent of the requests to the health endpoints, sent while the live release was watched "
        "after the switch, that were answered with a status of 2xx.",
        "Read the app's error log; if the release stays live, roll it back.",
        "percent",
    ),
    "release.version": Definition(
        "The version endpoint names the release that is meant to be live, in every answer.",
        "Compare the working directory of each process with the release: 'pm2 show APP', and "
        "/proc/PID/cwd.",
    ),
    "release.process": Definition(
        "Every instance under PM2 was started by the switch, runs in the release's folder, and "
        "stays the same process for as long as it is watched.",
        "Read the app's error log and 'pm2 show APP'; if the release stays live, roll it back.",
        "count",
    ),
    "release.errors": Definition(
        "Error messages in the app's logs since the switch, of kinds that the week before it did "
        "not have.",
        "Read the messages, and decide whether users can live with them; if not, roll the release "
        "back.",
        "count",
        above(0, None),
        "a release that works as before brings no new ones",
    ),
    "release.outage": Definition(
        "Seconds during the switch in which the app answered no request of this host.",
        "The app needs at least two instances, and must answer the requests that it has accepted "
        "before it ends.",
        "seconds",
        above(0, 5),
        "a switch between two working releases interrupts no one",
    ),
}
