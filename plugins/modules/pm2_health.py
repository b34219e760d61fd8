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
  - Asks PM2's daemon for its processes, reads the end of their logs, and returns a verdict on each
    app.
  - Connects to the socket of the running daemon. It never starts a daemon, as the C(pm2) command
    does, and needs no Node.js.
  - PM2 also sends the environment of the processes, with every secret in it. That is never kept,
    returned or logged.
  - C(app.process) says whether all expected instances are online and stay online. An instance is
    online if PM2 says so and the kernel has a process of the daemon with its number that is neither
    a zombie nor suspended. An instance that is errored, stopped or waiting to be restarted is
    critical, and so is one in a crash loop. An app that may be in a crash loop is watched for up to
    three seconds. An instance also counts as in a crash loop if PM2 restarted it less than a minute
    ago because it had exited, and at least three times with less than a minute between restarts. A
    single such restart in the last minute is a warning, and so are three crashes within an hour in
    PM2's own log.
  - A command that ended with exit code 0 under C(autorestart=false), or with one of
    C(stop_exit_codes), is C(ok), unless PM2 was told to stop it. In cluster mode PM2 does not know
    the exit code.
  - C(app.restarts) counts the restarts since the last run. PM2's count does not distinguish
    crashes from restarts by hand, by deployments or at the memory limit, so the default
    thresholds leave room for a day's deployments. Without an earlier run, PM2's own log says how
    often an app ended by itself within a day.
  - C(app.memory) compares the memory of the instance that is closest to its C(max_memory_restart)
    with that limit. Without a limit it is not judged, and the summary gives the memory used.
  - C(app.logs) says whether what the app writes arrives in its logs, or is lost as a log was
    deleted or renamed while PM2 writes to it, cannot be opened, or lies on a file system that is
    full or read-only.
  - C(app.errors) counts the messages in the error logs, and those in the output that are marked as
    errors, by their fingerprint, which leaves out numbers, ids and quoted words. Lines of a stack
    trace belong to the message before them, and so do lines to which PM2 gave the time of the line
    before. Messages without a time are not judged, unless the log was last written before the
    window.
extends_documentation_fragment:
  - gpt_agent.runbook.probe
  - gpt_agent.runbook.state
options:
  app:
    description:
      - Names of the apps that must be running.
      - By default, every app in PM2's list is checked, and there must be at least one. PM2's own
        modules do not count.
    type: list
    elements: str
    default: []
  namespace:
    description: Check only the apps in this PM2 namespace.
    type: str
  pm2_home:
    description:
      - PM2's folder, with the socket C(rpc.sock) of its daemon. Each folder has a daemon of its
        own.
      - Defaults to E(PM2_HOME), or to C(.pm2) in the home folder of the user who runs the module.
    type: path
  instances:
    description:
      - Number of instances of each app that must be online.
      - By default, as many as PM2 has in its list.
    type: int
  window:
    description: Hours of logs to read.
    type: float
    default: 24.0
  error_logs:
    description:
      - Logs to read instead of those that PM2 writes for the app, such as those of its own logger.
    type: list
    elements: path
    default: []
requirements:
  - PM2 5, 6 or 7
notes:
  - Run it as the user who owns PM2 (O(ignore:become_user)) or as root. Any other user lacks
    permission to connect to the daemon's socket, which gives C(unknown).
  - Timestamps in logs are understood as PM2 writes them (C(time), C(log_date_format),
    C(log_type)), as ISO 8601 at the start of a line, in JSON lines as pino, bunyan and winston
    write them, and as NestJS, log4js, morgan and logfmt do. Lines marked as C(info) or lower are
    not counted; warnings are counted in the error log only.
  - Times without a zone are in the zone of the process that wrote them, E(TZ) in its environment.
    If the newest time differs from that of the last write as two zones do, they are in that zone.
  - At most 16 MiB of error logs and 8 MiB of output are read for each app, the latest lines first,
    including logs that were rotated within the window under names of logrotate or pm2-logrotate,
    uncompressed or compressed by gzip, bzip2 or xz. If more output was written, as many errors are
    assumed in the rest.
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

- name: Check every app of a PM2 in another folder, with separate thresholds for one of them
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
  description: One check for each thing that was checked.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
      sample: app.process
    subject:
      description: Name of the app, preceded by its namespace if that is not the default one.
      type: str
      sample: gpt-agent
    status:
      description: V(ok), V(unknown), V(warning) or V(critical).
      type: str
      sample: critical
    summary:
      description: One line that says what was found.
      type: str
      sample: >-
        1 of 2 instances of gpt-agent online: id 1 is errored, PM2 gave up restarting it (exit
        code 1)
    value:
      description: The measured value in the base unit.
      type: float
      sample: 1
    unit:
      description: V(count), V(percent) or V(bytes).
      type: str
      sample: count
    warning:
      description: The threshold beyond which the check is a warning.
      type: float
      sample: null
    critical:
      description: The threshold beyond which the check is critical.
      type: float
      sample: null
    direction:
      description:
        - On which side of its thresholds the value is bad, V(above) or V(below).
        - Empty if the check has no thresholds.
      type: str
      sample: ""
    not_judged:
      description: >-
        Why an V(ok) is no verdict: too little to judge by yet, or nothing to compare with; else
        empty.
      type: str
    remedy:
      description: What to do about it; empty if the check is ok.
      type: str
      sample: >-
        Read the app's error log, then 'pm2 restart gpt-agent'; if it fails again, roll back the
        last deployment.
    window:
      description: The time span covered; empty if the figure covers none.
      type: str
      sample: ""
    evidence:
      description: The instances, or the messages with their count, first and last time.
      type: list
      elements: dict
      sample:
        - id: 1
          process: null
          status: errored
          for: ""
          restarts: 15
          exit_code: 1
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.options import PROBE_OPTIONS, STATE_OPTION
from ..module_utils.core.probe import read_options, run_probe
from ..module_utils.core.state import StateFile, store_sample
from ..module_utils.pm2.checks import CHECKS
from ..module_utils.pm2.options import Options
from ..module_utils.pm2.probe import Probe

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
    folder = module.params["state_dir"]
    options = read_options(module, Options.from_params)
    probe = Probe(
        options,
        state_file=lambda app: StateFile(folder, "pm2", f"{options.home} {app.label}"),
        store=lambda state, sample: store_sample(module, state, sample),
    )
    run_probe(
        module, CHECKS, probe.run, probe.no_answer, results=lambda checks: {"target": options.home}
    )


if __name__ == "__main__":
    main()
