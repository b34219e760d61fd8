#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pm2_process
short_description: Restart an app under PM2 instance by instance, and prove that it stays up
version_added: "0.1.0"
description:
  - Restarts the instances of an app one after another. Each must stay online for O(stable_for)
    seconds before the next is restarted, so an app with several instances stays available.
  - Instances that are not online come first. They show whether the app starts at all before one
    that serves is touched.
  - The first instance that does not come back ends the run. The others are left unchanged, and
    the task fails with the last message in the app's error log.
  - C(pm2 restart) and C(pm2 reload) succeed even if the app exits right after its start or never
    reports that it is ready (C(wait_ready)). Here, an instance that exits, that PM2 could not
    stop, or that was not ready within its C(listen_timeout) has not come back.
  - Connects to the socket of the running daemon. It starts no daemon, needs no Node.js, and gives
    the app the environment that PM2 has stored for it.
  - C(app.process) describes the app after the run, as M(gpt_agent.runbook.pm2_health) does.
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
    description: PM2's namespace of the app; needed if apps of that name are in several.
    type: str
  instances:
    description:
      - Number of instances that must be online after the run. It starts none that PM2 does not have
        in its list, but C(app.process) is critical then, and RV(proven) is V(false).
      - By default, as many as PM2 has in its list.
    type: int
  pm2_home:
    description:
      - PM2's folder, with the socket C(rpc.sock) of its daemon.
      - Defaults to E(PM2_HOME), or to C(.pm2) in the home folder of the user who runs the module.
    type: path
  stable_for:
    description:
      - Seconds for which an instance must stay online before it counts as restarted; at most 600.
      - The default is five times C(min_uptime), after which PM2 itself considers a start
        successful.
    type: float
    default: 5.0
  timeout:
    description:
      - Seconds to wait for an answer of PM2, in addition to the C(kill_timeout) and the
        C(listen_timeout) of the app.
    type: float
    default: 30.0
  requires:
    description:
      - Results of earlier steps that must be true before the app is restarted, each as V(STEP.KEY),
        a key of the result that a task registered as C(__STEP).
      - Results of every host of the run count. If none has a result of that step, or the key is not
        true on a host that has one, no instance is restarted, and one skipped action says why.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - gpt_agent.runbook.progress
attributes:
  async:
    support: full
    description: Runs in the background of the host, so a lost connection does not end it.
  check_mode:
    support: full
    description: Names the instances that it would restart, in order.
  diff_mode:
    support: full
    description: Shows the instances to restart before, and those that are left afterwards.
  idempotent:
    support: partial
    description: O(state=started) is, O(state=restarted) always restarts.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
requirements:
  - PM2 5, 6 or 7
notes:
  - Run it as the user who owns PM2 (O(ignore:become_user)) or as root. Any other user lacks
    permission to connect to the daemon's socket.
  - Two runs never restart apps of the same PM2 at the same time, and none starts while PM2 itself
    is reloading the app. The second one fails and says so.
  - An app in fork mode whose instances listen on different ports stays available only if its
    proxy knows all of them.
  - Restarts nothing on a host if an earlier host of the same play (C(serial)) was unreachable or
    its app did not come back. This needs the result to be registered.
  - Does not read a new version of the app's environment or ecosystem file; C(pm2 startOrReload)
    with that file does.
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
  register: restart

- name: Continue only if every instance came back
  ansible.builtin.assert:
    that: restart.proven

- name: Bring back the instances that are down, and leave the others alone
  gpt_agent.runbook.pm2_process:
    name: worker
    namespace: blue
    state: started
    stable_for: 30
"""

RETURN = r"""
proven:
  description:
    - Whether the run has proven that the app works as requested, as a condition for the next step.
    - V(true) if every instance that was to be restarted came back and stayed online, and
      C(app.process) is V(ok) after the run. This includes runs that had nothing to restart.
    - V(false) if the task failed, if C(app.process) is anything but V(ok), and in check mode, as
      nothing was restarted.
  returned: always, except for usage errors
  type: bool
  sample: true
checks:
  description: C(app.process), the state of the app after the run; before it in check mode.
  returned: always, except for usage errors
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
      direction: ""
      summary: "2 of 2 instances of gpt-agent online, running for 5.1 s"
      remedy: ""
      window: ""
      evidence: []
actions:
  description: One for each instance, in the order in which they are restarted.
  returned: always, except for usage errors
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

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.options import PROGRESS_OPTION
from ..module_utils.core.progress import progress_reporter
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.pm2.checks import CHECKS
from ..module_utils.pm2.process.definition import ENV_MODES
from ..module_utils.pm2.process.operation import preview, run
from ..module_utils.pm2.process.options import STATES, Options

ARGUMENT_SPEC = {
    **PROGRESS_OPTION,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": list(STATES), "required": True},
    "namespace": {"type": "str"},
    "instances": {"type": "str"},
    "script": {"type": "str"},
    "config": {"type": "path"},
    "config_env": {"type": "str"},
    "cwd": {"type": "path"},
    "args": {"type": "list", "elements": "str"},
    "interpreter": {"type": "str"},
    "interpreter_args": {"type": "list", "elements": "str"},
    "env": {"type": "dict", "default": {}, "no_log": True},
    "env_mode": {"type": "str", "choices": list(ENV_MODES), "default": "merge"},
    "exec_mode": {"type": "str", "choices": ["fork", "cluster"]},
    "max_memory_restart": {"type": "str"},
    "out_file": {"type": "path"},
    "error_file": {"type": "path"},
    "merge_logs": {"type": "bool"},
    "log_date_format": {"type": "str"},
    "wait_ready": {"type": "bool"},
    "listen_timeout": {"type": "float"},
    "kill_timeout": {"type": "float"},
    "max_restarts": {"type": "int"},
    "autorestart": {"type": "bool"},
    "save": {"type": "bool", "default": False},
    "url": {"type": "str"},
    "trial_env": {"type": "dict", "default": {}, "no_log": True},
    "trial_url": {"type": "str"},
    "pm2_home": {"type": "path"},
    "pm2_executable": {"type": "path"},
    "stable_for": {"type": "float", "default": 5.0},
    "timeout": {"type": "float", "default": 30.0},
    "requires": {"type": "list", "elements": "str", "default": []},
}


#: Length from which a value of ``env`` is masked wherever it appears.
_SECRET_LENGTH = 8


def show_short_values(module: AnsibleModule) -> None:
    """Keep Ansible from masking every ``1`` and ``web`` in the result, as values of ``env``.

    No result contains a value of ``env`` anyway; the longer ones stay masked everywhere.
    """
    module.no_log_values = {value for value in module.no_log_values if len(value) >= _SECRET_LENGTH}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    show_short_values(module)
    thresholds = Thresholds(CHECKS)
    try:
        options = Options.from_params(module.params)
        if module.check_mode:
            outcome = preview(options, thresholds)
        else:
            with progress_reporter(module.params["progress_file"]) as report:
                outcome = run(options, thresholds, report)
    except UsageError as error:
        module.fail_json(msg=str(error))
    for option in ("env", "trial_env"):
        module.params[option] = sorted(module.params[option])
    exit_operation(module, outcome, options.home)


if __name__ == "__main__":
    main()
