#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: npm_update
short_description: Update the npm packages of an app in a copy, try them there, and offer the change
version_added: "0.1.0"
description:
  - Updates the packages in a copy of the live app, within the ranges of C(package.json), and runs
    the app's build and tests there. Only if all of them succeed is the change offered, as a patch
    or as a branch of the repository. The live app is never touched.
  - The copy is the commit of the live app, as O(repository) has it, or without a repository the
    files of its folder, without C(node_modules), C(.git), C(.env) files, and links out of it.
  - If a command fails, it is run again without the update, to tell a broken update from tests that
    fail anyhow. Then parts of the update are tried, to find the package that breaks it.
  - C(npm.update) is the result. C(npm.snyk) is what Snyk knows about the packages, if O(snyk_token)
    is given.
  - With each offer it keeps a list of all packages in the format CycloneDX, if npm can write it
    (C(npm sbom), npm 10 or newer).
options:
  path:
    description:
      - Folder of the live app, with its C(package.json) and C(package-lock.json); an absolute path.
        A link such as C(current) will do. Without it there is nothing to do, and
        C(npm.update) says so.
    type: path
  dest:
    description:
      - Folder on the host for the copy, and for the newest 10 offers. Only its owner can read it.
        It must be outside O(path), and new, empty or of an earlier run.
      - By default C(npm_update/NAME) in O(state_dir); C(NAME) follows from O(path).
    type: path
  state_dir:
    description:
      - Folder on the host for what is kept between runs; O(dest) is in it by default.
      - Defaults to C(/var/lib/gpt-agent-runbook) for root, otherwise to
        C($XDG_STATE_HOME/gpt-agent-runbook), where E(XDG_STATE_HOME) defaults to C(~/.local/state).
    type: path
  repository:
    description:
      - Path or URL of the app's git repository. Git never asks for a password; use a deploy key.
      - Without it the folder of the live app is copied; also if that does not say which commit it
        is, which C(npm.update) mentions, except for O(offer=branch).
    type: str
  version:
    description:
      - Tag, branch or commit of O(repository) to update. Defaults to the commit that is live, by
        the file C(REVISION) or the checkout in O(path).
    type: str
  only:
    description:
      - Packages to update, also those that only other packages use. By default all.
    type: list
    elements: str
    default: []
  exclude:
    description:
      - Packages to leave at their version, unless another package needs a newer one.
    type: list
    elements: str
    default: []
  vulnerable:
    description:
      - Whether to update only packages with known vulnerabilities (C(npm audit fix), without
        C(--force)).
    type: bool
    default: false
  commands:
    description:
      - Commands that must succeed in the copy, in this order, each run by C(/bin/sh). The first
        should install the packages. An empty list stands for the default.
      - By default C(npm ci), and C(npm run --if-present) with C(build), C(test) and C(test:e2e). If
        C(package.json) has no script C(test) then, the change is offered with a warning, and
        RV(ready) is false.
      - End-to-end tests must start the copy themselves, or they test an app that runs elsewhere.
    type: list
    elements: str
    default: []
  environment:
    description:
      - Variables for the commands and npm, such as the URL of a test database, or a token for the
        registry. None of them is an argument or part of the result. What the commands print is
        shown without the values of 8 characters or more; without those of 4 or more if the name
        sounds like a secret, such as C(DB_PASS).
      - The commands get no other variables but those of the user's session that concern paths,
        language, proxies, npm, SSH and TLS; not those of the live app. So no test can reach the
        live database by accident.
    type: dict
    default: {}
  offer:
    description:
      - V(patch) writes a patch into O(dest), which C(git apply) reads.
      - V(branch) also pushes a branch C(npm-update/NAME) with one commit to O(repository).
        C(app_release) can deploy it.
    type: str
    choices: [patch, branch]
    default: patch
  find_cause:
    description:
      - Whether to look for the package that makes a command fail, by updating only parts of them.
    type: bool
    default: true
  search_time:
    description:
      - Seconds after which no further part is tried; at most 14400.
    type: float
    default: 900.0
  npm:
    description: Path of the program npm. Defaults to the one in E(PATH).
    type: path
  registry:
    description:
      - URL of the registry, without credentials. Defaults to the one that npm is configured with.
    type: str
  snyk:
    description: Path of the program snyk. Defaults to the one in E(PATH).
    type: path
  snyk_token:
    description:
      - Token of Snyk. Without it Snyk is not asked.
    type: str
  free_disk:
    description: GiB that must stay free in O(dest); otherwise nothing is copied.
    type: float
    default: 1.0
  timeout:
    description: Seconds for each question to npm and to Snyk; at most 3600.
    type: float
    default: 300.0
  command_timeout:
    description:
      - Seconds for each of the O(commands), which is ended with all its processes then; at most
        14400.
    type: float
    default: 1800.0
  owner:
    description: Who runs this, for the lock.
    type: str
extends_documentation_fragment:
  - gpt_agent.runbook.state
  - gpt_agent.runbook.step
  - gpt_agent.runbook.thresholds
  - gpt_agent.runbook.progress
attributes:
  check_mode:
    support: full
    description:
      - Shows which packages would be updated from which version to which. Runs none of the
        O(commands), and keeps nothing.
  diff_mode:
    support: full
    description: Shows the update and the offer before, and nothing afterwards.
  idempotent:
    support: full
    description:
      - Nothing is changed, and nothing is tried again, if the same update of the same commit, or
        of the same files without one, is offered already.
