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
            "Check user and password in database_url. Only PostgreSQL's log says more: a wrong "
            "password, no such role, an expired one ('ALTER ROLE … VALID UNTIL'), or a password "
            "stored as MD5 while pg_hba.conf requires SCRAM ('\\password {user}' in psql).",
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
            "[Ii]dent authentication",
            "PostgreSQL at {address} asks an ident server who connects, and does not accept its "
            "answer for role '{user}'; it never asks for a password",
            "Change the method of this connection in pg_hba.conf from ident to scram-sha-256, then "
            "'SELECT pg_reload_conf();'.",
        ),
        (
            "(LDAP|RADIUS|PAM|BSD|GSSAPI|SSPI) authentication",
            "PostgreSQL at {address} refuses the login of role '{user}' ({text})",
            "PostgreSQL asked another service, which refused or did not answer: PostgreSQL's log "
            "says which. Check that service, then user and password in database_url.",
        ),
        (
            "[Pp]eer authentication",
            "PostgreSQL at {address} accepts role '{user}' only from the operating system user of "
            "the same name (peer authentication)",
            "Run the task as that user (become_user), or give host and password in database_url.",
        ),
    ],
    "3D000": [
        (
            r"pg_tblspc/|\bbase/\d",
            "The files of database '{database}' of PostgreSQL at {address} are missing ({more})",
            "Check first that the disk with this folder is mounted; mount it and restart "
            "PostgreSQL. If the files are gone, restore the last backup; do not drop anything.",
        ),
        (
            "",
            "PostgreSQL at {address} has no database '{database}'",
            "Check the database in database_url; 'psql -l' lists the existing ones. If it was "
            "dropped, restore it from the last backup.",
        ),
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
            "LIMIT is used up, or 0",
            "End leaked sessions of that role or lower the pool size of its apps; "
            "'ALTER ROLE … CONNECTION LIMIT' raises the limit. With 0 the role cannot log in at "
            "all: find out who locked it, and why.",
        ),
        (
            "connections for database",
            "PostgreSQL at {address} is out of connection slots for database '{database}': its "
            "CONNECTION LIMIT is used up, or 0",
            "End leaked sessions in that database or lower the pool size of its apps; "
            "'ALTER DATABASE … CONNECTION LIMIT' raises the limit. With 0 only superusers can "
            "connect: find out who locked the database, and why.",
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
            "Find out in its log who stopped it, then start it: 'systemctl start postgresql', on "
            "Debian that of its cluster, as in 'postgresql@15-main'.",
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
    "57P05": [
        (
            "",
            "PostgreSQL at {address} ended the session at once ({text})",
            "idle_session_timeout of role '{user}' is too short; it is in milliseconds unless a "
            "unit is given: SELECT * FROM pg_db_role_setting.",
        )
    ],
    "58P01": [
        (
            r"could not access file|\$libdir",
            "PostgreSQL at {address} cannot load a library that it loads for each session ({text})",
            "Install its package for this version of PostgreSQL, or take it out of "
            "session_preload_libraries or local_preload_libraries: they are set in "
            "postgresql.conf, or for role or database (SELECT * FROM pg_db_role_setting).",
        )
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

#: While logging in, errors of these classes come from code of the operator's own.
LOGIN_CODE = ("22", "23", "25", "2F", "38", "39", "42", "P0")
AT_LOGIN = (
    "PostgreSQL at {address} refuses the login of role '{user}': code that runs at each login "
    "raised an error ({text})",
    "Find it: an event trigger ON login (PostgreSQL 17 or newer: SELECT * FROM pg_event_trigger), "
    "or a library in session_preload_libraries. Past such a trigger a superuser logs in with "
    "PGOPTIONS='-c event_triggers=off' psql.",
)

#: Words of PostgreSQL that poolers pass on as they are.
SERVERS_WORDS = re.compile(
    "clients already|is not currently accepting connections|could not access file|"
    "remaining connection slots|too many connections for|pg_hba.conf|role .* does "
    "not exist|database .* does not exist|the database system is|is not permitted to log in"
)
