#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_sessions
short_description: See who holds PostgreSQL's connection slots, and end sessions that hold them for nothing
version_added: "0.1.0"
description:
  - Looks at the sessions of a PostgreSQL server, by app, user, database, address, state and age, and at how many of the slots are in use that
    ordinary users can take, which is C(max_connections) less C(superuser_reserved_connections) and C(reserved_connections).
  - With O(state=relieved) it ends sessions that have been idle for too long, the oldest first, and only as many as are needed to come down to
    O(usage). A role or database with a connection limit of its own is relieved by the same rule.
  - Never ended are sessions of superusers and of roles for replication, background processes, connection poolers, sessions whose last statement
    was a C(LISTEN), that hold an advisory lock, that have just prepared a transaction, this collection's own, and those named as exceptions.
  - What a session is doing is looked at once more in the very statement that ends it, so one that has been used since it was chosen survives.
  - Afterwards it waits shortly, and says how many slots are in use now and whether the app has come back with new sessions.
  - C(postgres.connections) is the usage, after the relief where there was one. C(postgres.relief) says whether a relief was needed and what
    became of it; it stays a warning after one, with the lasting cure as its remedy.
notes:
  - To see all sessions the role needs C(pg_monitor), to end those of other roles C(pg_signal_backend). Without a right that is needed the
    task fails with the GRANT that is missing.
  - Where all ordinary slots are taken, only a superuser gets in, or from PostgreSQL 16 on a role with C(pg_use_reserved_connections) where
    C(reserved_connections) is above 0.
  - The node-postgres pool raises an C(error) event for each idle connection that is ended. An app without a handler for it exits.
  - PgBouncer passes the application_name of its clients on. Name its host in O(protect_addresses) if its sessions are to stay.
  - That a session listens or has prepared a transaction can only be seen while that is its last statement. Name such apps as exceptions.
  - Two runs never end sessions of one server at the same time. The second one fails and says who is at it.
  - Can be used on a standby. Tested with PostgreSQL 14 to 18.
options:
  state:
    description:
      - V(listed) looks only.
      - V(relieved) ends sessions, if O(confirm) names the right database. In check mode it names the sessions that it would end.
    type: str
    choices: [listed, relieved]
    default: listed
  confirm:
    description:
      - Name of the database that O(database_url) leads to. Without it nothing is ended outside check mode.
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
      - Seconds of state C(idle) from which a session may be ended; the default is the runbook's. V(0) switches it off.
    type: float
    default: 300.0
  idle_in_transaction_age:
    description:
      - Seconds of state C(idle in transaction), aborted transactions included, from which a session may be ended. V(0) switches it off.
      - The default is the critical limit of C(postgres.idle_in_transaction).
    type: float
    default: 300.0
  keep_per_application:
    description:
      - Number of sessions that each app keeps, the newest idle and all that work counted; the default is the runbook's C(DATABASE_POOL_MIN).
      - An app is what has one C(application_name), or one user where that is not set.
    type: int
    default: 2
  max_ended:
    description:
      - Number of sessions that one run may end. The default is half of PostgreSQL's default of C(max_connections).
    type: int
    default: 50
  poolers:
    description:
      - Shell patterns of the C(application_name) of connection poolers, whose sessions are never ended. Case does not matter.
    type: list
    elements: str
    default: ["pgbouncer*", "pgcat*", "odyssey*", "pgpool*", "supavisor*"]
  protect_applications:
    description:
      - Shell patterns of further values of C(application_name) whose sessions are never ended. Case does not matter.
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
      - Addresses and networks of clients whose sessions are never ended; V(local) stands for the socket.
    type: list
    elements: str
    default: []
  instances:
    description:
      - Processes of the app at fault that have a pool each, for the size of pool that is proposed. V(0) if it is not known.
    type: int
    default: 0
  wait:
    description:
      - Seconds after which to look whether the sessions have gone and whether the app has come back with new ones; at most 60.
    type: float
    default: 3.0
  thresholds:
    description:
      - Limits that differ from the runbook's, by name of the check, as M(gpt_agent.runbook.pg_health) takes them.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds within which the server has to answer everything, O(wait) not counted.
    type: float
    default: 10.0
