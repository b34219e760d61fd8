#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_sessions
short_description: Show who holds PostgreSQL's connection slots, and end sessions that are idle
version_added: "0.1.0"
description:
  - Shows the sessions of a PostgreSQL server by app, user, database, address, state and age, and
    how many slots are in use, of those that ordinary users can take. These are C(max_connections)
    less C(superuser_reserved_connections) and C(reserved_connections).
  - With O(state=relieved) it ends sessions that have been idle for too long, the longest idle
    first, and only as many as needed to come down to O(usage). A role or database with a connection
    limit of its own is relieved by the same rule.
  - Never ended are sessions of superusers and replication roles, background processes, connection
    poolers, sessions whose last statement was a C(LISTEN), that hold an advisory lock, or that have
    just prepared a transaction, this collection's own, and those that an option protects.
  - The statement that ends a session checks its state once more, so a session that has been used
    since the plan was made survives.
  - Afterwards it waits briefly, and reports how many slots are in use now and whether the app has
    reconnected.
  - C(postgres.connections) is the usage, after the relief if there was one. C(postgres.relief) says
    whether a relief was needed and how it went; it stays a warning after one, with the permanent
    fix as its remedy.
notes:
  - To see all sessions the role needs C(pg_monitor), to end those of other roles
    C(pg_signal_backend). If a needed permission is missing, the task fails with the GRANT.
  - If all ordinary slots are taken, only a superuser can connect, or from PostgreSQL 16 on a role
    with C(pg_use_reserved_connections) if C(reserved_connections) is above 0.
  - The node-postgres pool raises an C(error) event for each idle connection that is ended. An app
    without a handler for it exits.
  - PgBouncer passes on the application_name of its clients. Name its host in O(protect_addresses)
    to keep its sessions.
  - Whether a session listens or has prepared a transaction can only be seen while that is its last
    statement. Protect such apps by name.
  - Two runs never end sessions of one server at the same time. The second one fails and says who
    holds the lock.
  - Can be used on a standby. Tested with PostgreSQL 14 to 18.
options:
  state:
    description:
      - V(listed) only counts.
      - V(relieved) ends sessions if O(confirm) names the database. In check mode it shows the
        sessions that it would end.
    type: str
    choices: [listed, relieved]
    default: listed
  confirm:
    description:
      - Name of the database that O(database_url) leads to. Without it nothing is ended. A wrong
        name is refused in check mode, too.
      - It confirms the server; sessions of all its databases count.
    type: str
    default: ""
  usage:
    description:
      - Percent of the usable slots that may stay in use.
      - The default leaves room below the warning of C(postgres.connections) at 80 percent.
    type: float
    default: 70.0
  idle_age:
    description:
      - Seconds in state C(idle) from which a session may be ended; the default is the runbook's.
        V(0) for never.
    type: float
    default: 300.0
  idle_in_transaction_age:
    description:
      - Seconds in state C(idle in transaction), aborted transactions included, from which a session
        may be ended. V(0) for never.
      - The default is the critical threshold of C(postgres.idle_in_transaction).
    type: float
    default: 300.0
  keep_per_application:
    description:
      - Number of sessions that each app keeps, active ones included; the default is the runbook's
        C(DATABASE_POOL_MIN).
      - Sessions with one C(application_name), or of one user if it is not set, are one app.
    type: int
    default: 2
  max_ended:
    description:
      - Maximum number of sessions that one run ends. The default is half of PostgreSQL's default of
        C(max_connections).
    type: int
    default: 50
  poolers:
    description:
      - Shell patterns of the C(application_name) of connection poolers, whose sessions are never
        ended. Case does not matter.
    type: list
    elements: str
    default: ["pgbouncer*", "pgcat*", "odyssey*", "pgpool*", "supavisor*"]
  protect_applications:
    description:
      - Shell patterns of further values of C(application_name) whose sessions are never ended. Case
        does not matter.
    type: list
    elements: str
    default: [pg_dump, pg_restore]
  protect_users:
    description:
      - Users whose sessions are never ended.
    type: list
    elements: str
    default: []
  protect_databases:
    description:
      - Databases whose sessions are never ended.
    type: list
    elements: str
    default: []
  protect_addresses:
    description:
      - Client addresses and networks whose sessions are never ended; V(local) is the local socket.
    type: list
    elements: str
    default: []
  instances:
    description:
      - Number of processes of the app that holds most idle sessions, if each has a pool, for the
        pool size in the remedy. V(0) if unknown.
    type: int
    default: 0
  wait:
    description:
      - Seconds to wait before checking that the sessions are gone and whether the app has
        reconnected; at most 60.
    type: float
    default: 3.0
  thresholds:
    description:
      - Thresholds that differ from the runbook's, by name of the check, as
        M(gpt_agent.runbook.pg_health) takes them.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds to wait for the server to answer everything, O(wait) not included.
    type: float
    default: 10.0
extends_documentation_fragment:
  - gpt_agent.runbook.postgres
