#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pm2_process
short_description: Restart or start an app under PM2, instance by instance, and prove that it stays up
version_added: "0.1.0"
description:
  - Restarts the instances of an app one after the other. The next one has its turn when the one before has stayed online for O(stable_for)
    seconds, so an app with several instances serves all the while.
  - Instances that are not online come first. They show whether the app starts at all before one that serves is touched.
  - The first instance that does not come back ends the run. The others are left as they were, and the task fails with the last message of the
    app's error log.
  - C(pm2 restart) and C(pm2 reload) end well even where the app dies right after its start or never says that it is ready (C(wait_ready)). Here
    an instance that exits, that PM2 could not end, or that was not ready within its C(listen_timeout) has not come back.
  - It talks to the socket of a daemon that runs. It starts none, needs no Node.js, and gives the app the environment that PM2 has kept for it.
  - C(app.process) says how the app is afterwards, as M(gpt_agent.runbook.pm2_health) does.
options:
  name:
    description: Name of the app in PM2's list.
    type: str
    required: true
  state:
    description:
      - V(restarted) restarts every instance, and starts those that are stopped.
      - V(started) starts those that are not online and leaves the others alone.
    type: str
    choices: [restarted, started]
    required: true
  namespace:
    description: PM2's namespace of the app; needed where it is in several.
    type: str
  pm2_home:
    description:
      - PM2's folder, with the socket C(rpc.sock) of its daemon.
      - Defaults to E(PM2_HOME), else to C(.pm2) in the home folder of the user the module runs as.
    type: path
  stable_for:
    description:
      - Seconds for which an instance has to stay online before it counts as restarted; at most 600.
      - The default is five times the C(min_uptime) from which PM2 itself takes a start for a good one.
    type: float
    default: 5.0
  timeout:
    description: Seconds within which PM2 has to answer, the C(kill_timeout) and the C(listen_timeout) of the app not counted.
    type: float
    default: 30.0
extends_documentation_fragment:
  - gpt_agent.runbook.progress
attributes:
  async:
    support: full
    description: Of its own accord it works in the background of the host, so that a connection which is lost does not end it.
  check_mode:
    support: full
    description: Names the very instances that it would restart, in their order.
  diff_mode:
    support: full
    description: Shows the instances that are due before, and those that are left afterwards.
  idempotent:
    support: partial
    description: A second run with O(state=started) changes nothing. With O(state=restarted) every run restarts.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
requirements:
  - PM2 5, 6 or 7
notes:
  - Run it as the user who owns PM2 (O(ignore:become_user)) or as root. Any other user may not connect to the daemon's socket.
  - Two runs never restart apps of one PM2 at the same time, and none does while PM2 itself is reloading the app. The second one fails and says so.
  - An app in fork mode whose instances listen on ports of their own serves through the others meanwhile only if its proxy knows them all.
  - A new version of the app's environment or ecosystem file is not read; C(pm2 startOrReload) with that file does that.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Restart the app without an outage
  gpt_agent.runbook.pm2_process:
    name: gpt-agent
    state: restarted
  become: true
  become_user: deploy

- name: Bring back the instances that are down, and leave the others alone
  gpt_agent.runbook.pm2_process:
    name: worker
    namespace: blue
    state: started
    stable_for: 30
"""

RETURN = r"""
checks:
  description: C(app.process), how the app is after the run; before it in check mode.
  returned: always, except for misuse
  type: list
  elements: dict
  sample:
    - name: app.process
      subject: gpt-agent
      status: ok
      value: 2
      unit: count
      warning: null
      critical: null
      summary: "2 of 2 instances of gpt-agent online, running for 5.1 s"
      remedy: ""
      window: ""
      evidence: []
actions:
  description: One for each instance, in the order in which they are restarted.
  returned: always, except for misuse
  type: list
  elements: dict
  sample:
    - name: app.restart
      subject: gpt-agent id 0
      status: done
      reason: online for 3 days, 210 MiB, restarted 4 times so far
      before: process 4711
      after: process 5012
      seconds: 6.3
      bytes: null
      estimate: null
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.options import PROGRESS_OPTION
from ..module_utils.core.progress import progress_reporter
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.pm2.checks import CHECKS
from ..module_utils.pm2.client import default_home
from ..module_utils.pm2.restart import Order, planned, restarted

ARGUMENT_SPEC = {
    **PROGRESS_OPTION,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["restarted", "started"], "required": True},
    "namespace": {"type": "str"},
    "pm2_home": {"type": "path"},
    "stable_for": {"type": "float", "default": 5.0},
    "timeout": {"type": "float", "default": 30.0},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    given = module.params
    order = Order(
        home=given["pm2_home"] or default_home(),
        name=given["name"],
        state=given["state"],
        namespace=given["namespace"] or None,
        stable_for=given["stable_for"],
        timeout=given["timeout"],
    )
    try:
        with progress_reporter(given["progress_file"]) as report:
            outcome = (
                planned(order, Thresholds(CHECKS))
                if module.check_mode
                else restarted(order, Thresholds(CHECKS), report)
            )
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome)


if __name__ == "__main__":
    main()
