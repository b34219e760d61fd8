#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_check
short_description: Find out why a deployment failed
version_added: "0.1.0"
description:
  - Checks what usually keeps a release from being built or started, and names the remedy for each
    cause. It changes nothing.
  - C(release.build_log) quotes the last build that failed, which
    M(gpt_agent.runbook.app_release) keeps.
  - C(release.failed) names the release that was built, and then failed on trial, did not prove
    itself or was rolled back, and why.
  - C(release.environment) compares the names of the app's variables with the example file. It
    lists those that are missing, those that are empty and those that the example does not name.
    No value is ever shown.
  - C(release.node_version) is judged for the Node.js that runs the app and for the one that builds
    find, C(release.lockfile) compares package-lock.json with package.json.
  - C(release.registry) asks the package registry for one of the app's dependencies as npm does,
    with its proxy and login. C(release.repository) asks the git repository.
  - C(release.disk_free) and C(release.inodes_free) are judged where releases are built,
    C(release.schema) by the migrations, C(release.checkout) by C(git status) if the app runs in a
    plain checkout.
options:
  version:
    description:
      - Version to check, a tag, a branch or a commit.
      - By default the one that failed last, while it was built or later, else the live release.
    type: str
  build:
    description: Commands that build a release, as M(gpt_agent.runbook.app_release) has them.
    type: list
    elements: str
    default: [npm ci, npm run --if-present build]
  env_example:
    description: File in a release that names the variables it needs. Empty for none.
    type: str
    default: .env.example
  free_disk:
    description: GiB that must be free for a build.
    type: float
    default: 1.0
  backend:
    description:
      - What runs the app. For anything but V(pm2) the answer is that this needs PM2, and what there
        is instead.
    type: str
    choices: [pm2, docker, vercel]
    default: pm2
  repository:
    description:
      - Path or URL of the app's git repository. By default the C(origin) of the live release, if
        that is a checkout.
    type: str
  timeout:
    description: Maximum seconds for all checks; the result has those that were made by then.
    type: float
    default: 60.0
extends_documentation_fragment:
  - gpt_agent.runbook.pm2
  - gpt_agent.runbook.release_place
  - gpt_agent.runbook.migrations
  - gpt_agent.runbook.probe
requirements:
  - PM2 5, 6 or 7
  - git and npm, to ask the repository and the registry
notes:
  - Run it as the user who owns PM2 (O(ignore:become_user)), so that it sees what builds see.
seealso:
  - module: gpt_agent.runbook.deployment_rebuild
  - module: gpt_agent.runbook.app_release
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Find out why the last deployment failed
  gpt_agent.runbook.deployment_check:
    name: gpt-agent
  become: true
  become_user: deploy
"""

RETURN = r"""
checks:
  description: One check for each possible cause.
  returned: success
  type: list
  elements: dict
  sample:
    - name: release.lockfile
      subject: v1.2.0
      status: critical
      value: null
      unit: ""
      warning: null
      critical: null
      direction: ""
      summary: "package-lock.json is out of step: left-pad is missing from the lock file"
      remedy: Run 'npm install' in a checkout, and commit package-lock.json.
      window: ""
      evidence:
        - difference: left-pad is missing from the lock file
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.check import Check
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.options import PROBE_OPTIONS
from ..module_utils.core.probe import read_options, run_probe
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.release.arguments import PLACE_OPTIONS
from ..module_utils.release.backends.pm2 import Pm2
from ..module_utils.release.checks import CHECKS
from ..module_utils.release.diagnosis.probe import no_answer, probe
from ..module_utils.release.options import DEPLOYED, Options

_TEXTS = ("version", "repository", "migrate", "migrations_command", "migrations_folder")

ARGUMENT_SPEC: dict[str, Any] = {
    **PLACE_OPTIONS,
    **PROBE_OPTIONS,
    "timeout": {"type": "float", "default": 60.0},
    "build": {"type": "list", "elements": "str", "default": list(Options.build)},
    "env_example": {"type": "str", "default": Options.env_example},
    "schema_compatible": {"type": "bool", "default": False},
    "compatible_migrations": {"type": "list", "elements": "str", "default": []},
    "free_disk": {"type": "float", "default": Options.free_disk},
    **{name: {"type": "str"} for name in _TEXTS},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    options = read_options(module, Options.from_params)

    def run(thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        backend = Pm2(replace(options, state=DEPLOYED))  # so that the guards are those of one
        return probe(options, backend, thresholds, deadline)

    run_probe(
        module,
        CHECKS,
        run,
        lambda thresholds: no_answer(options, module.params["timeout"], thresholds),
    )


if __name__ == "__main__":
    main()
