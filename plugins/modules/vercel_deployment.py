#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: vercel_deployment
short_description: Roll a project on Vercel back, or promote a deployment, and prove it
version_added: "0.1.0"
description:
  - Moves the production domains of a project on Vercel to another deployment, which is built
    already, and proves that they lead there. Also lists deployments, and verifies what is live.
  - A rollback goes to the production deployment before the live one, of those that Vercel offers
    to roll back to, and never to one that was rolled back from. A project that is rolled back
    already stays as it is, so it is safe to run it again; to go further back, name a deployment.
  - Whatever forbids it is said before anything is requested. A deployment must be of this project,
    ready, and built for production.
  - It succeeds only when every production domain leads to the deployment. That Vercel accepted the
    request, or reports success, is not enough.
  - After a request without a clear answer the module reads the project before it asks again. A
    job that someone else, or a killed run, has begun to the same end is waited for.
  - During the switch it asks the first of O(health_urls) all the time. The report says for how
    long the app did not answer.
options:
  project:
    description:
      - Id or name of the project; needed. Defaults to E(VERCEL_PROJECT_ID).
    type: str
  token:
    description:
      - Access token of Vercel, which can read the project and promote its deployments; needed.
        Defaults to E(VERCEL_TOKEN).
    type: str
  team:
    description:
      - Id or slug of the team that owns the project. Defaults to E(VERCEL_ORG_ID), otherwise the
        account of the token.
    type: str
  state:
    description:
      - V(diagnosed) says whether the newest production deployment, or O(version), was built, with
        the lines of its build log that tell why not, and what is live. Changes nothing.
      - V(listed) lists the newest production deployments and changes nothing.
      - V(verified) checks what is live, and changes nothing.
      - V(rolled_back) returns to O(rollback_to).
      - V(promoted) puts O(version) into service. It also ends a rollback, so that new production
        deployments get the domains again.
    type: str
    choices: [diagnosed, listed, promoted, rolled_back, verified]
    required: true
  confirm:
    description:
      - Must be the name or the id of the project, if it is given; a wrong one is refused in check
        mode, too. It guards against the wrong inventory.
    type: str
    default: ""
  version:
    description:
      - What to promote or to diagnose; needed to promote. Id or URL of a deployment, the commit
        that it was built from, or a value in its meta such as a tag.
      - A preview is not promoted, as it was built with the variables of previews.
    type: str
  rollback_to:
    description:
      - Deployment to roll back to, named likewise.
      - By default the production deployment before the live one.
    type: str
  health_urls:
    description:
      - URLs on the production domains that must answer with a status of 2xx, asked as users do,
        through the proxy in the environment if there is one.
    type: list
    elements: str
    default: []
  version_url:
    description:
      - URL that answers with JSON that has C(commit) or C(version), to prove that users get the
        deployment. By default this is not checked.
    type: str
  start_within:
    description: Seconds after the switch within which the URLs must answer so; at most 3600.
    type: float
    default: 30.0
  bake:
    description: Seconds for which they are watched then; at most 3600.
    type: float
    default: 10.0
  healthy_share:
    description: Percent of the answers of O(health_urls) that must be healthy during that time.
    type: float
    default: 100.0
  owner:
    description: Who runs this, for the lock.
    type: str
  reason:
    description: Why. Vercel keeps it with a rollback.
    type: str
  timeout:
    description: Seconds for one answer of Vercel, or of the app; at most 3600.
    type: float
    default: 15.0
  time_limit:
    description:
      - Seconds for everything until the domains have moved, waiting for a rate limit included; at
        most 3600.
    type: float
    default: 300.0
  api_url:
    description: URL of Vercel's API. Without https only on the loopback interface.
    type: str
    default: https://api.vercel.com
  record_dir:
    description:
      - Folder for the lock, and for a record of which deployments were rolled back from.
      - Defaults to C(/var/lib/gpt-agent-runbook) for root, and to C(gpt-agent-runbook) in the XDG
        state folder for other users. In a container that is thrown away after the run only what
        Vercel itself knows counts.
    type: path
extends_documentation_fragment:
  - gpt_agent.runbook.step
  - gpt_agent.runbook.thresholds
  - gpt_agent.runbook.progress
attributes:
  check_mode:
    support: full
    description: Shows the plan, and whether anything forbids it; only reads from Vercel.
  diff_mode:
    support: full
    description: Shows the steps before, and those that are left afterwards.
  idempotent:
    support: full
    description:
      - Nothing is done if the deployment is live already, or for a rollback without O(rollback_to)
        if the project is rolled back already.
requirements:
  - requests