extends_documentation_fragment:
  - gpt_agent.runbook.postgres
attributes:
  check_mode:
    support: full
    description: Names the very sessions that it would end, and ends none.
  diff_mode:
    support: full
    description: The sessions of the plan before, and those of them that are left.
  idempotent:
    support: full
    description: Ends nothing where no more slots than wanted are in use.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: See who holds the slots
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
  description: C(postgres.connections) and C(postgres.relief); only C(postgres.reachable) if the server cannot be asked.
  returned: always, except for misuse
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
      summary: "30 of 30 sessions ended: 97 → 67 of 97 usable connections in use, at most 67 wanted"
      remedy: "Lasting cure for app 'worker': ALTER ROLE worker SET idle_session_timeout = '300s'; …"
      window: ""
      evidence:
        - sessions_of: app 'worker'
          stay: it holds an advisory lock
          count: 1
actions:
  description: One for each session of the plan, the one that was idle longest first.
  returned: always, except for misuse; empty with O(state=listed)
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

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.core.check import CRITICAL, UNKNOWN
from ..module_utils.core.deadline import Deadline, DeadlineExceeded
from ..module_utils.core.errors import NotCollected, Unreachable, UsageError
from ..module_utils.core.operation import Outcome, exit_operation
from ..module_utils.core.options import PROBE_OPTIONS
from ..module_utils.core.probe import require
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.postgres.checks import CHECKS
from ..module_utils.postgres.connection import (
    POSTGRES_OPTIONS,
    PSYCOPG2_ERROR,
    Connection,
)
from ..module_utils.postgres.sessions.operation import look, relieve
from ..module_utils.postgres.sessions.plan import Rules
from ..module_utils.postgres.url import parse_url
from ..module_utils.postgres.verdicts import unreachable

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


def rules_of(module: AnsibleModule) -> Rules:
    """What the operator wants; raises `UsageError` where it makes no sense."""
    given = module.params
    for name, longest in (("timeout", 3600), ("wait", 60)):
        if not 0 <= given[name] <= longest or not given["timeout"]:
            raise UsageError(f"{name}: {given[name]:g} is not a number of seconds up to {longest}")
    plain = (
        "usage",
        "idle_age",
        "idle_in_transaction_age",
        "keep_per_application",
        "max_ended",
        "instances",
    )
    values: dict[str, Any] = {name: given[name] for name in plain}
    values.update(
        {
            name: tuple(given[f"protect_{name}"])
            for name in ("applications", "users", "databases", "addresses")
        }
    )
    return Rules(**values, poolers=tuple(given["poolers"]))


def run(module: AnsibleModule) -> Outcome:
    """Connect, look, and act where that is asked for. A server that cannot be had fails an act, but not a look."""
    given, rules, thresholds = (
        module.params,
        rules_of(module),
        Thresholds(CHECKS, module.params["thresholds"]),
    )
    acting = given["state"] == "relieved"
    connection = Connection(
        parse_url(given["database_url"]),
        "gpt_agent.runbook/pg_sessions",
        Deadline(given["timeout"] + given["wait"]),
    )
    try:
        try:
            connection.open()
            if acting:
                return relieve(
                    connection,
                    rules,
                    thresholds,
                    None if module.check_mode else given["confirm"],
                    given["wait"],
                )
            return look(connection, rules, thresholds)
        except NotCollected as problem:
            check = thresholds.verdict(
                "postgres.relief",
                CRITICAL if acting else UNKNOWN,
                f"Not known: {problem}",
                remedy=problem.remedy,
            )
            return Outcome(
                [check],
                problem=f"Nothing was ended: {problem}. {problem.remedy}" if acting else "",
            )
        finally:
            connection.close()
    except (Unreachable, DeadlineExceeded) as lost:
        refusal = lost if isinstance(lost, Unreachable) else connection.no_answer()
        return Outcome(
            [unreachable(refusal, thresholds)],
            problem=f"Nothing was ended: {refusal}. {refusal.remedy}" if acting else "",
        )


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, PSYCOPG2_ERROR, "psycopg2-binary", "python3-psycopg2")
    try:
        outcome = run(module)
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome)


if __name__ == "__main__":
    main()
