#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_restore
short_description: Prove that PostgreSQL's backups restore, and restore one so that it can be undone
version_added: "0.1.0"
description:
  - Works with the backups that M(gpt_agent.runbook.pg_backup) has written.
  - With O(state=verified) it proves that backups are good, and writes the level that was reached,
    the date and the measured time into their manifests. Levels 1 to 3 are about the files
    (complete, readable, decoded). Level 4 restores them into a database of their own, level 5
    compares every row count, sequence and extension with the snapshot that was backed up, and
    level 6 checks with C(pg_amcheck) that every index holds every row. That database is dropped
    afterwards.
  - With O(state=restored) it makes a new database from a backup, compares it in the same way, gives
    it statistics, and only then puts it in the place of the live one. Both are renamed in one
    transaction, which holds off new connections itself, and in which the sessions in the live
    database are ended. A kill at any moment leaves either the old database or the new one.
  - The database that was replaced stays as C(NAME_before_TIME). O(state=reverted) brings it back in
    the same way, and O(state=cleaned) drops those that are older than O(keep_days).
  - Owner, connection limit, settings, grants and comment of the live database are carried over to
    the new one. If there is no live one, they come from the backup. Whatever cannot be carried over
    is reported one by one.
  - A statement of the backup that fails is judged by its SQLSTATE. Owners and grants of missing
    roles are reported; any other error ends the restore before the live database is touched.
notes:
  - The login must be able to create databases and to own the objects; a superuser's is simplest.
    Level 6 needs one.
  - The connection must lead to PostgreSQL itself, not to a connection pooler.
  - While the databases are renamed, for a fraction of a second, new connections wait and are then
    refused once; apps that reconnect notice nothing else. The report says how long it was.
  - Replication slots belong to the database that was replaced, and subscriptions are not restored.
  - Two runs never work on one server at the same time; the second one fails and says who holds the
    lock. What a killed run has left behind, the next one drops.
  - If anything fails before the swap, the new database is dropped, and the live one is as it was.
  - Needs the client programs of PostgreSQL, not older than the server and than those that wrote the
    backup; C(age) and C(zstd) where the backup was written with them.
  - Tested with PostgreSQL 14 to 18.
