# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of a project on Vercel: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import Definition, above

CHECKS: dict[str, Definition] = {
    "vercel.live": Definition(
        "All production domains of the project lead to one deployment, and it is ready.",
        "Compare the project's domains with its production deployment, and promote the deployment "
        "that is meant to be live.",
    ),
    "vercel.target": Definition(
        "There is a deployment to switch to: of this project, ready, built for production, and for "
        "a rollback one that Vercel offers to roll back to.",
        "Name another deployment; state=listed shows them.",
    ),
    "vercel.job": Definition(
        "The last request to move the production domains has ended, and it succeeded.",
        "Check the project's deployments on Vercel; state=verified shows what is live now.",
    ),
    "vercel.build": Definition(
        "The newest production deployment, or the one that was named, was built.",
        "Fix what the log in the evidence names, and push again; 'vercel inspect URL --logs' shows "
        "all of it.",
    ),
    "vercel.auto_assign": Definition(
        "A new production deployment gets the production domains by itself. Vercel switches this "
        "off with a rollback.",
        "Once the fix is deployed, promote it: 'ansible-playbook playbooks/deploy.yml -e "
        "app_release_backend=vercel -e deploy_version=URL', or 'vercel promote URL'.",
    ),
    "vercel.environment": Definition(
        "No production variable of the project was changed after the live deployment was built, "
        "as a build keeps the values that it was built with.",
        "Decide whether the app works with the old values; if not, build that commit again instead "
        "of switching to the old build.",
    ),
    "vercel.health": Definition(
        "Percent of the requests to the health endpoints, sent through the production domains "
        "while the live deployment was watched, that were answered with a status of 2xx.",
        "Read the deployment's logs: 'vercel logs URL'; if it stays live, roll it back.",
        "percent",
    ),
    "vercel.version": Definition(
        "The version endpoint names the deployment that is meant to be live, in every answer.",
        "Ask the endpoint again: a cache may have kept the old answer. If the answer stays, check "
        "that its host is a production domain of the project.",
    ),
    "vercel.outage": Definition(
        "Seconds during the switch in which the first health endpoint answered no request of this "
        "host.",
        "Compare with the deployment's logs of that time.",
        "seconds",
        above(0, 5),
        "moving the domains between two working deployments interrupts no one",
    ),
}
