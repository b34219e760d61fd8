#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_health
short_description: Ask a PostgreSQL server about its health
version_added: "0.1.0"
description:
  - Looks at a PostgreSQL server through one connection and returns what it found as checks.
  - C(postgres.reachable), whether the server can be connected to, and if not, exactly why not.
  - C(postgres.connections), the share of the slots that ordinary users can take, and who holds them. A role or database with a
    connection limit of its own gets a check of its own.
  - C(postgres.idle_in_transaction) and C(postgres.long_transactions), the age of the oldest such session, with its statement.
  - C(postgres.cache_hit), the share of block reads found in shared buffers, C(postgres.deadlocks), and C(postgres.query_time_mean),
    the mean execution time of a statement from pg_stat_statements; each over the span since the last run.
  - C(postgres.wraparound), the age of the oldest transaction id or multixact id in any database.
  - C(postgres.replication), how far each standby is behind, standbys that are missing, and replication slots that nobody reads, whose consumer
    is far behind, or that are about to be lost.
  - C(postgres.archiver), whether WAL is archived.
  - A sick server is a result, not an error. The module fails for misuse only.
notes:
  - Everything is read in one read-only transaction, for O(areas=server) from views that cover the whole server, so any of its databases will do.
  - The other areas take up to a dozen questions for each database, however many tables it has, and each database has a transaction of its own.
    Sequences are read in short transactions, because reading one locks it until the transaction ends. What somebody locks exclusively is left
    out and named in C(postgres.inspection) or C(postgres.sequences).
  - Calls with other areas than V(server) keep counters of their own in O(state_dir), so their windows reach back to the last such call.
  - How full indexes are is measured where the extension C(pgstattuple) is in the database, for up to 256 MiB of the emptiest ones, and estimated from
    statistics elsewhere; measuring starts only in the first half of O(timeout). Statistics and sequences are visible with C(pg_read_all_data), not
    with C(pg_monitor) alone.
  - It never waits for a lock for more than 100 ms, and it overrides the role's own C(search_path) and C(statement_timeout). Its settings end with
    its transaction, so it can be used through a connection pooler, where it sees the server behind it and not the pool.
  - Statements in the evidence are shown without their literals.
  - A role without C(pg_monitor) does not see what other users' sessions do. What cannot be seen is C(unknown), never C(ok).
  - Tested with PostgreSQL 14 to 18.
options:
  areas:
    description:
      - What to look at. V(server) is what the daily checklist asks, in a few milliseconds, without looking into any database.
      - V(locks), who waits for whom (C(postgres.blocked)), and who holds back vacuum (C(postgres.vacuum_horizon),
        C(postgres.prepared_transactions)).
      - V(vacuum), what autovacuum has left undone (C(postgres.vacuum_due), C(postgres.statistics_due)). A table may have become due a moment ago,
        so only one that was due at the last run as well counts; at the first run it is C(unknown).
      - V(tables), sizes and their growth since the last run (C(postgres.table_sizes)), C(postgres.table_bloat) and C(postgres.sequences).
      - V(indexes), C(postgres.index_bloat), C(postgres.invalid_indexes), C(postgres.unused_indexes), C(postgres.duplicate_indexes) and
        hints at C(postgres.missing_indexes).
      - V(statements), C(postgres.slow_statements), of the 50 with the most time in the window, C(postgres.rollbacks) and C(postgres.temp_files).
      - V(settings), parameters that endanger data and tables without autovacuum (C(postgres.settings)), C(postgres.checksum_failures), and
        libraries of the operating system that sort text differently now (C(postgres.collations)), in all databases of the server.
    type: list
    elements: str
    choices: [server, locks, vacuum, tables, indexes, statements, settings]
    default: [server]
  databases:
    description:
      - Shell patterns of the databases to look into for V(vacuum), V(tables), V(indexes) and V(settings); V(*) stands for all but templates.
      - Defaults to the one that O(database_url) leads to.
    type: list
    elements: str
    default: []
  unused_after:
    description:
      - Days that the statistics have to span, and that an index has to be known from earlier runs, before it is called unused without a scan.
        Until then C(postgres.unused_indexes) is C(unknown). From PostgreSQL 16 on an index whose last scan is as long ago is unused, too.
      - Standbys have counters of their own, so where there are any it is C(unknown), too, and has to be asked for on each of them.
    type: float
    default: 30.0
  replicas:
    description: Number of standbys that have to be connected to a primary; fewer are critical. A standby ignores it.
    type: int
    default: 0
  ignore_applications:
    description:
      - Values of C(application_name) whose sessions may keep a transaction open for long.
      - They count as connections, but neither for C(postgres.idle_in_transaction) nor for C(postgres.long_transactions).
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
- name: Ask the local server, as the user postgres through its socket
  gpt_agent.runbook.pg_health:
    database_url: postgresql:///postgres?host=/var/run/postgresql
  become: true
  become_user: postgres

