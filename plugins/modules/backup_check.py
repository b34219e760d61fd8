#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_check
short_description: Check the backups of PostgreSQL
version_added: "0.1.0"
description:
  - Checks the backups in a folder by their manifests and the sizes of their files, or by the record
    of pgBackRest or Barman. It reads no backup's content; the proof in a manifest says who
    did, when, and how far it came.
  - C(backup.age) is the age of the newest verified backup of each database. Verified are those
    whose data could all be read (level 3 of proof), with every file there in its size. A backup
    dated in the future has no known age and is V(unknown). That the newest one is of another server
    is a warning.
  - C(backup.proof) says how far the newest backup is proven, whether C(pg_restore) on this host is
    new enough for it, and when a backup of the database was last restored as a test. A newest
    backup that is damaged, or failed its last verification, is critical.
  - C(backup.size) compares the newest verified backup with those before it of the same form and
    compression. One without a row, after one with rows, is critical whatever its size.
  - C(backup.schedule) counts the days without a verified backup, of the six before today. It is
    not judged if the limit of C(backup.age) allows two days or more.
  - C(backup.space) is for how many more backups of all these databases the disk has room, beside
    what O(keep_free) leaves free. The size of the next one follows from the last one and the size
    of the database, as M(gpt_agent.runbook.pg_backup) expects it before it starts.
  - C(backup.foreign) names what lies in the folder and is no usable backup. Broken ones are
    critical; what a killed run has left behind, what is not written by this collection, and what
    other users can read is a warning.
  - Without a folder, C(backup.age) is V(unknown), as nothing shows whether there is a backup. In a
    server younger than the limit of C(backup.age), a database without a backup is not judged yet.
  - If there is an O(database_url), the server says which databases there are, how large they are,
    and which server it is. If it gives no answer, the backups are judged without that.
extends_documentation_fragment:
  - gpt_agent.runbook.backup
  - gpt_agent.runbook.postgres
  - gpt_agent.runbook.probe
options:
  backup_dir:
    description:
      - Folder of this collection's backups, an absolute path. One that does not exist holds no
        backup.
    type: path
  databases:
    description:
      - Names or shell patterns of the databases that must have a backup, V(*) for all but
        templates. Patterns need O(database_url); without it they apply to the folders in
        O(backup_dir).
      - Empty for the database in O(database_url), and without that, for each that has a folder.
    type: list
    elements: str
    default: []
  exclude:
    description: Names or shell patterns of databases that need no backup.
    type: list
    elements: str
    default: []
  keep_free:
    description:
      - Space that a backup must leave free on the disk, such as C(1G). One that would not is not
        started.
    type: str
    default: 1G
  tools:
    description:
      - What takes the backups. V(runbook) is this collection, with O(backup_dir).
    type: list
    elements: str
    choices: [runbook, pgbackrest, barman]
    default: [runbook]
  server_name:
    description: Stanza of pgBackRest or server of Barman. Defaults to all that the tool knows.
    type: str
notes:
  - Run it as the user who owns the backups, or as root; they are closed to others.
  - The lock of the backups is never taken, so a check does not get into the way of a backup.
seealso:
  - module: gpt_agent.runbook.pg_backup
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: The backups of the database in DATABASE_URL
  gpt_agent.runbook.backup_check:
    backup_dir: /var/backups/postgres

- name: Every database must have a backup; they are taken once a week
  gpt_agent.runbook.backup_check:
    backup_dir: /var/backups/postgres
    databases: ["*"]
    thresholds:
      backup.age: {warning: 612000, critical: 1209600}
  become: true
  become_user: postgres

- name: The backups that pgBackRest takes
  gpt_agent.runbook.backup_check:
    tools: [pgbackrest]
    server_name: main
  become: true
  become_user: postgres
"""

RETURN = r"""
target:
  description: The folder of the backups; empty without one.
  returned: success
  type: str
  sample: /var/backups/postgres
checks:
  description: What was found about the backups of each database, and about the folder.
  returned: success
  type: list
  elements: dict
  sample:
    - name: backup.age
      subject: gpt_agent
      status: ok
      value: 10800
      unit: seconds
      warning: 93600
      critical: 180000
      summary: >-
        The newest verified backup is 3 h old (20261128T030000Z.dir, 1.2 GiB, level 5)
      remedy: ""
      window: ""
      evidence:
        - backup: 20261128T030000Z.dir
          age: 3 h
          size: 1.2 GiB
          proof: "compared: every row count is that of the snapshot"
    - name: backup.foreign
      subject: /var/backups/postgres
      status: warning
      value: 1
      unit: count
      warning: 0
      critical: null
      summary: >-
        backup-20260101.sql.gz: a dump that nothing proves: 'gzip -t' passes on an empty one, too
      remedy: >-
        Move away what does not belong there. Keep a broken backup until you know what broke it.
      window: ""
      evidence:
        - path: backup-20260101.sql.gz
          reason: "a dump that nothing proves: 'gzip -t' passes on an empty one, too"
"""

from collections.abc import Iterator

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.check import Check
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.errors import UsageError
from ..module_utils.core.options import PROBE_OPTIONS
from ..module_utils.core.probe import read_options, run_probe
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.postgres.backup.check.assess import assess, no_answer
from ..module_utils.postgres.backup.check.checks import CHECKS
from ..module_utils.postgres.backup.check.collect import collect
from ..module_utils.postgres.backup.check.options import RUNBOOK, TOOLS, Options
from ..module_utils.postgres.connection import POSTGRES_OPTIONS, PSYCOPG2_ERROR
from ..module_utils.postgres.url import Target, parse_url

ARGUMENT_SPEC = {
    **POSTGRES_OPTIONS,
    **PROBE_OPTIONS,
    "backup_dir": {"type": "path"},
    "databases": {"type": "list", "elements": "str", "default": []},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "keep_free": {"type": "str", "default": "1G"},
    "tools": {"type": "list", "elements": "str", "choices": list(TOOLS), "default": [RUNBOOK]},
    "server_name": {"type": "str"},
    "bin_dir": {"type": "path"},
}


def target_of(module: AnsibleModule) -> Target | None:
    """The server to ask; none without a usable URL, as pg_health says what is wrong with it."""
    if not module.params["database_url"] or PSYCOPG2_ERROR:
        return None
    try:
        return parse_url(module.params["database_url"])
    except UsageError as error:
        module.warn(f"The server is not asked. {error}")
        return None


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    options = read_options(module, Options.from_params)

    def probe(thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        snapshot = collect(options, target_of(module), deadline)
        yield from assess(snapshot, options, thresholds)

    run_probe(
        module,
        CHECKS,
        probe,
        lambda thresholds: no_answer(module.params["timeout"], thresholds),
        results=lambda checks: {"target": options.backup_dir},
    )


if __name__ == "__main__":
    main()
