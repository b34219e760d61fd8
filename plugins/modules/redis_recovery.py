#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_recovery
short_description: Find out why Redis is down, and restart it if that is the cure
version_added: "0.1.0"
description:
  - Inspects a Redis or Valkey that does not work, by what the connection says, its processes, its
    systemd unit, the end of its log, the disk of its data, and whether the kernel killed it.
  - A restart is the cure only for a server that is down, or hangs, for no reason that would stop it
    again. It is not for one that is loading its data, has a full disk or a read-only file system,
    an error in its configuration, ACL or TLS files, has lost its port to another process, cannot
    read its data file, is out of clients, refuses a login, or ends each time before it is ready. A
    server that was stopped with SIGSTOP must only be
    continued.
  - Of several servers on one host, the port or the socket says which one is meant. The process of
    another is never taken for it; one with the same port at another address is named, and nothing
    is restarted.
  - The disk of its data counts as full if it has less room than the files that are there, at least
    1 MiB and at most 16 MiB, as a snapshot is written beside the last one; not if neither snapshots
    nor the append-only file are on.
  - C(redis.recovery) is the cause, with the evidence and what to do. It is unknown for a server
    that answers, and refuses to tell its state.
  - It restarts a systemd unit with M(ansible.builtin.systemd_service), or runs O(restart_command),
    and then waits until Redis works. Nothing else is changed.
options:
  config_file:
    description:
      - The configuration file, for the paths of log and data. Found by the unit, or at its usual
        place, unless it is given.
    type: path
extends_documentation_fragment:
  - gpt_agent.runbook.redis
  - gpt_agent.runbook.recovery
notes:
  - Run it on the server's own host. From elsewhere it can only tell what the connection shows, and
    restarts nothing.
  - Processes, logs and the kernel's messages are seen as far as the user may see them; root sees
    all of it. To restart a unit it must be root.
  - Lines of the log are shown with passwords masked.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Find out why Redis is down, and start it if that helps
  gpt_agent.runbook.redis_recovery:
  become: true

- name: The same for one in a container
  gpt_agent.runbook.redis_recovery:
    restart_command: [docker, restart, cache]
"""

RETURN = r"""
cure:
  description:
    - V(nothing) if it works, or answers and does not tell more, V(wait) if it is starting or
      recovering, V(restart) if it is down for no reason that would stop it again, and V(other) if
      something else must be done first.
  returned: always, except for usage errors
  type: str
  sample: restart
works:
  description: Whether it certainly works, as a condition for the next step.
  returned: always, except for usage errors
  type: bool
  sample: true
restart:
  description: Whether a restart is called for, and there is a way to do it.
  returned: always, except for usage errors
  type: bool
  sample: false
cause:
  description: The cause in one sentence.
  returned: always, except for usage errors
  type: str
  sample: "Redis is down: it was stopped, it did not crash"
unit:
  description: The systemd unit; empty if there is none.
  returned: always, except for usage errors
  type: str
  sample: redis-server.service
checks:
  description: C(redis.recovery).
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: redis.recovery
      subject: ""
      status: critical
      value: null
      unit: ""
      warning: null
      critical: null
      direction: ""
      summary: "Redis is down: its disk was full; a restart does not cure that"
      remedy: Free space on the disk of its data first; then run this again, which starts it.
      window: ""
      evidence:
        - what: redis-server.service
          found: failed, last result exit-code
actions:
  description: C(redis.restart), if it is called for.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: redis.restart
      subject: "127.0.0.1:6379"
      status: done
      reason: "Redis is down: it was stopped, it did not crash"
      before: "Redis is down: it was stopped, it did not crash"
      after: Redis answers
      seconds: 0.2
      bytes: null
      estimate: null
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.probe import require
from ..module_utils.core.recovery import RECOVERY_OPTIONS
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.redis.checks import CHECKS
from ..module_utils.redis.connection import IMPORT_ERROR, REDIS_OPTIONS
from ..module_utils.redis.recovery.operation import run
from ..module_utils.redis.recovery.options import Options

ARGUMENT_SPEC = {**REDIS_OPTIONS, **RECOVERY_OPTIONS, "config_file": {"type": "path"}}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, IMPORT_ERROR, "redis", "python3-redis")
    try:
        options = Options.from_params(module.params)
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, run(options, thresholds, module.check_mode), options.endpoint.address)


if __name__ == "__main__":
    main()
