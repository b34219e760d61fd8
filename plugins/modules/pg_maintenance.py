#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_maintenance
short_description: Vacuum, analyze and reindex what needs it in a PostgreSQL database, without anyone noticing
version_added: "0.1.0"
description:
  - Looks at every table and index of one database, ranks what needs maintenance and why, and carries it out within a budget of time and disk.
  - Tables are vacuumed where dead rows or inserted rows are beyond autovacuum's own threshold or O(dead_share), with C(FREEZE) where the oldest
    transaction id is older than C(vacuum_freeze_table_age), and analyzed where statistics are missing or beyond autovacuum's threshold.
    Partitioned tables, which autovacuum never analyzes, are analyzed as a whole.
  - B-tree indexes are rebuilt with C(REINDEX INDEX CONCURRENTLY) where O(bloat_share) of them is empty. That is measured with C(pgstattuple)
    where the extension is installed in the database, and estimated from the statistics otherwise; old statistics are renewed first.
  - Invalid indexes are rebuilt; those that a rebuild has left behind when it was cut off are dropped.
  - While it works, another connection watches. A statement that another session has to wait for longer than O(max_block), or that itself waits
    longer than O(max_wait), is cancelled, its leftover removed, and it is tried once more at the end. While a standby is more than O(max_lag)
    behind, nothing new is started.
  - Afterwards it says what was won, and whose transaction, slot or standby keeps dead rows that could not be removed.
notes:
  - The role has to own the tables, to own the database (vacuum and analyze only), or from PostgreSQL 17 on to have C(MAINTAIN), with which it
    cannot drop what a rebuild that was cut off has left behind. What it may not do is skipped with the reason. With C(pg_monitor) it sees who
    holds back a vacuum and how far standbys are behind.
  - The connection has to lead to PostgreSQL itself, not to a connection pooler.
  - A table on which autovacuum is at work is left to it, since PostgreSQL cancels an autovacuum for whom others have to wait.
  - Statements read without reading ahead (C(effective_io_concurrency=0)), so that they do not take more than one processor.
  - A rebuild needs twice the size of the index on the disk, and half of that where C(pg_wal) lies. Where the module runs on the database's host
    and may read the data directory it knows how much is free; elsewhere, indexes over 1 GiB are rebuilt only with O(disk_free).
  - Two runs never maintain one database at the same time; the second one fails and says who is at it.
  - A run that is killed leaves at most an invalid index, which the next run drops. PostgreSQL notices within five seconds that it is gone.
  - System catalogs and temporary tables are left to autovacuum, and tables are never rewritten, since C(VACUUM FULL) locks everybody out.
  - On a standby it does nothing and says so.
  - Tested with PostgreSQL 14 to 18.
options:
  operations:
    description: What may be done.
    type: list
    elements: str
    choices: [cleanup, freeze, vacuum, analyze, reindex]
    default: [cleanup, freeze, vacuum, analyze, reindex]
  only:
    description:
      - Shell patterns of tables or indexes, with or without their schema, to which the work is limited; the indexes of a table belong to it.
      - A pattern that fits nothing is an error.
    type: list
    elements: str
    default: []
  exclude:
    description: Shell patterns of tables or indexes that are left alone. Like O(only), the name of a partitioned table stands for its partitions.
    type: list
    elements: str
    default: []
  time_budget:
    description:
      - Seconds for everything. What is expected not to fit is skipped, and what is running at the end is cancelled.
      - How long something takes is estimated from the speed of earlier runs on this server, before the first one from a slow disk's.
    type: float
    default: 3600.0
  jobs:
    description: Number of tables that are worked on at the same time, each with a connection of its own.
    type: int
    default: 1
  dead_share:
    description:
      - Percent of a table's rows that are dead, from which it is vacuumed even if autovacuum would not yet; at least 10,000 rows have to be.
    type: float
    default: 10.0
  bloat_share:
    description:
      - Percent of an index that is empty, from which it is rebuilt. An index into which values come in no order is about a quarter empty at best.
    type: float
    default: 30.0
  bloat_bytes:
    description: Bytes that a rebuild has to win.
    type: int
    default: 10485760
  cost_delay:
    description:
      - C(vacuum_cost_delay) in milliseconds, for vacuum and analyze; V(0) for full speed. The default is autovacuum's.
    type: float
    default: 2.0
  cost_limit:
    description: C(vacuum_cost_limit). The default is autovacuum's.
    type: int
    default: 200
  max_wait:
    description: Seconds that a statement may wait for other sessions in all.
    type: float
    default: 60.0
  max_block:
    description: Seconds that another session may wait for one of the statements.
    type: float
    default: 1.0
  max_lag:
    description: Seconds that a standby may be behind.
    type: float
    default: 30.0
  disk_free:
    description:
      - Space that is free on the server's disk, such as V(40G), where the module cannot see it. The statement is the operator's.
    type: str
  literal:
    description:
      - The runbook's own recipe instead of all this, C(REINDEX DATABASE) and C(VACUUM ANALYZE).
      - It locks each table against writers, and in effect against readers, for as long as its indexes take. Needs O(confirm).
    type: bool
    default: false
  confirm:
    description: Name of the database, needed for O(literal=true) only.
    type: str
    default: ""
  thresholds:
    description: Limits that differ from the runbook's, by name of the check, as M(gpt_agent.runbook.pg_health) takes them.
    type: dict
    default: {}
  timeout:
    description: Seconds within which PostgreSQL has to answer a question; the work itself is bounded by O(time_budget).
    type: float
    default: 30.0
extends_documentation_fragment:
  - gpt_agent.runbook.postgres
  - gpt_agent.runbook.state
  - gpt_agent.runbook.progress
attributes:
  async:
    support: full
    description: Of its own accord it works in the background of the host, so that a connection which is lost does not end it.
  check_mode:
    support: full
    description: Returns the very plan, with estimates, and carries out nothing.
  diff_mode:
    support: full
    description: Shows what needs maintenance before, and what of it is left afterwards.
  idempotent:
    support: full
    description: A second run straight after has nothing to do, except for what was skipped.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Give every table and index what it needs, for an hour at most
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
  description: C(postgres.maintenance); only C(postgres.reachable) if the server cannot be asked.
  returned: always, except for misuse
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
      summary: "In database 'gpt_agent' (42 tables, 97 indexes, 18.3 GiB): 3 vacuumed, 2 rebuilt, 1.2 GiB won"
      remedy: ""
      window: ""
      evidence: []
actions:
  description: One for each statement, in the order in which they were carried out, then what was skipped.
  returned: always, except for misuse
  type: list
  elements: dict
  sample:
    - name: postgres.reindex
      subject: public.messages_created_at_idx
      status: done
      reason: 61 % of it is empty (measured, confidence high), a rebuild wins 830 MiB
      before: 1426063360
      after: 556793856
      seconds: 48.1
      bytes: 869269504
      estimate: 71.3
"""

import signal
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

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
from ..module_utils.postgres.maintenance.options import OPERATIONS, options_of
from ..module_utils.postgres.url import parse_url

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
    **PROGRESS_OPTION,
}


def run(module: AnsibleModule, report: ProgressCallback) -> Outcome:
    """Plan or carry out; the measured speeds are kept for the next run."""
    target = parse_url(module.params["database_url"])
    options = options_of(module.params)
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
        with progress_reporter(module.params["progress_file"]) as report:
            outcome = run(module, report)
    except UsageError as error:
        module.fail_json(msg=str(error))
    if module.params["literal"]:
        module.warn(f"{LOCKS}.")
    exit_operation(module, outcome)


if __name__ == "__main__":
    main()
