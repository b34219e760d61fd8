# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL itself says: its databases, their sizes, and which cluster it is."""

from __future__ import annotations

from contextlib import closing

from ....core.deadline import Deadline, DeadlineExceeded
from ....core.errors import NotCollected, Unreachable
from ...connection import PSYCOPG2_ERROR, Connection
from ...url import Target
from .snapshot import Server

#: Seconds that the server may take of the check's time limit. Its own check says that it is down.
SECONDS = 3.0

_DATABASES = """
SELECT datname,
       CASE WHEN has_database_privilege(oid, 'CONNECT')
              OR pg_has_role('pg_read_all_stats', 'USAGE')
            THEN pg_database_size(oid) END
  FROM pg_database
 WHERE datallowconn AND NOT datistemplate
"""
_IDENTIFIER = "SELECT system_identifier FROM pg_control_system()"


def ask(target: Target, deadline: Deadline) -> Server:
    """What the server says, or only the name in the URL if it gives no answer in time."""
    if PSYCOPG2_ERROR:
        return Server(database=_named(target))
    own = Deadline(deadline.remaining(SECONDS))
    with closing(Connection(target, "gpt_agent.runbook/backup_check", own)) as connection:
        try:
            connection.open()
            sizes = dict(connection.begin("which databases there are", _DATABASES))
            database = connection.database
            try:
                identifier = str(connection.rows("its identifier", _IDENTIFIER)[0][0])
            except NotCollected:
                identifier = ""
        except (Unreachable, DeadlineExceeded):
            deadline.remaining()  # raises if it is the whole time that is up
            return Server(database=_named(target), silent=True)
    return Server(identifier, database, sizes)


def _named(target: Target) -> str:
    return target.params.get("dbname") or target.params.get("user") or ""
