# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of app_release."""

from __future__ import annotations

from ..core.definition import Definition, above

CHECKS = {
    "release.live": Definition(
        "Every process of the app runs in the release that the link leads to, and that release is "
        "recorded as good.",
        "Run the deployment or the rollback again: it finishes what an earlier run has begun.",
    ),
    "release.target": Definition(
        "There is a release to switch to, or it can be built, and it is not known to be bad.",
        "Name another version.",
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
    "release.health": Definition(
        "The health endpoints answer.",
        "Read the app's log.",
    ),
    "release.outage": Definition(
        "Seconds during the switch in which the app answered no request of this host.",
        "The app needs at least two instances, and must answer the requests that it has accepted "
        "before it ends.",
        "seconds",
        above(0, 5),
        "a switch between two working releases interrupts nobody",
    ),
    "release.schema": Definition(
        "The release knows every migration that the database has, and the database has every "
        "migration of the release.",
        "Choose a release that knows them. If the release works with these migrations all the "
        "same, name them in compatible_migrations, or set schema_compatible.",
    ),
}