- name: Ask a managed database from the controller, with stricter limits
  gpt_agent.runbook.pg_health:
    database_url: "{{ vault_database_url }}"
    replicas: 1
    ignore_applications: [pg_dump, nightly-report]
    thresholds:
      postgres.connections: {warning: 70, critical: 85}
  delegate_to: localhost

- name: Review every database of the server in depth
  gpt_agent.runbook.pg_health:
    database_url: "{{ vault_database_url }}"
    areas: [locks, vacuum, tables, indexes, statements, settings]
    databases: ["*"]
    timeout: 60
  delegate_to: localhost
"""

RETURN = r"""
checks:
  description: Everything that was looked at, with its verdict. Only C(postgres.reachable) if the server cannot be asked.
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
      summary: 93 of 97 usable connections in use, 61 of them idle from app 'worker'
      remedy: >-
        Check connection pool: see which app holds them in the evidence; end leaked sessions (playbooks/relieve_connections.yml), lower its pool size.
      window: ""
      evidence:
        - application: worker
          user: gpt_agent
          database: gpt_agent
          state: idle
          count: 61
"""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.core.check import Check
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.errors import Unreachable, UsageError
from ..module_utils.core.options import PROBE_OPTIONS, STATE_OPTION
from ..module_utils.core.probe import require, run_probe
from ..module_utils.core.state import StateFile, store_sample
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.postgres.checks import CHECKS
from ..module_utils.postgres.connection import (
    POSTGRES_OPTIONS,
    PSYCOPG2_ERROR,
    Connection,
)
from ..module_utils.postgres.health.assess import assess, unreachable
from ..module_utils.postgres.health.collect import (
    STATEMENTS_IN_DEPTH,
    STATEMENTS_SHOWN,
    Missing,
    collect,
)
from ..module_utils.postgres.review.assess import AREAS, Depth, in_depth, ran_out
from ..module_utils.postgres.url import parse_url

#: The area of the daily checklist.
SERVER = "server"

ARGUMENT_SPEC = {
    **POSTGRES_OPTIONS,
    **PROBE_OPTIONS,
    **STATE_OPTION,
    "areas": {"type": "list", "elements": "str", "choices": [SERVER, *AREAS], "default": [SERVER]},
    "databases": {"type": "list", "elements": "str", "default": []},
    "unused_after": {"type": "float", "default": 30.0},
    "replicas": {"type": "int", "default": 0},
    "ignore_applications": {"type": "list", "elements": "str", "default": ["pg_dump"]},
}


def look(module: AnsibleModule, connection: Connection, thresholds: Thresholds) -> Iterator[Check]:
    """Connect, ask, judge, and keep the counters for the next run."""
    given = module.params
    if given["replicas"] < 0:
        raise UsageError(f"replicas: {given['replicas']} is not a number of standbys")
    if not given["unused_after"] >= 0:
        raise UsageError(f"unused_after: {given['unused_after']:g} is not a number of days")
    areas = [area for area in given["areas"] if area != SERVER]
    # A review compares with the last review: the daily checklist, which may run every few minutes, has counters of its own.
    suffix = "_review" if areas else ""
    databases, statements = (
        StateFile(given["state_dir"], f"{probe}{suffix}", connection.target.address)
        for probe in ("pg_health", "pg_health_statements")
    )
    with closing(connection):
        try:
            connection.open()
            seen = collect(
                connection,
                given["ignore_applications"],
                databases,
                statements,
                STATEMENTS_IN_DEPTH if areas else STATEMENTS_SHOWN,
            )
        except Unreachable as refusal:
            yield unreachable(refusal, thresholds)
            return
        checks = assess(seen, thresholds, given["replicas"])
        yield from checks if SERVER in given["areas"] else islice(checks, 1)
        for state, part in ((databases, seen.databases), (statements, seen.statements)):
            if not isinstance(part, Missing) and {SERVER, "statements"}.intersection(
                given["areas"]
            ):
                store_sample(module, state, part.sample)
        if areas:
            depth = Depth(
                areas,
                given["databases"],
                given["unused_after"],
                given["state_dir"],
                lambda state, sample: store_sample(module, state, sample),
            )
            yield from in_depth(depth, connection, seen, thresholds)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, PSYCOPG2_ERROR, "psycopg2-binary", "python3-psycopg2")
    opened: list[Connection] = []
    answered: list[Check] = []

    def probe(thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        opened.append(
            Connection(
                parse_url(module.params["database_url"]), "gpt_agent.runbook/pg_health", deadline
            )
        )
        for check in look(module, opened[0], thresholds):
            answered.append(check)
            yield check

    def silent(thresholds: Thresholds) -> Check:
        return (
            ran_out(opened[0], thresholds)
            if answered
            else unreachable(opened[0].no_answer(), thresholds)
        )

    run_probe(module, CHECKS, probe, silent)


if __name__ == "__main__":
    main()