options:
  state:
    description:
      - V(verified) to prove backups, V(restored) to replace a database by a backup or to make one
        from it, V(reverted) to bring back what was replaced last, V(cleaned) to drop what was
        replaced long ago.
    type: str
    choices: [verified, restored, reverted, cleaned]
    default: verified
  backup_dir:
    description:
      - Folder of the backups. Required for V(verified) and V(restored), unless O(backup) is a path.
    type: path
  backup:
    description:
      - Which backup. V(latest) is the newest one, and for O(state=restored) the newest that is
        verified; V(all) is every one, for O(state=verified) only. Else a name or time, such as
        V(20261128T030000Z), or the path of a backup.
      - A path may also be that of a dump in plain SQL, C(*.sql) or C(*.sql.gz), as the runbook's
        own script writes them. It must end with the line that says that it is complete, its rows
        are counted, and C(psql) stops at the first error. A C(psql) that would run commands from
        the dump is refused.
    type: str
    default: latest
  database:
    description:
      - Database to restore, to revert, or whose earlier versions are dropped. Defaults to the one
        in O(database_url); for O(state=cleaned), to all.
    type: str
    default: ""
  source:
    description:
      - Database whose backup is restored. Defaults to O(database). A database is not replaced by
        the backup of another one, even if O(backup) is its path, unless this names that one.
    type: str
    default: ""
  databases:
    description:
      - Shell patterns of the databases whose backups are verified. Empty for all that have a
        backup, and the globals.
    type: list
    elements: str
    default: []
  tables:
    description:
      - Tables to restore beside the live ones, with O(state=restored), as C(TABLE) or
        C(SCHEMA.TABLE). Each becomes C(TABLE_restored_TIME) in the live database, with its rows and
        types, but without keys, defaults and triggers. Nothing else is changed, so O(confirm) is
        not needed.
    type: list
    elements: str
    default: []
  level:
    description:
      - Level of proof to reach with O(state=verified), from 1 to 6.
    type: int
    default: 6
  verify_url:
    description:
      - Another server to which O(state=verified) streams the backups, and on which it restores
        them, in the form of O(database_url). The server that was backed up is then left alone, and
        no copy of a backup is written elsewhere.
      - It must lead from the host of the backups to another one; one with C(localhost) or a socket
        is refused. Defaults to O(database_url).
    type: str
  temporary_server:
    description:
      - Whether O(state=verified) starts a PostgreSQL server of its own, on which it restores the
        backups, and which it removes afterwards. Then neither O(database_url) nor any running
        server is needed, and none is touched. The roles of a backup are created there, without
        rights.
      - It needs C(initdb) and C(postgres) beside C(pg_restore), and the extensions of the backups.
        It listens on a socket in a private folder alone. Where the module runs as root, the server
        runs as C(postgres), or as a user without rights. Not together with O(verify_url).
    type: bool
    default: false
  temporary_dir:
    description:
      - Folder for the files of the temporary server, with room for the largest database. Defaults
        to the system's folder for temporary files.
    type: path
  confirm:
    description:
      - Name of the database, needed to replace or revert one. Not needed in check mode, and for a
        database that does not exist yet.
      - A wrong name is refused in every state but V(verified), in check mode, too. With
        O(state=cleaned) it is that in O(database_url) unless O(database) is given.
    type: str
    default: ""
  safety_backup:
    description:
      - Whether to back up the live database before it is replaced. If that fails, nothing is done.
    type: bool
    default: true
  age_identity:
    description:
      - File with the key of encrypted backups, on the host where the module runs.
    type: path
  jobs:
    description:
      - Number of processes that decode, restore, compare and analyze at the same time.
    type: int
    default: 2
  keep_days:
    description:
      - Days for which O(state=cleaned) keeps a database that was replaced.
    type: float
    default: 7.0
  time_limit:
    description:
      - Seconds for the whole run. What is running at the end is ended, and the live database stays
        as it is.
    type: float
    default: 14400.0
extends_documentation_fragment:
  - gpt_agent.runbook.backup
  - gpt_agent.runbook.backup_operation
  - gpt_agent.runbook.step
  - gpt_agent.runbook.postgres
  - gpt_agent.runbook.progress
attributes:
  check_mode:
    support: full
    description: Returns the plan of a real run, and carries out nothing.
  diff_mode:
    support: full
    description: Shows the steps that are needed before, and those that are left afterwards.
  idempotent:
    support: none
    description: Every run restores anew.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
seealso:
  - module: gpt_agent.runbook.pg_maintenance
"""

EXAMPLES = r"""
- name: Prove that the newest backup of every database restores
  gpt_agent.runbook.pg_restore:
    database_url: "{{ vault_database_url }}"
    backup_dir: /var/backups/postgres

- name: Prove it on a staging server, to which they are streamed
  gpt_agent.runbook.pg_restore:
    database_url: "{{ vault_database_url }}"
    backup_dir: /var/backups/postgres
    verify_url: postgresql://verify:{{ vault_password }}@staging-db.example.com/postgres

- name: Prove it on the host of the backups, on a server that exists for that long
  gpt_agent.runbook.pg_restore:
    backup_dir: /var/backups/postgres
    temporary_server: true
    temporary_dir: /var/tmp
  become: true
  become_user: postgres

- name: Show what restoring the newest verified backup would do
  gpt_agent.runbook.pg_restore:
    database_url: postgresql:///gpt_agent?host=/var/run/postgresql
    state: restored
    backup_dir: /var/backups/postgres
  check_mode: true

- name: Replace the database by a backup
  gpt_agent.runbook.pg_restore:
    database_url: postgresql:///gpt_agent?host=/var/run/postgresql
    state: restored
    backup_dir: /var/backups/postgres
    backup: 20261128T030000Z
    confirm: gpt_agent

