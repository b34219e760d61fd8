#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_backup
short_description: Back up PostgreSQL databases, with the proof that each backup can be read
version_added: "0.1.0"
description:
  - Backs up one database, several or all of a server, and roles and other globals beside them, each
    as C(BACKUP_DIR/DATABASE/UTC_TIME.FORM) with a manifest C(UTC_TIME.manifest.json). Globals are
    in the folder C(@globals).
  - The dump and exact row counts of every table come from one exported snapshot, so a restore can
    be compared row by row, although others keep writing meanwhile.
  - A backup gets its final name only once it is proven to level 3. All files have their checksums,
    the table of contents holds every table, and all data could be read and decoded. Until then its
    name starts with C(.partial-).
  - Afterwards, and only if everything has succeeded, old backups are removed as O(keep) says.
notes:
  - A failed run leaves nothing that looks like a backup, and removes nothing older. What a killed
    run leaves behind is removed by the next one, or completed if only its last step was missing.
  - Retention counts verified backups only. It never removes the newest verified one, one that is
    not verified, or a file that this module did not write. If the newest backup is dated in the
    future, it removes nothing.
  - The role needs C(SELECT) on everything, as C(pg_read_all_data) has it. Only a superuser can back
    up the passwords of roles; without them, the globals are backed up all the same.
  - C(pg_dump) must not be older than the server. Of several versions, the oldest one that is not is
    used, since a backup can only be restored by programs that are not older.
  - pg_dump locks no one out, but waits for exclusive locks, at most O(lock_wait); then it is tried
    again, three times in all.
  - A hot standby can be backed up, too. It has no rows of unlogged tables, so the backup has none
    either. If it cancels the dump for the sake of replay, C(hot_standby_feedback) helps.
  - Sequences do not belong to a snapshot. Their values in the manifest are lower bounds.
  - With O(age_recipients), the backup is encrypted while it is written, and is never on disk
    unencrypted. Encryption implies one file (custom format), so such a backup is not parallel.
    Without O(age_identity), what the encryption program reads is proven and not what it wrote.
  - The connection must lead to PostgreSQL itself, not to a connection pooler.
  - Tested with PostgreSQL 14 to 18.
options:
  backup_dir:
    description:
      - Folder of the backups, an absolute path on the host that the module runs on. It is created
        if it does not exist, readable for its owner alone.
    type: path
    required: true
  databases:
    description:
      - Names of the databases to back up, or shell patterns; V(*) for all but templates. A pattern
        that matches nothing is an error.
      - Without it, the database of O(database_url).
    type: list
    elements: str
    default: []
  exclude:
    description: Names or shell patterns of databases to leave out.
    type: list
    elements: str
    default: []
  globals:
    description: Whether to back up roles, memberships, tablespaces and settings of roles, too.
    type: bool
    default: true
  form:
    description:
      - V(directory) writes a folder, with O(jobs) processes in parallel; V(custom) one file.
    type: str
    choices: [directory, custom]
    default: directory
  jobs:
    description:
      - Number of processes, each with a connection of its own, that dump a database together, and
        that decode the backup afterwards; V(0) for one per processor of this host, at most 4. Only
        for V(directory).
    type: int
    default: 0
  compression:
    description:
      - V(zstd:LEVEL), V(gzip:LEVEL) or V(none). Without it, zstd where pg_dump offers it; for one
        file else the program C(zstd) where it is installed; else V(gzip:1).
    type: str
  age_recipients:
    description:
      - Public keys, as V(age1...) or V(ssh-ed25519 ...), that the backups are encrypted for with
        the program C(age). Any one of their secret keys opens them.
    type: list
    elements: str
    default: []
  age_identity:
    description:
      - File on the host with a secret key of one of O(age_recipients), to verify the encrypted file
        itself. The host that is backed up should not have it.
    type: path
  keep:
    description:
      - Which backups of a database are kept after a run. The newest one of each of the last days,
        weeks, months and years that have one, in UTC. Without it, nothing is removed.
    type: dict
    suboptions:
      daily:
        description: Number of days.
        type: int
        default: 7
      weekly:
        description: Number of weeks.
        type: int
        default: 4
      monthly:
        description: Number of months.
        type: int
        default: 6
      yearly:
        description: Number of years.
        type: int
        default: 0
      at_least:
        description: So many of the newest ones are kept in any case, at least 1.
        type: int
        default: 3
  keep_free:
    description:
      - Space that stays free on the disk, such as V(1G). A backup that is not expected to fit is
        not begun, and one that leaves less is ended.
    type: str
    default: 1G
  lock_wait:
    description: Maximum seconds to wait for a lock on a table.
    type: float
    default: 60.0
  time_limit:
    description: Maximum seconds for the whole run, after which it ends and fails.
    type: float
    default: 21600.0
