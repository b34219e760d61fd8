# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks before and after a deployment: what each means, and its remedy."""

from __future__ import annotations

from ...core.definition import Definition

CHECKS: dict[str, Definition] = {
    "release.gate": Definition(
        "Every question of the list before a deployment is answered for this very commit, and no "
        "answer forbids it.",
        "Answer the open questions: playbooks/pre_deploy.yml with -e '{\"answers\": {…}}'.",
    ),
    "release.answer": Definition(
        "A question of the runbook's Change Management lists is answered, by whom and when.",
        "It was answered with no: do what the question is about, then answer it anew.",
    ),
    "release.idle": Definition(
        "No other run deploys or rolls back, and none was killed half-way.",
        "Wait until the other run has ended. After a killed one, run the deployment or the rollback"
        " again: it finishes what was begun.",
    ),
    "release.way_back": Definition(
        "There is a good release to return to, and it works with the migrations of the new one.",
        "Keep a good release on the host, and name the migrations that it works with in "
        "compatible_migrations.",
    ),
    "release.hours": Definition(
        "It is a time of low traffic, by the hours that the inventory names.",
        "Deploy within these hours.",
    ),
}
