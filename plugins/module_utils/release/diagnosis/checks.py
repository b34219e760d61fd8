# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of a deployment that failed: what each means, and its remedy."""

from __future__ import annotations

from ...core.definition import Definition, below

CHECKS: dict[str, Definition] = {
    "release.build_log": Definition(
        "No build has failed since the last one that worked.",
        "Read the end of its output in the evidence, fix the cause, and deploy again.",
    ),
    "release.failed": Definition(
        "No release has failed its trial or was taken back since the last deployment that worked.",
        "Fix the release for the reason that it names, and deploy it again; 'pm2 logs --err' has"
        " what the app wrote if it was live.",
    ),
    "release.rebuild": Definition(
        "The release builds in a fresh folder, with the same commands as a deployment.",
        "Read the end of its output in the evidence, fix the cause, and deploy again.",
    ),
    "release.lockfile": Definition(
        "The lock file has every dependency of package.json, in the same range; 'npm ci' refuses "
        "otherwise.",
        "Run 'npm install' in a checkout, and commit package-lock.json.",
    ),
    "release.registry": Definition(
        "The package registry answers a question for one of the app's own dependencies, as npm asks"
        " it.",
        "Check name resolution, proxy and firewall of the host, and the registry's status page.",
    ),
    "release.repository": Definition(
        "The git repository answers, and has the version that is to be deployed.",
        "Check the deploy key and the network of the host: 'git ls-remote URL' as the app's user.",
    ),
    "release.checkout": Definition(
        "The checkout that the app runs in has no changes of its own, and is not behind.",
        "See 'git status' and 'git diff' there; commit what is needed to the repository.",
    ),
    "release.inodes_free": Definition(
        "Percent of the inodes that are free where releases are built; node_modules needs many.",
        "Remove old releases and caches: 'du --inodes -xd2 FOLDER | sort -n'.",
        "percent",
        below(10, 2),
        "a node_modules folder has 10,000 to 100,000 files",
    ),
}
