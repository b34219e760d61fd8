# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of an app's npm packages: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import Definition, above, below

_POLICY = "the severities for which npm and GitHub ask for an update without delay"
_UPDATE = (
    "Update the packages in the evidence, with playbooks/update_dependencies.yml and "
    "app_update_vulnerable; 'npm audit' has the details. If the app is not affected, allow the "
    "advisory with a date."
)

CHECKS: dict[str, Definition] = {
    "npm.critical_vulnerabilities": Definition(
        "Packages that the app uses in production with a known vulnerability of severity "
        "critical, without those that are allowed.",
        _UPDATE,
        "count",
        above(None, 0),
        _POLICY,
    ),
    "npm.high_vulnerabilities": Definition(
        "Packages that the app uses in production with a known vulnerability of severity high, "
        "without those that are allowed.",
        _UPDATE,
        "count",
        above(0, None),
        _POLICY,
    ),
    "npm.outdated": Definition(
        "Direct dependencies for which there is a newer version within the range of package.json.",
        "Run playbooks/update_dependencies.yml, which tries the updates in a copy of the app.",
        "count",
        above(20, None),
        "more updates at once are hard to test; change it to your policy",
    ),
    "npm.installed": Definition(
        "The installed packages are those that package.json asks for, and those that they need.",
        "Run 'npm ci' where the app is built, and deploy that.",
    ),
    "npm.node_support": Definition(
        "Days until Node.js of this major version gets no more security fixes.",
        "Plan the update to a version with long-term support: "
        "https://github.com/nodejs/Release has the dates.",
        "days",
        below(90, 0),
        "Node.js release schedule; 90 days to plan an update",
    ),
    "npm.update": Definition(
        "The app works with the newest packages that package.json allows, or they could be tried "
        "at all; the change is offered.",
        "Read the reason; the live app is as it was.",
    ),
    "npm.snyk": Definition(
        "Vulnerabilities that Snyk knows in the packages, where a token for it is given.",
        "Update the packages in the evidence; 'snyk test' has the details.",
        "count",
    ),
}
