#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: npm_check
short_description: Check the npm packages of an app
version_added: "0.1.0"
description:
  - Checks the packages of a Node.js app with npm itself. It installs and changes nothing, and
    npm's cache is a temporary folder, so that root leaves no files in the cache of a user.
  - C(npm.critical_vulnerabilities) and C(npm.high_vulnerabilities) count the packages used in
    production that have a known vulnerability of this severity themselves. Packages that are only
    affected because they depend on these, and those used for development only, are not counted.
  - C(npm.outdated) counts the direct dependencies that C(npm update) would update. Newer versions
    beyond the ranges in C(package.json) are listed. A package that the registry does not tell about
    makes it V(unknown), as npm leaves it out without a word. The version of a package that is not
    installed is that of the lockfile; if there is none, it is V(unknown).
  - C(npm.installed) is what C(npm ls) finds wrong with the installed packages. If none of those
    for development is installed, they are not missed.
  - C(npm.node_support) is how long the major version of Node.js that npm runs with gets security
    fixes. The app can run with another one.
  - What the registry does not answer is V(unknown), with npm's reason.
extends_documentation_fragment:
  - gpt_agent.runbook.probe
options:
  path:
    description: Folder of the app, with its C(package.json); an absolute path.
    type: path
    required: true
  npm:
    description: Path of the program npm. Defaults to the one in E(PATH).
    type: path
  registry:
    description:
      - URL of the registry, without credentials. Defaults to the one that npm is configured with.
      - Tokens belong in the C(.npmrc) of the user or of the app.
    type: str
  audit:
    description: Whether to ask the registry for known vulnerabilities.
    type: bool
    default: true
  allow:
    description: Advisories that are accepted until a date, as the app is not affected by them.
    type: list
    elements: dict
    default: []
    suboptions:
      advisory:
        description: Id of the advisory, such as C(GHSA-35jh-r3h4-6jhm).
        type: str
        required: true
      until:
        description: Last day on which it is accepted, such as V(2027-01-31).
        type: str
        required: true
      reason:
        description: Why, for whoever reads the inventory.
        type: str
  timeout:
    description: Seconds until npm must be done.
    type: float
    default: 120
notes:
  - Run it as the user who owns the app, so that this user's C(.npmrc) applies.
  - Only npm 7 or newer with a C(package-lock.json) can audit.
seealso:
  - module: gpt_agent.runbook.npm_update
  - module: gpt_agent.runbook.app_release
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: The packages of the live release
  gpt_agent.runbook.npm_check:
    path: /srv/gpt-agent/current
  become: true
  become_user: deploy

- name: One advisory does not concern us until the next release
  gpt_agent.runbook.npm_check:
    path: /srv/gpt-agent/current
    allow:
      - advisory: GHSA-35jh-r3h4-6jhm
        until: 2027-01-31
        reason: template() is not called
"""

RETURN = r"""
target:
  description: The folder of the app.
  returned: success
  type: str
  sample: /srv/gpt-agent/current
checks:
  description: What was found about the packages.
  returned: success
  type: list
  elements: dict
  sample:
    - name: npm.high_vulnerabilities
      subject: /srv/gpt-agent/current
      status: warning
      value: 1
      unit: count
      warning: 0
      critical: null
      summary: "1 production package with a known vulnerability of severity high: lodash"
      remedy: >-
        Update the packages in the evidence, with playbooks/update_dependencies.yml and
        app_update_vulnerable; 'npm audit' has the details. If the app is not affected, allow the
        advisory with a date.
      window: ""
      evidence:
        - package: lodash
          severity: high
          used: production
          advisories: GHSA-35jh-r3h4-6jhm
          title: Command Injection in lodash
          fix: npm audit fix
"""

from collections.abc import Iterator
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.check import Check
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.errors import NotCollected
from ..module_utils.core.options import PROBE_OPTIONS
from ..module_utils.core.probe import read_options, run_probe
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.npm.assess import assess, no_answer, no_app
from ..module_utils.npm.checks import CHECKS
from ..module_utils.npm.collect import collect
from ..module_utils.npm.options import Options

ARGUMENT_SPEC = {
    **PROBE_OPTIONS,
    "timeout": {"type": "float", "default": 120.0},
    "path": {"type": "path", "required": True},
    "npm": {"type": "path"},
    "registry": {"type": "str"},
    "audit": {"type": "bool", "default": True},
    "allow": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "advisory": {"type": "str", "required": True},
            "until": {"type": "str", "required": True},
            "reason": {"type": "str"},
        },
    },
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    options = read_options(module, Options.from_params)

    def probe(thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        try:
            snapshot = collect(options, deadline)
        except NotCollected as problem:
            yield no_app(problem, options, thresholds)
            return
        yield from assess(snapshot, options, thresholds, datetime.now(timezone.utc).date())

    run_probe(
        module,
        CHECKS,
        probe,
        lambda thresholds: no_answer(module.params["timeout"], options, thresholds),
        results=lambda checks: {"target": options.path},
    )


if __name__ == "__main__":
    main()
