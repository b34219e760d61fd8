# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why PostgreSQL is unreachable: errors of the server and of libpq, told apart. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..core.errors import Unreachable, UsageError
from ..core.text import redact, shorten

#: By SQLSTATE, then by a part of the server's (English) text: summary and remedy.
#: The first match counts; an empty pattern matches everything.
_BY_STATE: dict[str, list[tuple[str, str, str]]] = {
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
            "pg_hba.conf entry|pg_hba.conf rejects",
            "pg_hba.conf of PostgreSQL at {address} does not allow role '{user}' from this host "
            "into database '{database}' ({text})",
            "Add this client to pg_hba.conf, then 'SELECT pg_reload_conf();'; if only encrypted "
            "connections are allowed, add sslmode=require to database_url.",
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
            "",
            "Database '{database}' of PostgreSQL at {address} accepts no connections ({text})",
            "Unless it is being restored or renamed: "
            'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true.',
        )
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

#: By a part of libpq's own text, in English: summary and remedy; the first match counts.
_BY_TEXT: list[tuple[str, str, str]] = [
    (
        "no password supplied",
        "PostgreSQL at {address} requires a password for role '{user}', and database_url has none",
        "Put the password into database_url, or into ~/.pgpass of the user who runs the task.",
    ),
    (
        "Connection refused",
        "PostgreSQL at {address} refuses the connection: nothing listens there",
        "Start it: 'systemctl start postgresql'; if it stops again, its log says why. If it runs, "
        "check listen_addresses, its port and database_url.",
    ),
    (
        "No such file or directory.*socket|socket.*No such file or directory",
        "PostgreSQL is not running at {address}: there is no such socket",
        "Start it: 'systemctl start postgresql'; if it runs, compare port and "
        "unix_socket_directories with database_url.",
    ),
    (
        "Permission denied.*socket|socket.*Permission denied",
        "The user who runs the task lacks permission to use PostgreSQL's {address}",
        "Run the task as another user (become_user: postgres), or give host and password in "
        "database_url.",
    ),
    (
        "Resource temporarily unavailable",
        "PostgreSQL at {address} takes no new connections: its queue is full, so it is frozen or "
        "overloaded",
        "Check its processes ('ps -o stat,cmd -C postgres': T is stopped, D waits for the disk) "
        "and the host's load.",
    ),
    (
        "No route to host|[Nn]etwork is unreachable|Host is unreachable|Host is down",
        "PostgreSQL's host at {address} is unreachable over the network",
        "Check that the host is up, and the network and routes to it.",
    ),
    (
        "Connection timed out|timeout expired|Operation timed out",
        "PostgreSQL at {address} does not answer: the connection timed out",
        "Check that the host is up, and the firewalls on the way.",
    ),
    (
        "does not support SSL",
        "PostgreSQL at {address} does not support TLS, and database_url requires it (sslmode)",
        "Enable TLS on the server (ssl = on, with certificate and key); remove sslmode from "
        "database_url only on a trusted network.",
    ),
    (
        "certificate verify failed|does not match host name|certificate has expired"
        "|certificate revoked",
        "The certificate of PostgreSQL at {address} is not trusted ({text})",
        "Renew or correct the server's certificate, or set sslrootcert in database_url to the CA "
        "that issued it.",
    ),
    (
        "root certificate file|certificate file|private key file",
        "A TLS file for PostgreSQL at {address} cannot be used ({text})",
        "Check sslrootcert, sslcert and sslkey in database_url, and that the user who runs the "
        "task has permission to read them.",
    ),
    (
        "expected authentication request|SSL negotiation|negotiation response|invalid response"
        "|protocol.*not supported|unsupported.*protocol",
        "The service at {address} does not speak PostgreSQL's protocol",
        "Check host and port in database_url.",
    ),
    (
        "closed the connection unexpectedly|Connection reset|Broken pipe|could not send"
        "|EOF detected|server closed",
        "PostgreSQL at {address} closed the connection without an error message: it crashed, was "
        "killed, or is not PostgreSQL",
        "Check its log for a crash or a restart ('terminated by signal'), and 'journalctl -k' for "
        "the OOM killer.",
    ),
    (
        "session is (not )?read-only|hot standby",
        "No server at {address} is of the kind that target_session_attrs in database_url requires",
        "Find the primary ('SELECT pg_is_in_recovery()'); after a failover, correct database_url.",
    ),
    (
        "SSL",
        "No encrypted connection to PostgreSQL at {address} ({text})",
        "Check the server's TLS settings and the sslmode in database_url.",
    ),
]

