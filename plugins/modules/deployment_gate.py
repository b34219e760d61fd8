#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_gate
short_description: Record the answers before and after a deployment, and say go or no go
version_added: "0.1.0"
description:
  - The runbook's Change Management lists have questions that only people can answer, such as
    whether the code was reviewed. This module records each answer with name and time, and says
    whether all of them allow to deploy a version.
  - Answers count for one commit and for O(valid_for) hours. They are kept in a file on the host
    beside the releases (C(.runbook/gates/)), so several people can answer in several runs, and a
    deployment can require them.
  - It never asks on the terminal. A question without an answer is V(unknown), and no go.
  - The command of a question answers it with yes by exit code 0. If it fails, its question is no
    go, whatever was answered before.
  - It also checks that no other run deploys, that there is a good release to return to which knows
    the migrations of the new one, and the hours of low traffic.
  - Before a deployment it measures how fast the health endpoints answer, so that
    M(gpt_agent.runbook.deployment_watch) can compare afterwards.
options:
  name:
    description: Name of the app in PM2's list, or of its service in the compose file.
    type: str
    required: true
  moment:
    description:
      - V(before) is the list before the deployment of O(version). V(after) is the list after the
        deployment of the release that is live.
    type: str
    choices: [before, after]
    default: before
  version:
    description:
      - Version that is to be deployed, a tag, a branch or a commit. Without it there is no verdict,
        and nothing is recorded.
    type: str
  questions:
    description:
      - The questions, by name, instead of those of the runbook. These are V(code_review), V(tests),
        V(staging), V(migrations), V(rollback_plan), V(notified) and V(low_traffic) before, and
        V(acceptance) and V(documented) after.
    type: dict
    default: {}
  answers:
    description:
      - Answers by the name of the question. V(yes), V(true), V(done) and any text mean yes, V(no)
        and V(false) forbid the deployment, and an empty one is none.
      - Do not put secrets into a text; what looks like one is masked.
    type: dict
    default: {}
  commands:
    description:
      - Commands that answer a question, by its name, such as one that asks the CI server. Each is
        run by C(/bin/sh) in the live release with the app's environment, and with
        E(RELEASE_VERSION) and E(RELEASE_COMMIT). Not run in check mode.
      - Under Docker they run in O(compose_project_dir) on the host, with the environment of the
        task.
    type: dict
    default: {}
  hours:
    description:
      - Hours of low traffic in the time zone of the host, such as V(22:00-06:00). With them the
        clock answers the question V(low_traffic), each time anew.
    type: list
    elements: str
    default: []
  valid_for:
    description: Hours for which an answer counts.
    type: float
    default: 24.0
  command_timeout:
    description: Seconds for each of the O(commands); at most 14400.
    type: float
    default: 600.0
  backend:
    description:
      - What runs the app on this host, as in M(gpt_agent.runbook.app_release). There are no answers
        for an app on V(vercel); with it the task fails.
    type: str
    choices: [pm2, docker, vercel]
    default: pm2
  repository:
    description:
      - Path or URL of the app's git repository. By default the C(origin) of the live release, if
        that is a checkout.
    type: str
  health_urls:
    description: URLs whose response times are measured, asked on the host itself.
    type: list
    elements: str
    default: []
  migrations_folder:
    description: Folder in a release with its migrations. By default the usual ones.
    type: str
  compatible_migrations:
    description: Names of migrations that older releases work with.
    type: list
    elements: str
    default: []
  owner:
    description: Who answers, for the record; needed for O(answers).
    type: str
  timeout:
    description: Seconds to wait for an answer of PM2 or Docker; at most 3600.
    type: float
    default: 30.0
extends_documentation_fragment:
  - gpt_agent.runbook.pm2
  - gpt_agent.runbook.release_place
  - gpt_agent.runbook.compose_project
attributes:
  check_mode:
    support: full
    description:
      - Judges the answers that are recorded together with those of this run, and records nothing.
        The repository is only asked for the commit.
  diff_mode:
    support: full
    description: Shows which answers are recorded.
  idempotent:
    support: full
    description: The same answer by the same person is recorded once, until it expires.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
requirements:
  - PM2 5, 6 or 7
  - git, if releases are built
notes:
  - Run it as the user who owns PM2 (O(ignore:become_user)).
seealso:
  - module: gpt_agent.runbook.app_release
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Answer two questions of the list before a deployment
  gpt_agent.runbook.deployment_gate:
    name: gpt-agent
    version: v1.2.0
    owner: alice
    answers:
      code_review: pull request 812, approved by Bob
      staging: "yes"
    commands:
      tests: gh run list --commit "$RELEASE_COMMIT" --status success | grep -q .
    hours: ["22:00-06:00"]
  become: true
  become_user: deploy

- name: See whether a version may be deployed
  gpt_agent.runbook.deployment_gate:
    name: gpt-agent
    version: v1.2.0
  check_mode: true
  become: true
  become_user: deploy
"""

RETURN = r"""
go:
  description: Whether every question is answered and nothing forbids the deployment.
  returned: always, except for usage errors
  type: bool
  sample: true
release:
  description: Id of the release that the answers are for; empty if it is not known.
  returned: always, except for usage errors
  type: str
  sample: v1.2.0-3f2a91c
checks:
  description: C(release.gate), the verdict, and one check for each question and each condition.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: release.answer
      subject: code_review
      status: ok
      value: null
      unit: ""
      warning: null
      critical: null
      direction: ""
      summary: "Code review completed: pull request 812, approved by Bob (alice, 3 min ago)"
      remedy: ""
      window: ""
      evidence: []
actions:
  description: The answers that were recorded.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: release.record_answer
      subject: code_review
      status: done
      reason: by alice
      before: null
      after: pull request 812, approved by Bob
      seconds: null
      bytes: null
      estimate: null
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.release.arguments import PLACE_OPTIONS
from ..module_utils.release.backends.known import backend_of
from ..module_utils.release.gate.checks import CHECKS
from ..module_utils.release.gate.operation import Gate
from ..module_utils.release.gate.options import Options
from ..module_utils.release.gate.questions import AFTER, BEFORE

_TEXTS = ("version", "repository", "migrations_folder", "owner")
_LISTS = ("hours", "health_urls", "compatible_migrations", "compose_files", "services")

ARGUMENT_SPEC: dict[str, Any] = {
    **PLACE_OPTIONS,
    "moment": {"type": "str", "choices": [BEFORE, AFTER], "default": BEFORE},
    "compose_project_dir": {"type": "path"},
    "valid_for": {"type": "float", "default": 24.0},
    "command_timeout": {"type": "float", "default": 600.0},
    "timeout": {"type": "float", "default": 30.0},
    **{name: {"type": "str"} for name in _TEXTS},
    **{name: {"type": "list", "elements": "str", "default": []} for name in _LISTS},
    **{name: {"type": "dict", "default": {}} for name in ("questions", "answers", "commands")},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        options = Options.from_params(module.params)
        backend = backend_of(options.release)
        gate = Gate(options, backend, Thresholds(CHECKS), check_mode=module.check_mode)
        outcome = gate.run()
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome, backend.where)


if __name__ == "__main__":
    main()
