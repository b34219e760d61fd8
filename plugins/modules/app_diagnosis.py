#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: app_diagnosis
short_description: Find out why an app under PM2 uses much processor time, memory or connections
version_added: "0.1.0"
description:
  - Watches the processes of an app for some seconds, from outside, and says which cause the figures
    speak for. It touches no process. Run it before a restart, which destroys the evidence.
  - C(app.cpu) is the processor time of the busiest instance, with its share in the kernel and its
    busiest thread. It says whether one instance is busy or all of them are, and whether the time
    goes to JavaScript, to V8's other threads or to system calls.
  - C(app.event_loop) is critical if the main thread of an instance computed for the whole window
    and read nothing from any connection, which is a busy loop. An app under load reads all the
    time, however busy it is. Otherwise it is the delay of the event loop, if the app reports it to
    PM2, as apps do unless C(pmx) is switched off. An instance that read nothing and reported
    nothing in 5 seconds or more may be stuck in a system call or a native add-on, so it is
    V(unknown).
  - C(app.memory_growth) is the time until the instance that grows fastest reaches its limit,
    C(max_memory_restart) or that of its cgroup. Only steady growth counts; a heap that warms up
    slows down. It says whether the JavaScript heap grows or memory outside it.
  - C(app.open_files) compares open files and sockets with their limit, and counts connections by
    peer.
  - C(app.database) is the longest time for which a connection waited for the database's answer, as
    the kernel knows it.
  - C(app.pool) counts messages about an empty connection pool in the logs. It says whether
    that is a leaking pool, whose connections are open and silent, or one that waits for slow
    statements.
  - C(app.log_signs) counts messages about the heap, endless recursion and leaks in the logs, and
    restarts at the memory limit in PM2's own log.
extends_documentation_fragment:
  - gpt_agent.runbook.pm2
  - gpt_agent.runbook.probe
options:
  app:
    description: Names of the apps to watch. By default, every app in PM2's list.
    type: list
    elements: str
    default: []
  namespace:
    description: Watch only the apps in this PM2 namespace.
    type: str
  window:
    description: Seconds to watch the app, from 3 to 600. A longer window shows slower leaks.
    type: float
    default: 15.0
  timeout:
    description:
      - Maximum seconds for everything but the O(window). It then returns the checks it has made so
        far.
  log_hours:
    description: Hours of logs to search.
    type: float
    default: 24.0
  database_ports:
    description:
      - Ports of the databases that the app connects to, in addition to that in its
        E(DATABASE_URL). If it has none, 5432 and 6432 count.
    type: list
    elements: int
    default: []
requirements:
  - PM2 5, 6 or 7
notes:
  - Run it as the user who owns PM2 (O(ignore:become_user)) or as root.
  - Of the app's environment, only the port in E(DATABASE_URL) is read.
  - At most the last 4 MiB of each log are searched.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Why is the app slow?
  gpt_agent.runbook.app_diagnosis:
    app: gpt-agent
  become: true
  become_user: deploy

- name: Watch for a slow leak
  gpt_agent.runbook.app_diagnosis:
    app: gpt-agent
    window: 300
"""

RETURN = r"""
collected:
  description:
    - Whether the app was watched, so that its evidence is in the checks, as a condition for a
      restart (O(gpt_agent.runbook.pm2_process#module:requires)).
  returned: success
  type: bool
  sample: true
checks:
  description: One check for each thing that was checked.
  returned: success
  type: list
  elements: dict
  sample:
    - name: app.event_loop
      subject: gpt-agent
      status: critical
      value: null
      unit: seconds
      warning: null
      critical: null
      direction: ""
      summary: >-
        id 0 (1 of 2 instances) answered nothing for 15 s: the main thread computes all the time and
        reads nothing
      remedy: >-
        Take a CPU profile before the restart (-e app_profile_cpu=true), which names the function.
      window: 15 s
      evidence:
        - id: 0
          turns: "no"
          main_thread_cpu: 100 %
          reads: 0
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.options import PROBE_OPTIONS
from ..module_utils.core.probe import read_options, run_probe
from ..module_utils.pm2.checks import CHECKS
from ..module_utils.pm2.diagnosis.assess import is_collected
from ..module_utils.pm2.diagnosis.options import Options
from ..module_utils.pm2.diagnosis.probe import Probe

ARGUMENT_SPEC = {
    **PROBE_OPTIONS,
    "app": {"type": "list", "elements": "str", "default": []},
    "namespace": {"type": "str"},
    "pm2_home": {"type": "path"},
    "window": {"type": "float", "default": 15.0},
    "log_hours": {"type": "float", "default": 24.0},
    "database_ports": {"type": "list", "elements": "int", "default": []},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    options = read_options(module, Options.from_params)
    probe = Probe(options)
    module.params["timeout"] += options.window
    run_probe(
        module,
        CHECKS,
        probe.run,
        probe.no_answer,
        results=lambda checks: {"target": options.home, "collected": is_collected(checks)},
    )


if __name__ == "__main__":
    main()
