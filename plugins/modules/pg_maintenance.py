#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_maintenance
short_description: Vacuum, analyze and reindex what needs it in a PostgreSQL database
version_added: "0.1.0"
description:
  - Examines every table and index of one database, ranks what needs maintenance and why, and
    carries it out within a budget of time and disk space, without blocking anyone.
  - Tables are vacuumed if dead or inserted rows exceed autovacuum's own threshold or O(dead_share),
    with C(FREEZE) if the oldest transaction ID is older than C(vacuum_freeze_table_age), and
    analyzed if statistics are missing or changes exceed autovacuum's threshold. Partitioned tables,
    which autovacuum never analyzes, are analyzed as a whole.
  - B-tree indexes are rebuilt with C(REINDEX INDEX CONCURRENTLY) if O(bloat_share) of them is
    empty. That is measured with C(pgstattuple) if the extension is installed in the database, and
    otherwise estimated from statistics; outdated statistics are renewed first.
  - Invalid indexes are rebuilt, and leftovers of interrupted rebuilds are dropped.
  - A separate connection watches the work. A statement that another session has waited for longer
    than O(max_block), or that has itself waited longer than O(max_wait), is cancelled, its leftover
    is dropped, and it is tried once more at the end. While a standby is more than O(max_lag)
    behind, nothing new is started.
  - The result shows how much space was freed, and which transaction, slot or standby holds dead
    rows that could not be removed.
notes:
  - The role must own the tables, or own the database (vacuum and analyze only), or from PostgreSQL
    17 on have C(MAINTAIN), with which it cannot drop the leftovers of interrupted rebuilds. What it
    lacks permission for is skipped with the reason. With C(pg_monitor) it sees what holds back
    vacuum and how far standbys are behind.
  - The connection must lead to PostgreSQL itself, not to a connection pooler.
  - A table that autovacuum is working on is left to it, since PostgreSQL cancels an autovacuum that
    another session waits for.
  - Statements read without prefetching (C(effective_io_concurrency=0)), so that they use no more
    than one processor.
  - A rebuild needs twice the size of the index on its disk, and half of that where C(pg_wal) is.
    On the database's host, with permission to read the data directory, the module finds out how
    much is free; elsewhere, indexes over 1 GiB are rebuilt only with O(disk_free).
  - Two runs never maintain one database at the same time; the second one fails and says who holds
    the lock.
  - A run that is killed leaves at most an invalid index, which the next run drops. PostgreSQL
    notices within five seconds that its client is gone.
  - System catalogs and temporary tables are left to autovacuum, and tables are never rewritten,
    since C(VACUUM FULL) locks out everyone.
  - On a standby it does nothing and says so.
  - If the server cannot be reached or examined, or another run maintains the database, the task
    fails, and the check says why.
  - Tested with PostgreSQL 14 to 18.
options:
  operations:
    description: Operations that are allowed.
    type: list
    elements: str
    choices: [cleanup, freeze, vacuum, analyze, reindex]
    default: [cleanup, freeze, vacuum, analyze, reindex]
  only:
    description:
      - Shell patterns of the tables or indexes to maintain, with or without schema. A table's
        indexes belong to it.
      - A pattern that matches nothing is an error.
    type: list
    elements: str
    default: []
  exclude:
    description:
      - Shell patterns of tables or indexes to leave out. As with O(only), the name of a partitioned
        table includes its partitions.
    type: list
    elements: str
    default: []
  time_budget:
    description:
      - Seconds for the whole run. What is not expected to fit is skipped, and what is running at
        the end is cancelled.
      - Estimates come from the speed of earlier runs on this server, those of the first run from a
        slow disk's.
    type: float
    default: 3600.0
  jobs:
    description: Number of tables to maintain at the same time, each with a connection of its own.
    type: int
    default: 1
  dead_share:
    description:
      - Percent of dead rows from which a table is vacuumed even if autovacuum would not yet start;
        at least 10,000 rows must be dead.
    type: float
    default: 10.0
  bloat_share:
    description:
      - Percent of empty space from which an index is rebuilt. An index whose values arrive in no
        order is about a quarter empty at best.
    type: float
    default: 30.0
  bloat_bytes:
    description: Bytes that a rebuild must free.
    type: int
    default: 10485760
  cost_delay:
    description:
      - C(vacuum_cost_delay) in milliseconds, for vacuum and analyze; V(0) for full speed. The
        default is autovacuum's.
    type: float
    default: 2.0
  cost_limit:
    description: C(vacuum_cost_limit). The default is autovacuum's.
    type: int
    default: 200
  max_wait:
    description: Maximum seconds that a statement may wait for other sessions, in total.
    type: float
    default: 60.0
  max_block:
    description: Maximum seconds that another session may wait for one of the statements.
    type: float
    default: 1.0
  max_lag:
    description: Maximum seconds that a standby may be behind before nothing new is started.
    type: float
    default: 30.0
  disk_free:
    description:
      - Free space on the server's disk, such as V(40G), if the module cannot see it. It is taken as
        given.
    type: str
  literal:
    description:
      - Whether to run the runbook's own recipe instead, C(REINDEX DATABASE) and C(VACUUM ANALYZE).
      - It locks each table against writers, and in effect against readers, while its indexes are
        rebuilt. Needs O(confirm).
    type: bool
    default: false
  confirm:
    description:
      - Name of the database, only needed for O(literal=true). A wrong one is refused in check mode,
        too.
    type: str
    default: ""
  thresholds:
    description:
      - Thresholds that differ from the runbook's, by name of the check, as
        M(gpt_agent.runbook.pg_health) takes them.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds to wait for PostgreSQL to answer one question; the work itself is limited by
        O(time_budget).
    type: float
    default: 30.0
