#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pm2_health
short_description: Check the apps that run under PM2
version_added: "0.1.0"
description:
  - Asks PM2's daemon for its processes, reads the end of their error logs, and returns a verdict on each app.
  - It talks to the socket of a daemon that runs. It never starts a daemon, as the C(pm2) command does, and needs no Node.js.
  - The environment of the processes, which PM2 sends along with every secret in it, is never kept, returned or logged.
  - C(app.process) says whether all wanted instances are online and stay so. An instance that is errored, stopped or waits to
    be restarted is critical, and so is one in a crash loop. An app that may be in one is watched for up to three seconds; it
    also is in one when PM2 restarted it less than a minute ago because it had exited, and at least three times with less than
    a minute between the restarts. A single such restart in the last minute is a warning.
  - C(app.restarts) counts the restarts since the last run. PM2 does not tell restarts by hand, by deployments or at the memory
    limit from crashes in that count, so its default limits leave room for a day's deployments.
  - C(app.memory) compares the memory of the fullest instance with its C(max_memory_restart). Without such a limit it is
    C(unknown), and the memory is in the summary.
  - C(app.errors) counts the messages in the error logs by their shape, numbers, ids and quoted words left out. Lines of a stack
    trace belong to the message before. It is C(unknown) where messages carry no time, unless the log is empty or was last
    written before the window.
extends_documentation_fragment:
  - gpt_agent.runbook.probe
  - gpt_agent.runbook.state
options:
  app:
    description:
      - Names of the apps that must run.
      - Default is every app in PM2's list, and then at least one has to be there. PM2's own modules do not count.
    type: list
    elements: str
    default: []
  namespace:
    description: Look only at apps in this PM2 namespace.
    type: str
  pm2_home:
    description:
      - PM2's folder, with the socket C(rpc.sock) of its daemon. There is one daemon for each folder.
      - Defaults to E(PM2_HOME), else to C(.pm2) in the home folder of the user the module runs as.
    type: path
  instances:
    description:
      - How many instances of each app have to be online.
      - Default is as many as PM2 has in its list.
    type: int
  window:
    description: How many hours of the error logs are looked at.
    type: float
    default: 24.0
  error_logs:
    description: Logs to read in place of those that PM2 writes for the app, such as the ones of its own logger.
    type: list
    elements: path
    default: []
requirements:
  - PM2 5, 6 or 7
notes:
  - Run it as the user who owns PM2 (O(ignore:become_user)) or as root. Any other user may not connect to the daemon's socket,
    which gives C(unknown).
  - Understood in logs are the times that PM2 writes (C(time), C(log_date_format), C(log_type)), ISO 8601 times at the start of a
    line, and JSON lines as pino, bunyan and winston write them. Lines that call themselves C(info) or less are not counted.
  - At most 16 MiB of error logs are read for an app, the latest lines first, and logs that were rotated away within the window as well.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Check the app
  gpt_agent.runbook.pm2_health:
    app: gpt-agent
    instances: 2
  become: true
  become_user: deploy

- name: Check every app of a PM2 that lives elsewhere, with limits of its own for one of them
  gpt_agent.runbook.pm2_health:
    pm2_home: /srv/pm2
    window: 12
    thresholds:
      app.errors worker:
        warning: 100
        critical: 1000
"""

RETURN = r"""
checks:
  description: One check for each thing that was looked at.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
      sample: app.process
    subject:
      description: Name of the app, with its namespace before it where that is not the default one.
      type: str
      sample: gpt-agent
    status:
      description: V(ok), V(unknown), V(warning) or V(critical).
      type: str
      sample: critical
    summary:
      description: One line that says what was found.
      type: str
      sample: "1 of 2 instances of gpt-agent online: id 1 is errored, PM2 gave up restarting it (exit code 1)"
    value:
      description: The measured value in the base unit.
      type: float
      sample: 1
    unit:
      description: V(count) or V(percent).
      type: str
      sample: count
    warning:
      description: The limit beyond which the check is a warning.
      type: float
      sample: null
    critical:
      description: The limit beyond which the check is critical.
      type: float
      sample: null
    remedy:
      description: What to do about it, empty when the check is ok.
      type: str
      sample: "Read the app's error log, then 'pm2 restart gpt-agent'; if it fails again, roll back the last deployment."
    window:
      description: What the figure covers, where it covers a span of time.
      type: str
      sample: ""
    evidence:
      description: The instances, or the kinds of messages with count, first and last time.
      type: list
      elements: dict
      sample: [{"id": 1, "process": null, "status": "errored", "for": "", "restarts": 15, "exit_code": 1}]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.core.options import PROBE_OPTIONS, STATE_OPTION
from ..module_utils.core.probe import run_probe
from ..module_utils.core.state import StateFile, store_sample
from ..module_utils.pm2.checks import CHECKS
from ..module_utils.pm2.client import default_home
from ..module_utils.pm2.collect import Options, Probe

ARGUMENT_SPEC = {
    **PROBE_OPTIONS,
    **STATE_OPTION,
    "app": {"type": "list", "elements": "str", "default": []},
    "namespace": {"type": "str"},
    "pm2_home": {"type": "path"},
    "instances": {"type": "int"},
    "window": {"type": "float", "default": 24.0},
    "error_logs": {"type": "list", "elements": "path", "default": []},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    given = module.params
    options = Options(
        home=given["pm2_home"] or default_home(),
        names=tuple(dict.fromkeys(given["app"])),
        namespace=given["namespace"],
        instances=given["instances"],
        hours=given["window"],
        error_logs=tuple(given["error_logs"]),
        timeout=given["timeout"],
    )
    probe = Probe(
        options,
        state=lambda label: StateFile(given["state_dir"], "pm2", f"{options.home} {label}"),
        keep=lambda state, sample: store_sample(module, state, sample),
    )
    run_probe(module, CHECKS, probe, probe.silent)


if __name__ == "__main__":
    main()