requirements:
  - npm 7 or newer
  - git, with O(repository)
notes:
  - Run it as the user who owns the app, so that the tokens in this user's C(.npmrc) apply.
  - Newer packages run code while they are installed and tested, with the rights of this user, as
    they do when the app is deployed.
  - Two runs for one O(dest) never work at the same time. What a killed one leaves, the next
    removes.
  - Merge the branch once it is live. A deployment of another branch takes the update back.
seealso:
  - module: gpt_agent.runbook.npm_check
  - module: gpt_agent.runbook.app_release
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Update what package.json allows, and keep a patch
  gpt_agent.runbook.npm_update:
    path: /srv/gpt-agent/current
    repository: git@git.example.com:gpt-agent.git
  become: true
  become_user: deploy

- name: Fix known vulnerabilities only, tested with a database of its own
  gpt_agent.runbook.npm_update:
    path: /srv/gpt-agent/current
    repository: git@git.example.com:gpt-agent.git
    vulnerable: true
    offer: branch
    commands:
      - npm ci
      - npm run build
      - npm test
    environment:
      DATABASE_URL: "{{ vault_test_database_url }}"
  become: true
  become_user: deploy
"""

RETURN = r"""
updates:
  description: Number of packages that can be updated.
  returned: always, except for usage errors
  type: int
  sample: 2
patch:
  description: Path of the patch on the host; empty if there is none.
  returned: always, except for usage errors
  type: str
  sample: /var/lib/gpt-agent-runbook/npm_update/srv-gpt-agent-current/3f2a91c-09d1b2c3d4.patch
version:
  description: The branch that is offered; empty if there is none.
  returned: always, except for usage errors
  type: str
  sample: npm-update/3f2a91c-09d1b2c3d4
sbom:
  description: Path of the list of packages on the host; empty if there is none.
  returned: always, except for usage errors
  type: str
  sample: /var/lib/gpt-agent-runbook/npm_update/srv-gpt-agent-current/3f2a91c-09d1b2c3d4.cdx.json
ready:
  description: Whether RV(version) can be deployed, as its tests have passed.
  returned: always, except for usage errors
  type: bool
  sample: true
checks:
  description: C(npm.update), and C(npm.snyk) if a token is given.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: npm.update
      subject: /srv/gpt-agent/current
      status: ok
      value: null
      unit: ""
      warning: null
      critical: null
      direction: ""
      summary: >-
        The app works with the update of 2 packages: router 1.0.0 → 1.0.1, parser 2.0.0 → 2.1.0; it
        is offered as the branch npm-update/3f2a91c-09d1b2c3d4
      remedy: ""
      window: ""
      evidence:
        - package: router
          before: 1.0.0
          after: 1.0.1
          named in package.json: "yes"
          used: production
actions:
  description: C(npm.update) and C(npm.offer); C(npm.remove_copy) after a run that was killed.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: npm.update
      subject: /srv/gpt-agent/current
      status: done
      reason: the app works with them
      before: {router: 1.0.0, parser: 2.0.0}
      after: {router: 1.0.1, parser: 2.1.0}
      seconds: 48.1
      bytes: null
      estimate: null
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.options import PROGRESS_OPTION, STATE_OPTION
from ..module_utils.core.progress import progress_reporter
from ..module_utils.core.text import MASK, redact
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.npm.checks import CHECKS
from ..module_utils.release.update.operation import Update
from ..module_utils.release.update.options import OFFERS, PATCH, Options

ARGUMENT_SPEC: dict[str, Any] = {
    **PROGRESS_OPTION,
    **STATE_OPTION,
    **{name: {"type": "path"} for name in ("path", "dest", "npm", "snyk")},
    **{name: {"type": "str"} for name in ("repository", "version", "registry", "owner")},
    **{
        name: {"type": "list", "elements": "str", "default": []}
        for name in ("only", "exclude", "commands", "requires")
    },
    "vulnerable": {"type": "bool", "default": False},
    "environment": {"type": "dict", "default": {}, "no_log": True},
    "offer": {"type": "str", "choices": list(OFFERS), "default": PATCH},
    "find_cause": {"type": "bool", "default": True},
    "search_time": {"type": "float", "default": Options.search_time},
    "snyk_token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["SNYK_TOKEN"])},
    "free_disk": {"type": "float", "default": Options.free_disk},
    "timeout": {"type": "float", "default": Options.timeout},
    "command_timeout": {"type": "float", "default": Options.command_timeout},
    "thresholds": {"type": "dict", "default": {}},
}


def mask(module: AnsibleModule, secrets: list[str]) -> None:
    """Let Ansible mask these, but not every ``1`` and ``test`` in the result."""
    module.no_log_values = set(secrets)
    module.params["environment"] = dict.fromkeys(module.params["environment"] or {}, MASK)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    given = dict(module.params)
    module.params["repository"] = redact(given["repository"] or "")  # it is in each result
    try:
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        options = Options.from_params(given)
        mask(module, options.secrets)
        with progress_reporter(module.params["progress_file"]) as report:
            update = Update(options, thresholds, report, check_mode=module.check_mode)
            outcome = update.run()
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome, options.path)


if __name__ == "__main__":
    main()