extends_documentation_fragment:
  - gpt_agent.runbook.step
  - gpt_agent.runbook.postgres
  - gpt_agent.runbook.state
  - gpt_agent.runbook.progress
attributes:
  check_mode:
    support: full
    description: Returns the plan of a real run, with estimates, and carries out nothing.
  diff_mode:
    support: full
    description: Shows what needs maintenance before, and what of it is left afterwards.
  idempotent:
    support: full
    description: A second run right after it has nothing to do, except for what was skipped.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Maintain every table and index that needs it, for an hour at most
  gpt_agent.runbook.pg_maintenance:
    database_url: postgresql:///gpt_agent?host=/var/run/postgresql
  become: true
  become_user: postgres

- name: Rebuild bloated indexes of two tables from the controller, at night
  gpt_agent.runbook.pg_maintenance:
    database_url: "{{ vault_database_url }}"
    operations: [cleanup, reindex]
    only: [messages, public.conversations]
    time_budget: 7200
    jobs: 2
    disk_free: 40G
  delegate_to: localhost
"""

RETURN = r"""
checks:
  description: C(postgres.maintenance); only C(postgres.reachable) if the server cannot be reached.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: postgres.maintenance
      subject: ""
      status: ok
      value: null
      unit: ""
      warning: null
      critical: null
      summary: >-
        In database 'gpt_agent' (42 tables, 97 indexes, 18.3 GiB): 3 vacuumed, 2 rebuilt, 1.2 GiB
        freed
      remedy: ""
      window: ""
      evidence: []
actions:
  description: >-
    One for each statement, in the order in which they ended, then what was skipped. Only
    C(postgres.maintenance), skipped, if O(requires) is not met.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: postgres.reindex
      subject: public.messages_created_at_idx
      status: done
      reason: 61 % of it is empty (measured, confidence high), a rebuild frees 829 MiB
      before: 1426063360
      after: 556793856
      seconds: 48.1
      bytes: 869269504
      estimate: 71.3
"""

import signal
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import Outcome, exit_operation
from ..module_utils.core.options import PROGRESS_OPTION, STATE_OPTION
from ..module_utils.core.probe import require
from ..module_utils.core.progress import ProgressCallback, progress_reporter
from ..module_utils.core.state import StateFile, now_sample, store_sample
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.postgres.checks import CHECKS
from ..module_utils.postgres.connection import POSTGRES_OPTIONS, PSYCOPG2_ERROR
from ..module_utils.postgres.maintenance.literal import LOCKS, run_recipe
from ..module_utils.postgres.maintenance.operation import Maintenance, MaintenanceOutcome
from ..module_utils.postgres.maintenance.options import OPERATIONS, Options
from ..module_utils.postgres.url import Target, read_target

ARGUMENT_SPEC = {
    **POSTGRES_OPTIONS,
    **STATE_OPTION,
    "operations": {
        "type": "list",
        "elements": "str",
        "choices": list(OPERATIONS),
        "default": list(OPERATIONS),
    },
    "only": {"type": "list", "elements": "str", "default": []},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "time_budget": {"type": "float", "default": 3600.0},
    "jobs": {"type": "int", "default": 1},
    "dead_share": {"type": "float", "default": 10.0},
    "bloat_share": {"type": "float", "default": 30.0},
    "bloat_bytes": {"type": "int", "default": 10 * 1024 * 1024},
    "cost_delay": {"type": "float", "default": 2.0},
    "cost_limit": {"type": "int", "default": 200},
    "max_wait": {"type": "float", "default": 60.0},
    "max_block": {"type": "float", "default": 1.0},
    "max_lag": {"type": "float", "default": 30.0},
    "disk_free": {"type": "str"},
    "literal": {"type": "bool", "default": False},
    "confirm": {"type": "str", "default": ""},
    "thresholds": {"type": "dict", "default": {}},
    "timeout": {"type": "float", "default": 30.0},
    "requires": {"type": "list", "elements": "str", "default": []},
    **PROGRESS_OPTION,
}


def run(module: AnsibleModule, target: Target, report: ProgressCallback) -> Outcome:
    """Plan or carry out; the measured speeds are kept for the next run."""
    options = Options.from_params(module.params)
    thresholds = Thresholds(CHECKS, module.params["thresholds"])
    if options.literal:
        return run_recipe(target, options, thresholds, report, module.check_mode)
    state = StateFile(module.params["state_dir"], "pg_maintenance", target.address)
    maintenance = Maintenance(target, options, thresholds, _earlier_rates(state))
    if module.check_mode:
        return maintenance.show_plan()
    outcome = maintenance.carry_out(report)
    if isinstance(outcome, MaintenanceOutcome) and outcome.rates:
        store_sample(module, state, now_sample("", outcome.rates))
    return outcome


def _earlier_rates(state: StateFile) -> dict[str, float]:
    """Bytes a second by operation, as earlier runs have measured."""
    for sample in state.earlier(now_sample("", {})):
        return {name: rate for name, rate in sample.counters.items() if rate > 0}
    return {}


def _end(signum: int, frame: Any) -> NoReturn:
    raise SystemExit(f"ended by signal {signum}")


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, PSYCOPG2_ERROR, "psycopg2-binary", "python3-psycopg2")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)  # so that running statements are cancelled
    try:
        target = read_target(module)
        with progress_reporter(module.params["progress_file"]) as report:
            outcome = run(module, target, report)
    except UsageError as error:
        module.fail_json(msg=str(error))
    if module.params["literal"]:
        module.warn(f"{LOCKS}.")
    exit_operation(module, outcome, target.address)


if __name__ == "__main__":
    main()
