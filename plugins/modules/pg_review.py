#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_review
short_description: Review a PostgreSQL server and its databases in depth
version_added: "0.1.0"
description:
  - Makes the daily checks of M(gpt_agent.runbook.pg_health), and inspects the server and its
    databases in depth. It changes nothing.
  - An unhealthy server is a result, not an error. The module fails for usage errors only.
notes:
  - Each database takes up to a dozen queries, however many tables it has, in a transaction of its
    own. Sequences are read in short transactions, because reading one locks it until the
    transaction ends. What another session has locked exclusively is left out and named in
    C(postgres.inspection) or C(postgres.sequences).
  - Growth, slow statements and the use of indexes are judged over the span since the last review.
    Its counters in O(state_dir) are not those of M(gpt_agent.runbook.pg_health).
  - Index bloat is measured if the extension C(pgstattuple) is installed in the database, for up to
    256 MiB of the most bloated indexes, and otherwise estimated from statistics; measuring starts
    only in the first half of O(timeout).
  - Statistics and sequences are visible with C(pg_read_all_data), not with C(pg_monitor) alone.
    What the role lacks permission to see is C(unknown), never C(ok).
  - It never waits longer than 100 ms for a lock, and it overrides the role's own C(search_path) and
    C(statement_timeout). Its settings end with its transactions, so it can be used through a
    connection pooler.
  - Statements in the evidence are shown without their literals.
  - Tested with PostgreSQL 14 to 18.
options:
  areas:
    description:
      - What to check.
      - V(server), the daily checks of M(gpt_agent.runbook.pg_health). Without it, only
        C(postgres.reachable) of them.
      - V(locks), sessions that wait for locks (C(postgres.blocked)), and what holds back vacuum
        (C(postgres.vacuum_horizon), C(postgres.prepared_transactions)).
      - V(vacuum), what autovacuum has left undone (C(postgres.vacuum_due),
        C(postgres.statistics_due)). A table may have become due a moment ago, so only one that was
        due at the last run as well counts; at the first run it is not judged.
      - V(tables), sizes and their growth since the last run (C(postgres.table_sizes)),
        C(postgres.table_bloat) and C(postgres.sequences).
      - V(indexes), C(postgres.index_bloat), C(postgres.invalid_indexes),
        C(postgres.unused_indexes), C(postgres.duplicate_indexes) and hints at
        C(postgres.missing_indexes).
      - V(statements), C(postgres.slow_statements), of the 50 with the most time in the window,
        C(postgres.rollbacks) and C(postgres.temp_files).
      - V(settings), parameters that endanger data and tables without autovacuum
        (C(postgres.settings)), C(postgres.checksum_failures), and collations that sort differently
        since the operating system was upgraded (C(postgres.collations)), in all databases of the
        server.
    type: list
    elements: str
    choices: [server, locks, vacuum, tables, indexes, statements, settings]
    default: [server, locks, vacuum, tables, indexes, statements, settings]
  databases:
    description:
      - Shell patterns of the databases to inspect for V(vacuum), V(tables), V(indexes) and
        V(settings); V(*) stands for all but templates.
      - A pattern leaves out what O(ignore_databases) matches, and the databases that providers keep
        for themselves, C(rdsadmin), C(cloudsqladmin), C(alloydbadmin), C(alloydbmetadata),
        C(azure_maintenance), C(azure_sys) and C(_dodb). A database that is named in full is
        inspected in any case.
      - Defaults to the database of O(database_url).
    type: list
    elements: str
    default: []
  ignore_databases:
    description:
      - Shell patterns of databases that the patterns in O(databases) leave out.
    type: list
    elements: str
    default: []
  unused_after:
    description:
      - Days that the statistics must span, and that an index must be known from earlier runs,
        before it is called unused without a scan. Until then C(postgres.unused_indexes) is not
        judged. From PostgreSQL 16 on, an index whose last scan is as long ago is unused, too.
      - Standbys have counters of their own, so with standbys it is C(unknown), and must be
        checked on each of them.
    type: float
    default: 30.0
  replicas:
    description:
      - Number of standbys that must be connected to a primary; fewer are critical.
      - Ignored on a standby.
    type: int
    default: 0
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
- name: Review every database of the server
  gpt_agent.runbook.pg_review:
    database_url: "{{ vault_database_url }}"
    databases: ["*"]
    timeout: 60
  delegate_to: localhost

- name: Check who waits for whom, and what holds back vacuum
  gpt_agent.runbook.pg_review:
    database_url: postgresql:///shop?host=/var/run/postgresql
    areas: [locks]
  become: true
  become_user: postgres
