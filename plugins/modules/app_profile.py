#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: app_profile
short_description: Take a CPU profile or a heap snapshot of a running Node.js app under PM2
version_added: "0.1.0"
description:
  - Opens the inspector of one instance with SIGUSR1, takes a CPU profile, a heap snapshot or both,
    closes the inspector and proves that it is closed. Works with apps that were started without any
    option for it, also while they are in a busy loop. Does nothing unless O(cpu) or O(heap) is set.
  - The signal would end a process that does not handle it. So it is sent only if the process runs
    Node.js and has a handler for it. An app that installed a handler of its own gets the signal
    instead.
  - While the inspector is open, every user of the host can connect to it and control the app. It
    listens on the loopback address only, for as long as the profile takes.
  - A CPU profile slows the app down by a few percent. C(app.profile) names the functions that took
    most of the time, with file and line; C(app.heap) has the figures of the heap, the delay of the
    event loop and the open handles.
  - The app stands still during a heap snapshot, and needs up to twice its heap in memory. So it is
    refused unless another instance serves requests, and twice the heap is free in memory and on
    disk. It needs O(confirm).
options:
  app:
    description: Name of the app in PM2's list.
    type: str
    required: true
  instance:
    description: PM2's id of the instance. By default the one that uses most processor time.
    type: int
  cpu:
    description: Whether to take a CPU profile.
    type: bool
    default: false
  seconds:
    description: Seconds for which to profile; at most 300.
    type: float
    default: 10.0
  heap:
    description:
      - Whether to take a heap snapshot. It contains everything in the memory of the app, passwords
        and the data of its users too.
    type: bool
    default: false
  confirm:
    description:
      - The value of O(app), to take the heap snapshot. Without it, it is only planned; any other is
        an error.
    type: str
  dest:
    description:
      - Folder on the host for the profiles, created with mode 0700 if it is missing. The files have
        mode 0600. Nothing removes them.
      - The default is C(profiles) in PM2's folder.
    type: path
  thresholds:
    description:
      - Thresholds that differ from the documented ones, by name of the check.
    type: dict
    default: {}
  timeout:
    description: Seconds for everything but the profile itself, the heap snapshot included.
    type: float
    default: 120.0
extends_documentation_fragment:
  - gpt_agent.runbook.step
  - gpt_agent.runbook.pm2
  - gpt_agent.runbook.progress
attributes:
  check_mode:
    support: full
    description: Says which process would be profiled, or why not, and does not touch it.
  diff_mode:
    support: full
    description: Shows what would be taken.
  idempotent:
    support: none
    description: Each run takes another profile.
requirements:
  - PM2 5, 6 or 7
  - Node.js 18 or newer
notes:
  - Run it as the user who owns PM2 (O(ignore:become_user)) or as root.
  - Open a C(.cpuprofile) or a C(.heapsnapshot) in Chrome DevTools. The profile is that of the main
    thread; worker threads are not in it.
  - Node.js writes three lines about the debugger to its error output. They are not counted as
    errors by M(gpt_agent.runbook.pm2_health).
  - A run that is killed leaves the inspector open; the next run closes it.
  - A process that is stuck outside JavaScript, in a native add-on or a synchronous system call,
    does not answer. The run then fails and says so, and C(app.inspector) whether the inspector is
    still open.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: What does the busiest instance do?
  gpt_agent.runbook.app_profile:
    app: gpt-agent
    cpu: true
  become: true
  become_user: deploy

- name: What fills the heap?
  gpt_agent.runbook.app_profile:
    app: gpt-agent
    heap: true
    confirm: gpt-agent
"""

RETURN = r"""
taken:
  description:
    - Whether everything that was asked for was taken, as a condition for a restart. V(true) also if
      nothing was asked for, V(none) if it is only planned.
  returned: always, except for usage errors
  type: bool
  sample: true
checks:
  description: C(app.profile), C(app.heap) and C(app.inspector).
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: app.profile
      subject: gpt-agent id 0
      status: warning
      value: 100
      unit: percent
      summary: >-
        the main thread is busy for 100 % of the time, most of it in one function: rank
        (src/rank.js:12) with 97 %
actions:
  description:
    - C(app.profile) and C(app.heap_snapshot), with the path of the file in C(after), and
      C(app.inspector_close) for an inspector that an earlier run had left open.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: app.profile
      subject: gpt-agent id 0
      status: done
      reason: process 4711, for 10 s
      before: null
      after: /home/deploy/.pm2/profiles/gpt-agent-0-20261128T031500Z.cpuprofile
      seconds: 10.4
      bytes: 524288
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
from ..module_utils.pm2.profile.operation import run
from ..module_utils.pm2.profile.options import Options

ARGUMENT_SPEC = {
    **PROGRESS_OPTION,
    "app": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "instance": {"type": "int"},
    "cpu": {"type": "bool", "default": False},
    "seconds": {"type": "float", "default": 10.0},
    "heap": {"type": "bool", "default": False},
    "confirm": {"type": "str"},
    "dest": {"type": "path"},
    "pm2_home": {"type": "path"},
    "thresholds": {"type": "dict", "default": {}},
    "timeout": {"type": "float", "default": 120.0},
    "requires": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        options = Options.from_params(module.params)
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        with progress_reporter(module.params["progress_file"]) as report:
            outcome = run(options, thresholds, report, check_mode=module.check_mode)
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome, options.home)


if __name__ == "__main__":
    main()