notes:
  - Runs anywhere that reaches Vercel's API, such as the controller (O(ignore:delegate_to)). With
    several hosts in a play it runs for the first of them only, as they share the project.
  - A rolled back deployment keeps the variables and the cron jobs that it was built with. Until a
    deployment is promoted, no new push goes live. The checks C(vercel.environment) and
    C(vercel.auto_assign) say so.
  - The old deployment does not come back by itself if the new one is not healthy. The message says
    what is live, and what was before.
  - On the plan Hobby, Vercel allows to roll back only to the deployment before.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Show what a rollback would do
  gpt_agent.runbook.vercel_deployment:
    project: gpt-agent
    team: example
    state: rolled_back
  check_mode: true
  delegate_to: localhost

- name: Roll back to a deployment, and prove that users get it
  gpt_agent.runbook.vercel_deployment:
    project: gpt-agent
    team: example
    state: rolled_back
    confirm: gpt-agent
    rollback_to: gpt-agent-9f3kq2.vercel.app
    health_urls: ["https://your-domain.com/api/health"]
    version_url: https://your-domain.com/api/health
    reason: orders fail since 14:10
  delegate_to: localhost

- name: End the rollback with the fixed version
  gpt_agent.runbook.vercel_deployment:
    project: gpt-agent
    team: example
    state: promoted
    version: 3f2a91c
  delegate_to: localhost
"""

RETURN = r"""
live:
  description: Id of the deployment that is live in the end.
  returned: if the project was read
  type: str
  sample: dpl_5WJWYSyB7BpgTj3EuwF37WMRBXBtPQ2iTMJHJBJyRfd
target_release:
  description: Id of the deployment that was to go live; empty if there was no choice to make.
  returned: if the project was read
  type: str
  sample: dpl_5WJWYSyB7BpgTj3EuwF37WMRBXBtPQ2iTMJHJBJyRfd
proven:
  description: Whether the deployment is live and has proven that it works.
  returned: always, except for usage errors
  type: bool
  sample: true
seconds_without_service:
  description: Seconds during the switch in which the app did not answer; none if not measured.
  returned: if the project was read
  type: float
  sample: 0.0
deployments:
  description: The newest production deployments.
  returned: for O(state=listed)
  type: list
  elements: dict
  sample:
    - id: dpl_5WJWYSyB7BpgTj3EuwF37WMRBXBtPQ2iTMJHJBJyRfd
      url: gpt-agent-9f3kq2.vercel.app
      commit: 3f2a91c0d2b4e6f8a1c3e5d7b9f0a2c4e6d8b0f1
      state: READY
      created: 1767603600.0
      rollback_candidate: true
checks:
  description: What is live, the last job, the traps of a rollback, and the proof.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: vercel.live
      subject: gpt-agent
      status: ok
      value: null
      unit: ""
      warning: null
      critical: null
      direction: ""
      summary: gpt-agent-9f3kq2.vercel.app (commit 3f2a91c0d2b4) is live on 2 production domains
      remedy: ""
      window: ""
      evidence: []
actions:
  description: The step, or that an earlier one is waited for.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: vercel.switch
      subject: gpt-agent
      status: done
      reason: rollback of your-domain.com
      before: gpt-agent-c81vm0.vercel.app
      after: gpt-agent-9f3kq2.vercel.app
      seconds: 3.2
      bytes: null
      estimate: null
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.options import PROGRESS_OPTION
from ..module_utils.core.probe import require
from ..module_utils.core.progress import progress_reporter
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.vercel.checks import CHECKS
from ..module_utils.vercel.client import IMPORT_ERROR
from ..module_utils.vercel.operation import Operation
from ..module_utils.vercel.options import STATES, Options

_NUMBERS = ("start_within", "bake", "healthy_share", "timeout", "time_limit")

ARGUMENT_SPEC: dict[str, Any] = {
    **PROGRESS_OPTION,
    "project": {"type": "str", "fallback": (env_fallback, ["VERCEL_PROJECT_ID"])},
    "token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["VERCEL_TOKEN"])},
    "team": {"type": "str", "fallback": (env_fallback, ["VERCEL_ORG_ID"])},
    "state": {"type": "str", "choices": list(STATES), "required": True},
    "confirm": {"type": "str", "default": ""},
    "health_urls": {"type": "list", "elements": "str", "default": []},
    "requires": {"type": "list", "elements": "str", "default": []},
    "thresholds": {"type": "dict", "default": {}},
    "record_dir": {"type": "path"},
    "api_url": {"type": "str", "default": Options.api_url},
    **{
        name: {"type": "str"}
        for name in ("version", "rollback_to", "version_url", "owner", "reason")
    },
    **{name: {"type": "float", "default": getattr(Options, name)} for name in _NUMBERS},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, IMPORT_ERROR, "requests", "python3-requests")
    try:
        options = Options.from_params(module.params)
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        with progress_reporter(module.params["progress_file"]) as report:
            operation = Operation(options, thresholds, report)
            outcome = operation.preview() if module.check_mode else operation.run()
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome, options.project)


if __name__ == "__main__":
    main()
