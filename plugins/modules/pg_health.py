#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_health
short_description: Check the health of a PostgreSQL server
version_added: "0.1.0"
description:
  - Checks a PostgreSQL server every day, in a few milliseconds and over one connection.
    M(gpt_agent.runbook.pg_review) inspects it and its databases in depth.
  - C(postgres.reachable), whether the server accepts a connection, and if not, exactly why.
  - C(postgres.writable), whether a write would succeed now. Read-only by default, a synchronous
    standby that is missing or does not confirm, no transaction IDs left, a recovery that is paused
    at its target; with O(canary) also whatever else keeps a real write from being committed.
  - C(postgres.connections), the share of the slots that ordinary users can take, and who holds
    them. A role or database with a connection limit of its own gets a check of its own.
  - C(postgres.idle_in_transaction) and C(postgres.long_transactions), the age of the oldest such
    session, with its statement.
  - C(postgres.cache_hit), the share of block reads found in shared buffers, C(postgres.deadlocks),
    and C(postgres.query_time_mean), the mean execution time of the queries that apps repeat, from
    pg_stat_statements without utility statements, bulk loads and what was called fewer than 10
    times; each over the span since the last run.
  - C(postgres.checksum_failures), reads of damaged pages since the statistics were reset.
  - C(postgres.wraparound), the age of the oldest transaction ID or multixact ID in any database.
  - C(postgres.replication), how far each standby is behind, standbys that are missing or silent,
    replication slots that have no consumer, whose consumer is far behind, or that are about to be
    lost, and subscriptions that fail, are disabled, or receive nothing. A standby that is delayed
    on purpose (C(recovery_min_apply_delay)) is judged by what exceeds the delay; on its primary,
    override the thresholds of C(postgres.replication) with the standby's name.
  - C(postgres.archiver), whether WAL is archived.
  - An unhealthy server is a result, not an error. The module fails for usage errors only.
notes:
  - Everything but O(canary) is read in one read-only transaction, from views that cover the whole
    server, so any of its databases will do.
  - It never waits longer than 100 ms for a lock, and it overrides the role's own C(search_path) and
    C(statement_timeout). Its settings end with its transaction, so it can be used through a
    connection pooler, where it sees the server behind it and not the pool.
  - Statements in the evidence are shown without their literals.
  - A role without C(pg_monitor) does not see what other users' sessions do. What it cannot see is
    C(unknown), never C(ok).
  - Tested with PostgreSQL 14 to 18.
options:
  replicas:
    description:
      - Number of standbys that must be connected to a primary; fewer are critical. Those that
        C(synchronous_standby_names) demands are expected anyway.
      - Ignored on a standby.
    type: int
    default: 0
  server_role:
    description:
      - What the server is meant to be. With V(primary), a server in recovery is
        critical; with V(standby), a primary is a warning.
      - Without it, neither a primary nor a standby is wrong.
    type: str
    choices: [primary, standby]
  canary:
    description:
      - Whether to try a real write after everything else. The module creates a temporary table with
        one row, which no other session sees and which is gone with its commit.
      - The commit is one of the role in O(database_url), with the role's own
        C(synchronous_commit) and C(default_transaction_read_only), so use the app's role.
      - After 5 seconds, or half of the time that is left, the write is canceled and the check is
        critical. A commit that waits for a synchronous standby then ends without waiting.
      - Not tried in check mode, on a server whose O(server_role) is V(standby), nor if it is
        already known that writes fail or hang.
    type: bool
    default: false
  ignore_applications:
    description:
      - Values of C(application_name) whose sessions may keep a transaction open for long.
      - They count as connections, but not for C(postgres.idle_in_transaction) and
        C(postgres.long_transactions).
    type: list
    elements: str
    default: [pg_dump]
extends_documentation_fragment:
  - gpt_agent.runbook.postgres
  - gpt_agent.runbook.probe
  - gpt_agent.runbook.state
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Check the local server, as the user postgres through its socket
  gpt_agent.runbook.pg_health:
    database_url: postgresql:///postgres?host=/var/run/postgresql
  become: true
  become_user: postgres