- name: Bring back what was replaced
  gpt_agent.runbook.pg_restore:
    database_url: postgresql:///gpt_agent?host=/var/run/postgresql
    state: reverted
    confirm: gpt_agent
"""

RETURN = r"""
checks:
  description: >-
    C(backup.restorable) for each backup that was verified, or C(backup.restored); only
    C(postgres.reachable) if the server cannot be reached.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: backup.restored
      subject: gpt_agent
      status: ok
      value: null
      unit: ""
      warning: null
      critical: null
      summary: >-
        Database 'gpt_agent' is that of 20261128T030000Z.dir, with 1,204,311 rows, in 38 s;
        connections were held off for 121 ms and 9 sessions ended
      remedy: ""
      window: ""
      evidence: []
actions:
  description: One for each step, in the order in which they ended.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: restore.swap
      subject: gpt_agent
      status: done
      reason: the old one stays as gpt_agent_before_20261128_081500
      before: null
      after: {held_seconds: 0.121, ended: 9}
      seconds: 0.164
      bytes: null
      estimate: null
"""

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
from ..module_utils.postgres.checks import CHECKS
from ..module_utils.postgres.connection import POSTGRES_OPTIONS, PSYCOPG2_ERROR
from ..module_utils.postgres.restore.operation import restore
from ..module_utils.postgres.restore.options import STATES, VERIFIED, Options
from ..module_utils.postgres.restore.run import Run
from ..module_utils.postgres.restore.safety import safety_backup
from ..module_utils.postgres.restore.server import another_server
from ..module_utils.postgres.url import Target, read_target

ARGUMENT_SPEC = {
    **POSTGRES_OPTIONS,
    "state": {"type": "str", "choices": list(STATES), "default": VERIFIED},
    "backup_dir": {"type": "path"},
    "backup": {"type": "str", "default": "latest"},
    "database": {"type": "str", "default": ""},
    "source": {"type": "str", "default": ""},
    "databases": {"type": "list", "elements": "str", "default": []},
    "tables": {"type": "list", "elements": "str", "default": []},
    "level": {"type": "int", "default": 6},
    "verify_url": {"type": "str", "no_log": True},
    "temporary_server": {"type": "bool", "default": False},
    "temporary_dir": {"type": "path"},
    "confirm": {"type": "str", "default": ""},
    "safety_backup": {"type": "bool", "default": True},
    "age_identity": {"type": "path"},
    "age_program": {"type": "str", "default": "age"},
    "bin_dir": {"type": "path"},
    "jobs": {"type": "int", "default": 2},
    "keep_days": {"type": "float", "default": 7.0},
    "time_limit": {"type": "float", "default": 14400.0},
    "timeout": {"type": "float", "default": 30.0},
    "thresholds": {"type": "dict", "default": {}},
    "requires": {"type": "list", "elements": "str", "default": []},
    **PROGRESS_OPTION,
}


def _end(signum: int, frame: Any) -> NoReturn:
    raise SystemExit(f"ended by signal {signum}")


def _target(module: AnsibleModule) -> Target:
    """The server to restore on; one without parameters if the module starts it itself."""
    if module.params["temporary_server"]:
        if module.params["verify_url"]:
            raise UsageError("temporary_server: is another server than that in verify_url; set one")
        return Target({})
    target = read_target(module)
    if module.params["verify_url"] and module.params["state"] == VERIFIED:
        return another_server(module.params["verify_url"])
    return target


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, PSYCOPG2_ERROR, "psycopg2-binary", "python3-psycopg2")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)  # so that what is running is ended, and dropped
    try:
        target = _target(module)
        options = Options.from_params(module.params)
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        with progress_reporter(module.params["progress_file"]) as report:
            run = Run(options, report)
            back_up = safety_backup(target, options, report)
            outcome = restore(target, run, thresholds, back_up, module.check_mode)
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome, target.address if target.params else "")


if __name__ == "__main__":
    main()
