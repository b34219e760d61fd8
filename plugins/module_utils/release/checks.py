# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of releases: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import Definition, above
from .diagnosis import checks as diagnosis
from .gate import checks as gate
from .watch import checks as watch

CHECKS: dict[str, Definition] = {
    "release.live": Definition(
        "Every process or container of the app runs the release that the link leads to, or that "
        "the compose files name, and that release is recorded as good.",
        "Run the deployment or the rollback again: it finishes what an earlier run has begun.",
    ),
    "release.target": Definition(
        "There is a release to switch to, or it can be built, and it is not known to be bad.",
        "Name another version.",
    ),
    "release.tag": Definition(
        "The tag of the image means the same image as when the release was deployed.",
        "Ask who pushed another image with this tag. Deployments and rollbacks go by digest, so "
        "this changes nothing that runs.",
    ),
    "release.configuration": Definition(
        "The compose files are those that the app's containers were made with.",
        "Compare the files with the last deployment: the switch recreates the containers with "
        "what the files say now.",
    ),
    "release.health_check": Definition(
        "The image or the compose file has a health check.",
        "Add a HEALTHCHECK to the image, or set health_urls, so that a container that runs and "
        "does not answer is noticed.",
    ),
    "release.node_version": Definition(
        "The release works with the Node.js that runs the app, by its package.json.",
        "Install the version of Node.js that the release asks for, or choose another release.",
    ),
    "release.disk_free": Definition(
        "Free space where releases are built; the option free_disk is the limit.",
        "Free some space, or remove old releases.",
        "bytes",
    ),
    "release.environment": Definition(
        "The app has every variable that the release's example file names.",
        "Add the missing variables to the app's environment.",
    ),
    "release.schema": Definition(
        "The release knows every migration that the database has, and the database has every "
        "migration of the release.",
        "Choose a release that knows them. If the release works with these migrations all the "
        "same, name them in compatible_migrations, or set schema_compatible.",
    ),
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
    **gate.CHECKS,
    **watch.CHECKS,
    **diagnosis.CHECKS,
}
