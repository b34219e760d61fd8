#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_recovery
short_description: Find out why PostgreSQL is down, and restart it if that is the cure
version_added: "0.1.0"
description:
  - Inspects a PostgreSQL that does not work, by what the connection says, its processes and
    C(postmaster.pid), its systemd unit, the end of its log, the disk of its data, and whether the
    kernel killed it.
  - A restart is the cure only for a server that is down for no reason that would stop it again. It
    is not for one that is starting or replays WAL, which would only begin anew, has no connection
    slots left, has a full disk or a read-only file system, an error in its configuration or damaged
    data, has lost its port to another process, refuses a login, or ends each time before it is
    ready. A server that was stopped with SIGSTOP must only be
    continued.
  - On Debian the unit is that of the cluster, such as C(postgresql@15-main.service), as
    C(postgresql.service) counts as active even if no cluster runs. It is found by its port, also if
    C(conf.d) or C(ALTER SYSTEM) sets that; of several with one port, it is the one that starts with
    the host.
  - Where Patroni, Stolon, pg_auto_failover or Pacemaker runs, it restarts nothing unless O(unit) or
    O(restart_command) is given, as a second server might take writes.
  - C(postgres.recovery) is the cause, with the evidence and what to do.
  - It restarts a systemd unit with M(ansible.builtin.systemd_service), or runs O(restart_command),
    and then waits until PostgreSQL works. Nothing else is changed.
options:
  data_directory:
    description:
      - The data directory. Found by the configuration of Debian's clusters, by the running server,
        or by the unit (C(PGDATA), C(-D)), unless it is given.
    type: path
extends_documentation_fragment:
  - gpt_agent.runbook.postgres
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
- name: Find out why PostgreSQL is down, and start it if that helps
  gpt_agent.runbook.pg_recovery:
  become: true
"""

RETURN = r"""
cure:
  description:
    - V(nothing) if it works, V(wait) if it is starting or recovering, V(restart) if it is down for
      no reason that would stop it again, and V(other) if something else must be done first.
  returned: always, except for usage errors
  type: str
  sample: restart
works:
  description: Whether it works, as a condition for the next step.
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
  sample: "PostgreSQL is down: it was stopped, it did not crash"
unit:
  description: The systemd unit; empty if there is none.
  returned: always, except for usage errors
  type: str
  sample: postgresql@15-main.service
checks:
  description: C(postgres.recovery).
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: postgres.recovery
      subject: ""
      status: critical
      value: null
      unit: ""
      warning: null
      critical: null
      direction: ""
      summary: "PostgreSQL is down: its disk was full; a restart does not cure that"
      remedy: Free space on the disk of its data first; then run this again, which starts it.
      window: ""
      evidence:
        - what: postgresql@15-main.service
          found: failed, last result exit-code
actions:
  description: C(postgres.restart), if it is called for.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: postgres.restart
      subject: "127.0.0.1:5432"
      status: done
      reason: "PostgreSQL is down: it was stopped, it did not crash"
      before: "PostgreSQL is down: it was stopped, it did not crash"
      after: PostgreSQL answers
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
from ..module_utils.postgres.checks import CHECKS
from ..module_utils.postgres.connection import POSTGRES_OPTIONS, PSYCOPG2_ERROR
from ..module_utils.postgres.recovery.operation import run
from ..module_utils.postgres.recovery.options import Options
from ..module_utils.postgres.url import read_target

ARGUMENT_SPEC = {**POSTGRES_OPTIONS, **RECOVERY_OPTIONS, "data_directory": {"type": "path"}}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, PSYCOPG2_ERROR, "psycopg2-binary", "python3-psycopg2")
    try:
        options = Options.from_params(module.params)
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        target = read_target(module)
        outcome = run(target, options, thresholds, module.check_mode)
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome, target.address)


if __name__ == "__main__":
    main()