- name: Check a managed database from the controller, with stricter thresholds
  gpt_agent.runbook.pg_health:
    database_url: "{{ vault_database_url }}"
    replicas: 1
    ignore_applications: [pg_dump, nightly-report]
    thresholds:
      postgres.connections: {warning: 70, critical: 85}
  delegate_to: localhost
"""

RETURN = r"""
checks:
  description:
    - All checks with their verdicts. Only C(postgres.reachable) if the server cannot be asked.
  returned: success
  type: list
  elements: dict
  sample:
    - name: postgres.connections
      subject: ""
      status: critical
      value: 95.9
      unit: percent
      warning: 80.0
      critical: 90.0
      direction: above
      summary: 93 of 97 usable connections in use, 61 of them idle from app 'worker'
      remedy: >-
        Check connection pool: the evidence shows which app holds them; end leaked sessions
        (playbooks/relieve_connections.yml), lower its pool size.
      window: ""
      evidence:
        - application: worker
          user: gpt_agent
          database: gpt_agent
          state: idle
          count: 61
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.check import Check
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.errors import Unreachable
from ..module_utils.core.options import PROBE_OPTIONS, STATE_OPTION
from ..module_utils.core.probe import require, run_probe
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.postgres.connection import (
    POSTGRES_OPTIONS,
    PSYCOPG2_ERROR,
    Connection,
)
from ..module_utils.postgres.health.assess import assess
from ..module_utils.postgres.health.canary import canary
from ..module_utils.postgres.health.checks import CHECKS, OTHER_CHECKS
from ..module_utils.postgres.health.collect import History, collect
from ..module_utils.postgres.health.options import PRIMARY, STANDBY, Options
from ..module_utils.postgres.health.snapshot import Snapshot
from ..module_utils.postgres.health.writable import blocks_writes
from ..module_utils.postgres.url import read_target
from ..module_utils.postgres.verdicts import OUT_OF_TIME, unreachable

ARGUMENT_SPEC = {
    **POSTGRES_OPTIONS,
    **PROBE_OPTIONS,
    **STATE_OPTION,
    "replicas": {"type": "int", "default": 0},
    "server_role": {"type": "str", "choices": [PRIMARY, STANDBY]},
    "canary": {"type": "bool", "default": False},
    "ignore_applications": {"type": "list", "elements": "str", "default": ["pg_dump"]},
}


class Probe:
    """One run of the probe: ``connection`` knows how far it got when the time runs out."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.connection: Connection | None = None

    def run(self, thresholds: Thresholds, deadline: Deadline) -> list[Check]:
        """Connect, collect, assess, and keep the counters for the next run."""
        params = self.module.params
        options, target = Options.from_params(params), read_target(self.module)
        history = History(params["state_dir"], "pg_health", target.address)
        self.connection = Connection(target, "gpt_agent.runbook/pg_health", deadline)
        with closing(self.connection) as connection:
            try:
                connection.open()
                snapshot = collect(options, connection, history)
            except Unreachable as error:
                return [unreachable(error, thresholds)]
            history.store(snapshot, self.module)
            if options.canary and not self.module.check_mode:
                snapshot = self._with_canary(snapshot, options)
            return list(assess(snapshot, options, thresholds))

    def _with_canary(self, snapshot: Snapshot, options: Options) -> Snapshot:
        """What was seen, and a real write where none is known to fail."""
        if self.connection is None or snapshot.facts["standby"]:
            return snapshot
        if blocks_writes(snapshot, options):
            return snapshot
        return snapshot._replace(canary=canary(self.connection))

    def no_answer(self, thresholds: Thresholds) -> Check:
        if self.connection is None:
            return unreachable(OUT_OF_TIME, thresholds)
        return unreachable(self.connection.no_answer(), thresholds)

    def results(self, checks: Sequence[Check]) -> Mapping[str, Any]:
        """The address of the server, for the report."""
        return {"target": self.connection.target.address if self.connection else ""}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, PSYCOPG2_ERROR, "psycopg2-binary", "python3-psycopg2")
    probe = Probe(module)
    run_probe(module, CHECKS, probe.run, probe.no_answer, OTHER_CHECKS, probe.results)


if __name__ == "__main__":
    main()
