# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup on the machine of the database, as the user postgres with Debian's programs: taken,
proven, restored, and the restore undone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from testinfra.host import Host

FOLDER = "/var/lib/postgresql/backups"
SQL = "sudo -u postgres psql -qAtd %s -c %s"


@pytest.fixture
def kept(database: Host) -> Iterator[str]:
    """A database with 50,000 rows; yields its name, and leaves no version of it."""
    database.check_output("sudo -u postgres createdb kept")
    try:
        statement = "CREATE TABLE t AS SELECT g, md5(g::text) FROM generate_series(1, 50000) g"
        database.check_output(SQL, "kept", statement)
        yield "kept"
    finally:
        names = database.check_output(
            SQL, "postgres", "SELECT datname FROM pg_database WHERE datname ~ '^kept'"
        )
        for name in names.split():
            database.check_output("sudo -u postgres dropdb --force %s", name)
        database.check_output("rm -rf %s", FOLDER)


def test_from_the_backup_to_the_undone_restore(
    playbook: Callable[..., Any], database: Host, kept: str
) -> None:
    variables = {
        "backup_dir": FOLDER,
        "backup_databases": [kept],
        "postgres_backup_url": f"postgresql:///{kept}?host=/var/run/postgresql",
    }
    given = ("--limit", "database", "-e", json.dumps(variables))
    confirmed = ("-e", f"runbook_confirm={kept}")
    rows = partial(database.check_output, SQL, kept, "SELECT count(*) FROM t")

    taken = playbook("backup", *given)
    assert taken.code == 0, taken.output
    proven = playbook("verify_backups", *given)
    assert proven.code == 0, proven.output
    found = database.check_output(f"cat {FOLDER}/{kept}/*.manifest.json")
    assert json.loads(found)["proofs"][-1]["level"] == 6, found

    database.check_output(SQL, kept, "DELETE FROM t WHERE g > 7")
    plan = playbook("restore", *given)
    assert {each["status"] for each in plan.report["actions"]} == {"planned"}, plan.output
    assert rows() == "7"
    done = playbook("restore", *given, *confirmed)
    assert done.code == 0, done.output
    assert rows() == "50000"
    undone = playbook("restore", *given, *confirmed, "-e", "backup_restore_state=reverted")
    assert undone.code == 0, undone.output
    assert rows() == "7"
