#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_rebuild
short_description: Build a release aside, to see whether and why that fails
version_added: "0.1.0"
description:
  - Builds a release in a fresh folder, with the same commands, files and environment as
    M(gpt_agent.runbook.app_release) does, and removes it afterwards. The live release and its
    C(node_modules) are not touched, and nothing is switched.
  - C(release.rebuild) says whether it builds; otherwise at which command and why, as far as the
    output is understood, with the end of the output as evidence. A build that fails is a finding,
    so the task does not fail.
  - The build yields to the live app (C(nice)). It needs as much memory as any build; on a host that
    is short of it, build elsewhere.
options:
  version:
    description:
      - Version to build, a tag, a branch or a commit.
      - By default the one that failed last, while it was built or later, else the live release.
    type: str
  build:
    description: Commands that build a release, as M(gpt_agent.runbook.app_release) has them.
    type: list
    elements: str
    default: [npm ci, npm run --if-present build]
  shared:
    description: Files and folders that all releases share, as in C(app_release).
    type: list
    elements: str
    default: []
  keep_folder:
    description: Whether to keep the folder for inspection. The next run removes it.
    type: bool
    default: false
  free_disk:
    description: GiB that must be free; otherwise nothing is built.
    type: float
    default: 1.0
  build_timeout:
    description: Seconds for each command of the build; at most 14400.
    type: float
    default: 1800.0
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
  owner:
    description: Who runs this, for the lock.
    type: str
  timeout:
    description: Seconds to wait for an answer of PM2; at most 3600.
    type: float
    default: 30.0
extends_documentation_fragment:
  - gpt_agent.runbook.pm2
  - gpt_agent.runbook.step
  - gpt_agent.runbook.thresholds
  - gpt_agent.runbook.release_place
  - gpt_agent.runbook.progress
attributes:
  check_mode:
    support: full
    description: Shows what would be built.
  diff_mode:
    support: full
    description: Shows the build that is needed.
  idempotent:
    support: none
    description: It builds anew each time.
requirements:
  - PM2 5, 6 or 7
  - git
notes:
  - Run it as the user who owns PM2 (O(ignore:become_user)).
  - Two rebuilds of an app never run at once. What a killed one leaves, the next removes.
seealso:
  - module: gpt_agent.runbook.deployment_check
  - module: gpt_agent.runbook.app_release
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: See whether version v1.2.0 builds
  gpt_agent.runbook.deployment_rebuild:
    name: gpt-agent
    version: v1.2.0
    shared: [.env]
  become: true
  become_user: deploy
"""

RETURN = r"""
builds:
  description: Whether the release was built.
  returned: always, except for usage errors
  type: bool
  sample: false
checks:
  description: C(release.rebuild), and C(release.disk_free).
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: release.rebuild
      subject: v1.2.0
      status: critical
      value: null
      unit: ""
      warning: null
      critical: null
      direction: ""
      summary: >-
        v1.2.0-3f2a91c does not build, it fails at 'npm run build': package.json has no script
        'build'
      remedy: Add the script to package.json, or correct the build commands (app_release_build).
      window: ""
      evidence:
        - output: 'npm error Missing script: "build"'
actions:
  description: The build.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: release.rebuild_aside
      subject: v1.2.0-3f2a91c
      status: failed
      reason: "'npm run build' failed with exit code 1"
      before: null
      after: null
      seconds: 12.4
      bytes: null
      estimate: null
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.options import PROGRESS_OPTION
from ..module_utils.core.progress import progress_reporter
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.release.arguments import PLACE_OPTIONS
from ..module_utils.release.backends.pm2 import Pm2
from ..module_utils.release.checks import CHECKS
from ..module_utils.release.diagnosis.rebuild import Rebuild
from ..module_utils.release.options import Options

ARGUMENT_SPEC: dict[str, Any] = {
    **PLACE_OPTIONS,
    **PROGRESS_OPTION,
    "build": {"type": "list", "elements": "str", "default": list(Options.build)},
    "shared": {"type": "list", "elements": "str", "default": []},
    "keep_folder": {"type": "bool", "default": False},
    "free_disk": {"type": "float", "default": Options.free_disk},
    "build_timeout": {"type": "float", "default": Options.build_timeout},
    "timeout": {"type": "float", "default": Options.timeout},
    "thresholds": {"type": "dict", "default": {}},
    "requires": {"type": "list", "elements": "str", "default": []},
    **{name: {"type": "str"} for name in ("version", "repository", "owner")},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        options = Options.from_params(module.params)
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        with progress_reporter(module.params["progress_file"]) as report:
            rebuild = Rebuild(
                options,
                Pm2(options),
                thresholds,
                report,
                keep=module.params["keep_folder"],
                check_mode=module.check_mode,
            )
            outcome = rebuild.run()
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome, options.pm2_home)


if __name__ == "__main__":
    main()