"""

RETURN = r"""
answered:
  description:
    - Whether the server was reached and answered, as a condition for the next step, such as
      O(gpt_agent.runbook.pg_maintenance#module:requires).
    - V(true) if C(postgres.reachable) is V(ok), even if the time ran out during the rest.
  returned: success
  type: bool
  sample: true
checks:
  description:
    - All checks with their verdicts. Only C(postgres.reachable) if the server cannot be asked.
  returned: success
  type: list
  elements: dict
  sample:
    - name: postgres.index_bloat
      subject: database shop
      status: warning
      value: 241172480.0
      unit: bytes
      warning: 104857600.0
      critical: null
      direction: above
      summary: 230 MiB are empty in 1 index, 80 % of public.orders_created_at (measured)
      remedy: >-
        Run playbooks/database_maintenance.yml, which rebuilds them without blocking anyone.
      window: ""
      evidence:
        - index: public.orders_created_at
          wasted_bytes: 241172480
          bytes: 301465600
          method: measured
          confidence: high
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.check import OK, Check
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.errors import Unreachable
from ..module_utils.core.options import PROBE_OPTIONS, STATE_OPTION
from ..module_utils.core.probe import require, run_probe
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.postgres.checks import CHECKS
from ..module_utils.postgres.connection import (
    POSTGRES_OPTIONS,
    PSYCOPG2_ERROR,
    Connection,
)
from ..module_utils.postgres.health.assess import assess, reachable
from ..module_utils.postgres.health.collect import History, collect
from ..module_utils.postgres.health.snapshot import Snapshot
from ..module_utils.postgres.review.options import AREAS, SERVER, Options
from ..module_utils.postgres.review.review import no_answer, review
from ..module_utils.postgres.review.statements import STATEMENTS
from ..module_utils.postgres.url import read_target
from ..module_utils.postgres.verdicts import OUT_OF_TIME, unreachable

ARGUMENT_SPEC = {
    **POSTGRES_OPTIONS,
    **PROBE_OPTIONS,
    **STATE_OPTION,
    "areas": {"type": "list", "elements": "str", "choices": list(AREAS), "default": list(AREAS)},
    "databases": {"type": "list", "elements": "str", "default": []},
    "ignore_databases": {"type": "list", "elements": "str", "default": []},
    "unused_after": {"type": "float", "default": 30.0},
    "replicas": {"type": "int", "default": 0},
    "ignore_applications": {"type": "list", "elements": "str", "default": ["pg_dump"]},
}


class Probe:
    """One run of the probe: it knows how far it got when the time runs out."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.connection: Connection | None = None
        self.answered = False

    def run(self, thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        """Connect, make the daily checks, then those in depth."""
        params = self.module.params
        options, target = Options.from_params(params), read_target(self.module)
        history = History(params["state_dir"], "pg_review", target.address)
        self.connection = Connection(target, "gpt_agent.runbook/pg_review", deadline)
        with closing(self.connection) as connection:
            try:
                connection.open()
                snapshot = collect(options.daily, connection, history, STATEMENTS)
            except Unreachable as error:
                yield unreachable(error, thresholds)
                return
            self.answered = True
            yield from self._daily(options, snapshot, thresholds)
            if options.includes(SERVER, "statements"):
                history.store(snapshot, self.module)
            yield from review(options, connection, snapshot, thresholds, self.module)

    def _daily(
        self, options: Options, snapshot: Snapshot, thresholds: Thresholds
    ) -> Iterator[Check]:
        if options.includes(SERVER):
            yield from assess(snapshot, options.daily, thresholds)
        else:
            yield reachable(snapshot, thresholds)

    def no_answer(self, thresholds: Thresholds) -> Check:
        if self.connection is None:
            return unreachable(OUT_OF_TIME, thresholds)
        if self.answered:
            return no_answer(self.connection, thresholds)
        return unreachable(self.connection.no_answer(), thresholds)

    def results(self, checks: Sequence[Check]) -> Mapping[str, Any]:
        """The server's address, for the report, and whether it was reached and answered."""
        target = self.connection.target.address if self.connection else ""
        return {"target": target, "answered": answered(checks)}


def answered(checks: Sequence[Check]) -> bool:
    """Whether the server was reached and answered."""
    reached = [check.status == OK for check in checks if check.name == "postgres.reachable"]
    return bool(reached) and all(reached)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, PSYCOPG2_ERROR, "psycopg2-binary", "python3-psycopg2")
    probe = Probe(module)
    run_probe(module, CHECKS, probe.run, probe.no_answer, results=probe.results)


if __name__ == "__main__":
    main()