_SERVER_SAID = re.compile(r"^(?:.*?failed: )?\s*[^\s:]{1,20}:\s+([0-9A-Z]{5}): (.*)$", re.MULTILINE)
_BAD_PARAMETER = re.compile(
    r'invalid (?:(\w+) value: |\w+ value .* for connection option "(\w+)"'
    r'|connection option "(\w+)"|(port) number)'
)

_FROZEN = (
    "Check its processes ('ps -o stat,cmd -C postgres': T is stopped, D waits for the disk), the "
    "disk and the host's load; restart it if it hangs."
)


def explain(
    text: str,
    address: str,
    user: str,
    database: str,
    secrets: Iterable[str] = (),
    code: str | None = None,
) -> Unreachable:
    """The error behind an error text; raises `UsageError` where libpq did not even try.

    ``code`` is the SQLSTATE of an error after the connection was made. Before, the text has it.
    """
    said = [(code, text)] if code else _SERVER_SAID.findall(text)
    if not said and (bad := _BAD_PARAMETER.search(text)):
        parameter = next((name for name in bad.groups() if name), "a parameter")
        raise UsageError(
            f"database_url: malformed; {parameter} has a value that libpq does not know"
        )
    state, message = _decisive(said, text)
    message = redact(message, secrets)
    summary, remedy = _known_cause(_BY_STATE.get(state, []) if said else _BY_TEXT, message)
    if not summary:
        verb = "answers with an error" if code else "refuses the connection"
        summary = f"PostgreSQL at {{address}} {verb}: {{text}}"
    fields = {"address": address, "user": user, "database": database, "text": shorten(message, 160)}
    return Unreachable(summary.format(**fields), remedy.format(**fields))


def _decisive(said: list[tuple[str, str]], text: str) -> tuple[str, str]:
    """SQLSTATE and message that explain the failure, of all that several attempts gave.

    A server's message explains more than a closed port; and with sslmode=prefer, pg_hba.conf may
    refuse the second attempt, without encryption, whatever the result of the first.
    """
    if not said:
        return "", text
    return next((each for each in said if each[0] != "28000"), said[0])


def _known_cause(causes: list[tuple[str, str, str]], message: str) -> tuple[str, str]:
    for pattern, summary, remedy in causes:
        if re.search(pattern, message, re.DOTALL):
            return summary, remedy
    return "", ""


def no_answer(phase: str, question: str, address: str, seconds: float) -> Unreachable:
    """The error for a time limit that expired, by how far the connection got."""
    within = f"within {seconds:g} s"
    if phase == "resolve":
        return Unreachable(
            f"The name of PostgreSQL's host at {address} was not resolved {within}",
            "Check the DNS resolver of this host: /etc/resolv.conf.",
        )
    if phase == "connect":
        return Unreachable(
            f"No answer at all from PostgreSQL's host at {address} {within}: the host is down or "
            "a firewall drops the packets",
            "Check that the host is up, and the firewalls on the way.",
        )
    if phase == "handshake":
        return Unreachable(
            f"PostgreSQL at {address} takes the connection but does not answer {within}: it is "
            "frozen or badly overloaded",
            _FROZEN,
        )
    return Unreachable(
        f"PostgreSQL at {address} accepted the connection, then did not answer {within} when "
        f"asked about {question}: it is frozen or overloaded",
        f"{_FROZEN} Behind a connection pooler, no connection of the pool may be free: SHOW POOLS.",
    )
