# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why PostgreSQL refuses a connection, by the SQLSTATE of its error. Pure."""

from __future__ import annotations

import re

#: By SQLSTATE, then by a part of the server's (English) text: summary and remedy.
#: The first match counts; an empty pattern matches everything.
BY_STATE: dict[str, list[tuple[str, str, str]]] = {
    "28P01": [
        (
            "",
            "PostgreSQL at {address} refuses the password of role '{user}'",
            "Check user and password in database_url (the role may not exist); to set a password, "
            "run '\\password {user}' in psql as a superuser.",
        )
    ],
    "28000": [
        (
            r"pg_hba\.conf",
            "pg_hba.conf of PostgreSQL at {address} does not allow role '{user}' from this host "
            "into database '{database}' ({text})",
            "Add this client to pg_hba.conf, then 'SELECT pg_reload_conf();' (a managed database: "
            "to its allowed addresses). If only encrypted connections are allowed, add "
            "sslmode=require to database_url.",
        ),
        (
            "role .* does not exist",
            "PostgreSQL at {address} has no role '{user}'",
            "Check the user in database_url, or create it: 'createuser {user}'.",
        ),
        (
            "not permitted to log in",
            "Role '{user}' is not allowed to log in to PostgreSQL at {address}",
            'As a superuser: ALTER ROLE "{user}" LOGIN.',
        ),
        (
            "[Pp]eer authentication|[Ii]dent authentication",
            "PostgreSQL at {address} accepts role '{user}' only from the operating system user of "
            "the same name (peer authentication)",
            "Run the task as that user (become_user), or give host and password in database_url.",
        ),
    ],
    "3D000": [
        (
            "",
            "PostgreSQL at {address} has no database '{database}'",
            "Check the database in database_url; 'psql -l' lists the existing ones. If it was "
            "dropped, restore it from the last backup.",
        )
    ],
    "42501": [
        (
            "",
            "Role '{user}' lacks permission to connect to database '{database}' of PostgreSQL at "
            "{address}",
            'As a superuser: GRANT CONNECT ON DATABASE "{database}" TO "{user}".',
        )
    ],
    "55000": [
        (
            "DROP DATABASE|invalid database",
            "Database '{database}' of PostgreSQL at {address} is invalid: a DROP DATABASE was "
            "interrupted, so part of its files are gone",
            'Finish it in another database: DROP DATABASE "{database}"; restore the data from the '
            "last backup if it is still needed.",
        ),
        (
            "",
            "Database '{database}' of PostgreSQL at {address} accepts no connections ({text})",
            "Unless it is being restored or renamed: "
            'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true.',
        ),
    ],
    "53300": [
        (
            "connections for role",
            "PostgreSQL at {address} is out of connection slots for role '{user}': its CONNECTION "
            "LIMIT is used up",
            "End leaked sessions of that role or lower the pool size of its apps; "
            "'ALTER ROLE … CONNECTION LIMIT' raises the limit.",
        ),
        (
            "connections for database",
            "PostgreSQL at {address} is out of connection slots for database '{database}': its "
            "CONNECTION LIMIT is used up",
            "End leaked sessions in that database or lower the pool size of its apps; "
            "'ALTER DATABASE … CONNECTION LIMIT' raises the limit.",
        ),
        (
            "wal_sender|walsender",
            "PostgreSQL at {address} has no slot left for a replication connection",
            "Raise max_wal_senders.",
        ),
        (
            "",
            "PostgreSQL at {address} is out of connection slots: all that role '{user}' can use "
            "are taken",
            "Check the connection pool. Slots are reserved for superusers and, from PostgreSQL 16 "
            "on, for roles with pg_use_reserved_connections where reserved_connections is above 0. "
            "With the URL of such a role, 'ansible-playbook playbooks/relieve_connections.yml' "
            "shows who holds the others and ends idle sessions. If the reserved slots are taken, "
            "too, restart the leaking app or lower its pool size.",
        ),
    ],
    "57P03": [
        (
            "starting up",
            "PostgreSQL at {address} is starting up and accepts no connections yet",
            "Wait; recovery after a crash can take a while, and the log shows its progress.",
        ),
        (
            "shutting down",
            "PostgreSQL at {address} is shutting down",
            "Find out in its log who stopped it, then start it: 'systemctl start postgresql'.",
        ),
        (
            "recovery mode",
            "PostgreSQL at {address} is recovering from a crash and accepts no connections yet",
            "Wait, then find the cause of the crash in its log ('terminated by signal', 'PANIC') "
            "and in 'journalctl -k' (OOM killer).",
        ),
        (
            "not yet accepting|not accepting",
            "PostgreSQL at {address} is in recovery (a standby or a restore) and accepts no "
            "connections",
            "Wait until it is consistent; a standby accepts queries only with hot_standby = on. "
            "The log shows its progress.",
        ),
        (
            "",
            "PostgreSQL at {address} accepts no connections at the moment ({text})",
            "Wait; if this persists, read its log.",
        ),
    ],
    "57P01": [
        (
            "",
            "PostgreSQL at {address} ended the connection: {text}",
            "Find out in its log who stopped it or ended the session, then run the check again.",
        )
    ],
    "53100": [
        (
            "",
            "PostgreSQL at {address} has no disk space left ({text})",
            "Free space on the database's disk; never delete files in pg_wal by hand.",
        )
    ],
    "53200": [
        (
            "",
            "PostgreSQL at {address} is out of memory ({text})",
            "Find out what uses the host's memory; lower work_mem or the number of connections.",
        )
    ],
}

#: By the first two characters of the SQLSTATE, for what no text above explains.
BY_CLASS: dict[str, list[tuple[str, str, str]]] = {
    "28": [
        (
            "",
            "PostgreSQL at {address} refuses the login of role '{user}' ({text})",
            "Check user, password and certificate in database_url, that the role exists and may "
            "log in (\\du in psql), and the lines of pg_hba.conf for it; PostgreSQL's log says "
            "which line decided.",
        )
    ],
    "53": [
        (
            "",
            "PostgreSQL at {address} is out of a resource ({text})",
            "Free what the message names: disk, memory, open files or connections.",
        )
    ],
    "57": [
        (
            "",
            "PostgreSQL at {address} ended the session ({text})",
            "Find out in its log who did it, then run the check again.",
        )
    ],
    "58": [
        (
            "",
            "PostgreSQL at {address} cannot use a file it needs ({text})",
            "Check the disk and 'journalctl -k', then PostgreSQL's log; check the backups "
            "before anything else.",
        )
    ],
    "XX": [
        (
            "",
            "PostgreSQL at {address} reports an internal error ({text})",
            "Read its log. Data may be damaged: check the backups before anything else.",
        )
    ],
}

#: Words of PostgreSQL that poolers pass on as they are.
SERVERS_WORDS = re.compile(
    "clients already|remaining connection slots|too many connections for|pg_hba.conf|role .* does "
    "not exist|database .* does not exist|the database system is|is not permitted to log in"
)
