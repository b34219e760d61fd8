#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: log_rotation
short_description: Rotate logs with logrotate without losing a line, and archive what is old
version_added: "0.1.0"
description:
  - Writes one configuration for logrotate (daily, a new file instead of C(copytruncate),
    compressed, dated names that sort), after logrotate has accepted it, alone and with all others.
    From then on the host rotates these logs itself.
  - Logs of PM2 are copied, and what was copied is then taken off their head, where the file system
    can do that (ext4, XFS). PM2 does not open them again, as it would drop lines that it has not
    yet written. The log then begins with a line C(# The lines before this are in NAME).
  - Rotates what is due, or everything with O(force). Then it waits until no process writes to what
    is rotated, which the kernel is asked, and names the processes that still do.
  - Moves logs that were rotated O(keep) days ago to O(archive_dir), each copied, flushed, read
    again and compared before the source is removed. Nothing is archived that is still written to.
  - Leaves alone what others rotate. Other configurations of logrotate that name the same logs, and
    PM2's module pm2-logrotate, are reported. Where they rotate some logs of a pattern, the
    configuration names the others one by one, until the next run.
  - If the folder of one of O(paths) is missing, that is critical, and a configuration that rotates
    other logs stays as it is, as the path may be mistyped.
options:
  paths:
    description:
      - Absolute paths of the logs, or patterns for them such as V(/var/log/gpt-agent/*.log). A
        pattern must not match what is rotated already, so it ends as the logs end. C(*), C(?) and
        C([) have their meaning for the shell.
      - Links are left out, as logrotate does not rotate them.
      - If it is empty, nothing is done.
    type: list
    elements: str
    default: []
  keep:
    description:
      - Days for which rotated logs stay beside the log. Then they are archived, or removed by
        logrotate without O(archive_dir). With V(0) everything that is rotated is archived at once.
      - M(gpt_agent.runbook.pm2_health) and M(gpt_agent.runbook.app_diagnosis) read them.
    type: int
    default: 30
  archive_dir:
    description:
      - Folder for archives, which must be there; the archives are below it, in folders named as
        those of the logs. If several hosts share it, give each a folder of its own.
      - Beside each archive is a file that C(sha256sum --check) reads.
      - With it, logrotate keeps O(keep) and O(archive_keep) together, so that it removes nothing
        before it could be archived.
    type: path
  archive_keep:
    description:
      - Days for which archives are kept. Older ones are removed, if this module made them and no
        one has changed them.
    type: int
    default: 90
  keep_free:
    description:
      - Space that an archive must leave free on its disk, such as V(1G); also the copy of a log of
        PM2, which is as large as the log until that is shortened.
    type: str
    default: 1G
  force:
    description:
      - Whether to rotate all logs now that are not empty. Otherwise those that are due, at most
        once a day.
    type: bool
    default: false
  pm2_home:
    description:
      - PM2's folder. The logs that it writes are rotated without being opened again. Where that
        cannot be done, the daemon is told to open them again, as C(pm2 reloadLogs) does. It is
        searched for pm2-logrotate.
      - Without it, C(.pm2) in the home folder of O(pm2_user); without both, PM2 is told nothing.
    type: path
  pm2_reload:
    description:
      - Whether PM2 always opens its logs again. PM2 itself then drops what it has not yet written,
        which an app that logs without a pause can notice. No line is added to its logs.
    type: bool
    default: false
  pm2_user:
    description: User who runs PM2. A host without that user has no such PM2.
    type: str
  nginx_pid_file:
    description: File with the process number of an nginx that is told to open its logs again.
    type: path
  reopen_command:
    description:
      - A shell command that makes other writers open their logs again, such as
        V(systemctl kill --signal=HUP worker.service). logrotate runs it after each rotation, as
        root. Everyone on the host can read it, so it must not contain a secret.
    type: str
  config_file:
    description:
      - The configuration that is written. One that someone else wrote is never overwritten.
    type: path
    default: /etc/logrotate.d/gpt-agent-runbook
  main_config:
    description: The configuration that logrotate is started with every day.
    type: path
    default: /etc/logrotate.conf
  state_file:
    description:
      - Where logrotate keeps when it rotated each log. Must be the one that its daily run uses;
        by default logrotate's own.
    type: path
  program:
    description: The program logrotate, if it is not in a usual folder.
    type: path
  wait:
    description:
      - Seconds to wait for the writers to release a rotated log, and for another logrotate to end.
    type: float
    default: 30.0
  time_limit:
    description: Seconds for everything.
    type: float
    default: 3600.0
  thresholds:
    description:
      - Thresholds that differ from the documented ones, by name of the check.
    type: dict
    default: {}
extends_documentation_fragment:
  - gpt_agent.runbook.step
  - gpt_agent.runbook.progress
attributes:
  check_mode:
    support: full
    description:
      - Shows the configuration, what would be rotated, archived and removed. logrotate judges the
        new configuration in a temporary file.
  diff_mode:
    support: full
    description: Shows the configuration before and afterwards, and by themselves the actions.
  idempotent:
    support: partial
    details: With O(force), each run rotates again what has been written since.
    description: Nothing is changed if nothing is due.
requirements:
  - logrotate 3.18 or newer, and gzip
notes:
  - Run it as root, or as the user who owns the logs and their folder, with a O(config_file),
    O(main_config) and O(state_file) of its own.
  - A run that is killed loses no line. Afterwards the same lines may be in two files, of which the
    next run removes one after it has compared them.
  - PM2 itself drops what an app has written and PM2 has not yet passed on to the disk when it opens
    logs again, also with C(pm2 reloadLogs). So it is not told to, except with O(pm2_reload), on a
    file system that cannot take lines off the head of a file, while there is no space for a copy,
    or if something else writes to the logs that does not append. nginx loses no line.
  - A log of PM2 with less than a block, which is mostly 4 KiB, stays as it is.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Rotate the logs of the app daily, and archive what is older than 30 days
  gpt_agent.runbook.log_rotation:
    paths: [/var/log/gpt-agent/*.log]
    pm2_user: deploy
    archive_dir: /backups/logs
  become: true

- name: Rotate the logs of nginx now
  gpt_agent.runbook.log_rotation:
    paths: [/srv/www/log/*.log]
    nginx_pid_file: /run/nginx.pid
    force: true
  become: true
"""

RETURN = r"""
rotated:
  description: The files that were split off logs in this run.
  returned: always, except for usage errors
  type: list
  elements: str
  sample: [/var/log/gpt-agent/out.log-20261128-1795824000]
archived:
  description: Number of rotated logs that were moved to the archive.
  returned: always, except for usage errors
  type: int
  sample: 2
complete:
  description: Whether everything that was to be done was done, as a condition for later steps.
  returned: always, except for usage errors
  type: bool
  sample: true
checks:
  description:
    - C(logs.configuration), C(logs.schedule), C(logs.released), C(logs.archive), C(logs.size),
      C(logs.deleted_open), and C(logs.pm2_logrotate) if PM2 writes logs.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: logs.released
      subject: ""
      status: ok
      value: 0
      unit: count
      warning: null
      critical: null
      direction: ""
      summary: No process writes to a rotated log
      remedy: ""
      window: ""
      evidence: []
actions:
  description:
    - C(logs.configure), C(logs.rotate) and C(logs.archive) for each log, C(logs.remove) for each
      archive that is too old; C(logs.reopen) and C(logs.tidy) after a run that was killed.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: logs.archive
      subject: /var/log/gpt-agent/out.log-20261028-1793145600.gz
      status: done
      reason: to /backups/logs/var/log/gpt-agent/out.log-20261028-1793145600.gz
      before: null
      after: null
      seconds: 0.3
      bytes: 48211345
      estimate: null
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.options import PROGRESS_OPTION
from ..module_utils.core.progress import progress_reporter
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.rotation.checks import CHECKS
from ..module_utils.rotation.operation import run
from ..module_utils.rotation.options import CONFIG_FILE, MAIN_CONFIG, Options

ARGUMENT_SPEC = {
    **PROGRESS_OPTION,
    "paths": {"type": "list", "elements": "str", "default": []},
    "keep": {"type": "int", "default": 30},
    "archive_dir": {"type": "path"},
    "archive_keep": {"type": "int", "default": 90},
    "keep_free": {"type": "str", "default": "1G"},
    "force": {"type": "bool", "default": False},
    "pm2_home": {"type": "path"},
    "pm2_reload": {"type": "bool", "default": False},
    "pm2_user": {"type": "str"},
    "nginx_pid_file": {"type": "path"},
    "reopen_command": {"type": "str"},
    "config_file": {"type": "path", "default": CONFIG_FILE},
    "main_config": {"type": "path", "default": MAIN_CONFIG},
    "state_file": {"type": "path"},
    "program": {"type": "path"},
    "wait": {"type": "float", "default": 30.0},
    "time_limit": {"type": "float", "default": 3600.0},
    "thresholds": {"type": "dict", "default": {}},
    "requires": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        options = Options.from_params(module.params)
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        with progress_reporter(module.params["progress_file"]) as report:
            outcome = run(options, thresholds, module.check_mode, report)
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome)


if __name__ == "__main__":
    main()