extends_documentation_fragment:
  - gpt_agent.runbook.backup
  - gpt_agent.runbook.backup_operation
  - gpt_agent.runbook.step
  - gpt_agent.runbook.postgres
  - gpt_agent.runbook.progress
attributes:
  check_mode:
    support: full
    description: >-
      Returns what would be backed up, with expected size and time, which old backups would be
      removed, and which slot each one that stays fills. Nothing is written.
  diff_mode:
    support: full
    description: Shows the backups to make and to remove before, and what of it is left afterwards.
  idempotent:
    support: none
    description: Every run makes new backups.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Back up the app's database and all roles
  gpt_agent.runbook.pg_backup:
    database_url: postgresql:///gpt_agent?host=/var/run/postgresql
    backup_dir: /var/backups/postgres
    keep: {daily: 7, weekly: 4, monthly: 6}
  become: true
  become_user: postgres

- name: Back up all databases, encrypted for two keys that are kept elsewhere
  gpt_agent.runbook.pg_backup:
    database_url: "{{ vault_database_url }}"
    backup_dir: /var/backups/postgres
    databases: ["*"]
    age_recipients: "{{ backup_age_recipients }}"
"""

RETURN = r"""
checks:
  description: C(backup.run); only C(postgres.reachable) if the server cannot be reached.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: backup.run
      subject: ""
      status: ok
      value: null
      unit: ""
      warning: null
      critical: null
      summary: "2 backups made and verified in /var/backups/postgres: 44.1 MiB in 2.9 s"
      remedy: ""
      window: ""
      evidence: []
actions:
  description: >-
    C(backup.sweep) for each leftover of a killed run, C(backup.dump) for each database and for the
    globals, C(backup.remove) for each old backup. In check mode also C(backup.keep), skipped, with
    the slots that each old backup fills. Only C(backup.dump), skipped, if O(requires) is not met.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: backup.dump
      subject: gpt_agent
      status: done
      reason: 42 tables with 20,167 rows, 44.1 MiB (zstd:2), level 3
      before: null
      after: /var/backups/postgres/gpt_agent/20261128T030000Z.dir
      seconds: 2.9
      bytes: 46242201
      estimate: null
complete:
  description: Whether everything that was asked for was backed up and verified.
  returned: always, except for usage errors
  type: bool
  sample: true
backups:
  description: The backups that were made; the database of globals is empty.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - database: gpt_agent
      path: /var/backups/postgres/gpt_agent/20261128T030000Z.dir
      level: 3
      bytes: 46242201
"""

import os
import signal
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.options import PROGRESS_OPTION
from ..module_utils.core.probe import require
from ..module_utils.core.progress import progress_reporter
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.postgres.backup.operation import back_up
from ..module_utils.postgres.backup.options import FORMS, Options
from ..module_utils.postgres.checks import CHECKS
from ..module_utils.postgres.connection import POSTGRES_OPTIONS, PSYCOPG2_ERROR
from ..module_utils.postgres.url import read_target

STRINGS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
ARGUMENT_SPEC = {
    **POSTGRES_OPTIONS,
    "backup_dir": {"type": "path", "required": True},
    "databases": STRINGS,
    "exclude": STRINGS,
    "globals": {"type": "bool", "default": True},
    "form": {"type": "str", "choices": list(FORMS), "default": "directory"},
    "jobs": {"type": "int", "default": 0},
    "compression": {"type": "str"},
    "age_recipients": STRINGS,
    "age_identity": {"type": "path"},
    "age_program": {"type": "str", "default": "age"},
    "keep": {
        "type": "dict",
        "options": {
            "daily": {"type": "int", "default": 7},
            "weekly": {"type": "int", "default": 4},
            "monthly": {"type": "int", "default": 6},
            "yearly": {"type": "int", "default": 0},
            "at_least": {"type": "int", "default": 3},
        },
    },
    "keep_free": {"type": "str", "default": "1G"},
    "lock_wait": {"type": "float", "default": 60.0},
    "time_limit": {"type": "float", "default": 21600.0},
    "bin_dir": {"type": "path"},
    "thresholds": {"type": "dict", "default": {}},
    "timeout": {"type": "float", "default": 30.0},
    "requires": STRINGS,
    **PROGRESS_OPTION,
}


def _end(signum: int, frame: Any) -> NoReturn:
    raise SystemExit(f"ended by signal {signum}")


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, PSYCOPG2_ERROR, "psycopg2-binary", "python3-psycopg2")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)  # so that nothing is left behind
    os.umask(0o077)  # whatever is written holds data or secrets
    try:
        target = read_target(module)
        options = Options.from_params(module.params)
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        with progress_reporter(module.params["progress_file"]) as report:
            outcome = back_up(target, options, thresholds, report, check_mode=module.check_mode)
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome, target.address)


if __name__ == "__main__":
    main()