attributes:
  check_mode:
    support: full
    description: Shows the sessions that it would end, and ends none.
  diff_mode:
    support: full
    description: The sessions of the plan before, and those of them that are left.
  idempotent:
    support: full
    description: Ends nothing if no more slots than the target are in use.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Show who holds the slots
  gpt_agent.runbook.pg_sessions:
    database_url: postgresql:///gpt_agent?host=/var/run/postgresql
  become: true
  become_user: postgres

- name: End sessions idle for ten minutes until no more than 60 percent of the slots are in use
  gpt_agent.runbook.pg_sessions:
    database_url: "{{ vault_database_url }}"
    state: relieved
    confirm: gpt_agent
    usage: 60
    idle_age: 600
    protect_applications: [pg_dump, "nightly-*"]
    protect_addresses: [10.0.3.0/24]
  delegate_to: localhost
"""

RETURN = r"""
checks:
  description:
    - With O(state=relieved) C(postgres.connections) and C(postgres.relief), with O(state=listed)
      C(postgres.reachable) and C(postgres.connections).
    - Only C(postgres.reachable) if the server cannot be reached.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: postgres.relief
      subject: ""
      status: warning
      value: null
      unit: ""
      warning: null
      critical: null
      summary: >-
        30 of 30 sessions ended: 97 → 67 of 97 usable connections in use, target: at most 67
      remedy: >-
        Permanent fix for app 'worker': ALTER ROLE worker SET idle_session_timeout = '5min'; …
      window: ""
      evidence:
        - sessions_of: app 'worker'
          stay: holding an advisory lock
          count: 1
confirmed:
  description:
    - Whether O(confirm) names the database that O(database_url) leads to. C(null) if O(confirm) is
      empty in check mode, so that a step that requires it shows its plan, but does nothing.
    - If the server cannot be reached, the name in O(database_url) decides. So whatever is meant for
      the same system, such as a restart of its app when every slot is taken, can depend on it.
  returned: with O(state=relieved)
  type: bool
  sample: true
actions:
  description: One for each session of the plan, the longest idle first.
  returned: always, except for usage errors; empty with O(state=listed)
  type: list
  elements: dict
  sample:
    - name: postgres.end_session
      subject: pid 4711
      status: done
      reason: app 'worker', user 'worker', database 'gpt_agent' from 10.0.1.7, idle for 12 minutes
      before: idle
      after: ended
      seconds: 0.001
      bytes: null
      estimate: null
"""

from contextlib import closing
from typing import NoReturn

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.options import PROBE_OPTIONS
from ..module_utils.core.probe import require
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.postgres.checks import CHECKS
from ..module_utils.postgres.connection import (
    POSTGRES_OPTIONS,
    PSYCOPG2_ERROR,
    Connection,
)
from ..module_utils.postgres.sessions.operation import list_sessions, relieve
from ..module_utils.postgres.sessions.options import Options
from ..module_utils.postgres.url import read_target

ARGUMENT_SPEC = {
    **POSTGRES_OPTIONS,
    **PROBE_OPTIONS,
    "state": {"type": "str", "choices": ["listed", "relieved"], "default": "listed"},
    "confirm": {"type": "str", "default": ""},
    "usage": {"type": "float", "default": 70.0},
    "idle_age": {"type": "float", "default": 300.0},
    "idle_in_transaction_age": {"type": "float", "default": 300.0},
    "keep_per_application": {"type": "int", "default": 2},
    "max_ended": {"type": "int", "default": 50},
    "poolers": {
        "type": "list",
        "elements": "str",
        "default": ["pgbouncer*", "pgcat*", "odyssey*", "pgpool*", "supavisor*"],
    },
    "protect_applications": {
        "type": "list",
        "elements": "str",
        "default": ["pg_dump", "pg_restore"],
    },
    "protect_users": {"type": "list", "elements": "str", "default": []},
    "protect_databases": {"type": "list", "elements": "str", "default": []},
    "protect_addresses": {"type": "list", "elements": "str", "default": []},
    "instances": {"type": "int", "default": 0},
    "wait": {"type": "float", "default": 3.0},
}


def run(module: AnsibleModule) -> NoReturn:
    """List or relieve, and exit the module; raises `UsageError`."""
    options = Options.from_params(module.params)
    thresholds = Thresholds(CHECKS, module.params["thresholds"])
    target = read_target(module)
    deadline = Deadline(options.timeout + options.wait)
    with closing(Connection(target, "gpt_agent.runbook/pg_sessions", deadline)) as connection:
        if module.params["state"] == "relieved":
            exit_operation(
                module, relieve(connection, options, thresholds, module.check_mode), target.address
            )
        exit_operation(module, list_sessions(connection, thresholds), target.address)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, PSYCOPG2_ERROR, "psycopg2-binary", "python3-psycopg2")
    try:
        run(module)
    except UsageError as error:
        more = {"confirmed": False} if module.params["state"] == "relieved" else {}
        module.fail_json(msg=str(error), **more)


if __name__ == "__main__":
    main()
