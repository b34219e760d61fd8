#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_watch
short_description: Watch a release for a time after its deployment
version_added: "0.1.0"
description:
  - Watches the live release for O(watch_for) seconds. Every O(interval) seconds it asks the health
    endpoints and PM2. It changes nothing and takes no lock, so a rollback can start at any moment.
  - The release has failed if the same endpoint or instance fails O(failures) times in a row, or if
    an instance restarts three times. The watch ends then. A single failure is a warning.
  - In the end it compares with the time before the deployment. Kinds of error messages that the
    week before did not have, the number of messages per hour, and the response times that
    M(gpt_agent.runbook.deployment_gate) measured.
  - RV(roll_back) is true only if the release has failed, and if the last switch was its deployment
    within O(deployed_within) hours. So one rollback never leads to the next.
options:
  watch_for:
    description:
      - Seconds to watch; at most 86400. In check mode, and with 0, only as many rounds as a verdict
        needs.
    type: float
    default: 3600.0
  interval:
    description: Seconds between two rounds.
    type: float
    default: 10.0
  confirm:
    description:
      - Must be the name of the app, if it is given for a rollback that may follow; a wrong name is
        refused at once, rather than once the release has failed.
    type: str
    default: ""
  failures:
    description: Rounds in a row that must fail before the release counts as failed.
    type: int
    default: 3
  deployed_within:
    description: Hours since its deployment for which a release is taken for the cause.
    type: float
    default: 24.0
  health_urls:
    description: URLs that must answer with a status of 2xx, asked on the host itself.
    type: list
    elements: str
    default: []
  version_url:
    description:
      - URL that answers with JSON that has C(version) or C(commit), which must be those of the live
        release. By default this is not checked.
    type: str
  backend:
    description:
      - What runs the app. For anything but V(pm2) the answer is that this needs PM2, and what there
        is instead.
    type: str
    choices: [pm2, docker, vercel]
    default: pm2
  timeout:
    description: Seconds to wait for PM2, and for one answer of the app up to 10; at most 3600.
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
    description: Watches only until there is a verdict.
  diff_mode:
    support: none
    description: It changes nothing.
  idempotent:
    support: full
    description: It changes nothing, so C(changed) is always V(false).
requirements:
  - PM2 5, 6 or 7
notes:
  - Run it as the user who owns PM2 (O(ignore:become_user)).
seealso:
  - module: gpt_agent.runbook.app_release
  - module: gpt_agent.runbook.deployment_gate
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Watch the release that was just deployed
  gpt_agent.runbook.deployment_watch:
    name: gpt-agent
    watch_for: 900
    health_urls: ["http://127.0.0.1:3000/api/health"]
    version_url: http://127.0.0.1:3000/api/health
  register: __deployment_watch
  become: true
  become_user: deploy

- name: Roll it back if it has failed
  gpt_agent.runbook.app_release:
    name: gpt-agent
    state: rolled_back
    only_from: "{{ __deployment_watch.release }}"
    health_urls: ["http://127.0.0.1:3000/api/health"]
    requires: [deployment_watch.roll_back]
  become: true
  become_user: deploy
"""

RETURN = r"""
healthy:
  description: Whether the release worked for as long as it was watched.
  returned: always, except for usage errors
  type: bool
  sample: true
roll_back:
  description: Whether the release has failed and a recent deployment can be taken back.
  returned: always, except for usage errors
  type: bool
  sample: false
release:
  description: Id of the release that was watched; empty if it is not known.
  returned: always, except for usage errors
  type: str
  sample: v1.2.0-3f2a91c
checks:
  description: C(release.watch), the verdict, and what led to it.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: release.watch
      subject: gpt-agent
      status: ok
      value: null
      unit: ""
      warning: null
      critical: null
      direction: ""
      summary: v1.2.0-3f2a91c works, watched for 1 h in 361 rounds
      remedy: ""
      window: ""
      evidence: []
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
from ..module_utils.release.watch.operation import Watch
from ..module_utils.release.watch.options import Options

ARGUMENT_SPEC: dict[str, Any] = {
    **PLACE_OPTIONS,
    **PROGRESS_OPTION,
    "confirm": {"type": "str", "default": ""},
    "watch_for": {"type": "float", "default": Options.watch_for},
    "interval": {"type": "float", "default": Options.interval},
    "failures": {"type": "int", "default": Options.failures},
    "deployed_within": {"type": "float", "default": Options.deployed_within},
    "health_urls": {"type": "list", "elements": "str", "default": []},
    "version_url": {"type": "str"},
    "timeout": {"type": "float", "default": 30.0},
    "thresholds": {"type": "dict", "default": {}},
    "requires": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    watch_for = 0.0 if module.check_mode else module.params["watch_for"]
    try:
        options = Options.from_params({**module.params, "watch_for": watch_for})
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        with progress_reporter(module.params["progress_file"]) as report:
            outcome = Watch(options, Pm2(options.release), thresholds, report).run()
    except UsageError as error:
        module.fail_json(msg=str(error))
    # The proof of another step, such as that of a rollback, must not hide what was seen here.
    exit_operation(module, outcome, "the watch")


if __name__ == "__main__":
    main()
