# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why PostgreSQL cannot be had, told apart and in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..core.errors import UsageError
from ..core.text import redact, shorten


class Refusal(Exception):
    """The server cannot be used; the text is a summary for people."""

    def __init__(self, summary: str, remedy: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.remedy = remedy
        """What to do, where more is known than for any unreachable server."""


#: By SQLSTATE, then by a part of the server's (English) text, the first match counts: summary and remedy.
_BY_STATE: dict[str, list[tuple[str, str, str]]] = {
    "28P01": [
        (
            "",
            "PostgreSQL at {address} refuses the password of role '{user}'",
            "Check user and password in database_url (there may be no such role); set a password with '\\password {user}' in psql as a superuser.",
        )
    ],
    "28000": [
        (
            "pg_hba.conf entry|pg_hba.conf rejects",
            "pg_hba.conf of PostgreSQL at {address} does not let role '{user}' from this machine into database '{database}' ({text})",
            "Add this client to pg_hba.conf, then 'SELECT pg_reload_conf();'; if only encrypted connections are let in, add sslmode=require to database_url.",
        ),
        (
            "role .* does not exist",
            "PostgreSQL at {address} has no role '{user}'",
            "Check the user in database_url, or create it: 'createuser {user}'.",
        ),
        (
            "not permitted to log in",
            "Role '{user}' may not log in to PostgreSQL at {address}",
            'As a superuser: ALTER ROLE "{user}" LOGIN.',
        ),
        (
            "[Pp]eer authentication|[Ii]dent authentication",
            "PostgreSQL at {address} lets role '{user}' in only from the operating system's user of that name (peer authentication)",
            "Run the task as that user (become_user), or give host and password in database_url.",
        ),
    ],
    "3D000": [
        (
            "",
            "PostgreSQL at {address} has no database '{database}'",
            "Check the database in database_url; 'psql -l' lists those that exist. If it was dropped, restore it from the last backup.",
        )
    ],
    "42501": [
        (
            "",
            "Role '{user}' may not connect to database '{database}' of PostgreSQL at {address}",
            'As a superuser: GRANT CONNECT ON DATABASE "{database}" TO "{user}".',
        )
    ],
    "55000": [
        (
            "",
            "Database '{database}' of PostgreSQL at {address} accepts no connections ({text})",
            'If nobody is restoring or renaming it: ALTER DATABASE "{database}" ALLOW_CONNECTIONS true.',
        )
    ],
    "53300": [
        (
            "connections for role",
            "PostgreSQL at {address} is out of connection slots for role '{user}': its CONNECTION LIMIT is used up",
            "End leaked sessions of that role or lower the pool size of its apps; 'ALTER ROLE … CONNECTION LIMIT' raises the limit.",
        ),
        (
            "connections for database",
            "PostgreSQL at {address} is out of connection slots for database '{database}': its CONNECTION LIMIT is used up",
            "End leaked sessions in that database or lower the pool size of its apps; 'ALTER DATABASE … CONNECTION LIMIT' raises the limit.",
        ),
        (
            "wal_sender|walsender",
            "PostgreSQL at {address} has no slot left for a replication connection",
            "Raise max_wal_senders.",
        ),
        (
            "",
            "PostgreSQL at {address} is out of connection slots: every one that role '{user}' may take is in use",
            "Check connection pool: for a superuser slots are reserved, and from PostgreSQL 16 on for roles with pg_use_reserved_connections where "
            "reserved_connections is above 0. With the URL of such a role, 'ansible-playbook playbooks/relieve_connections.yml' shows "
            "who holds the others and ends idle ones. If those are taken, too, restart the leaking app or lower its pool size.",
        ),
    ],
    "57P03": [
        (
            "starting up",
            "PostgreSQL at {address} is starting up and accepts no connections yet",
            "Wait; after a crash it may have much to recover. If it takes long, its log says how far it is.",
        ),
        (
            "shutting down",
            "PostgreSQL at {address} is shutting down",
            "See who stopped it in its log, then start it: 'systemctl start postgresql'.",
        ),
        (
            "recovery mode",
            "PostgreSQL at {address} recovers from a crash and accepts no connections yet",
            "Wait, then look in its log for what crashed it ('terminated by signal', 'PANIC'), and for the OOM killer in 'journalctl -k'.",
        ),
        (
            "not yet accepting|not accepting",
            "PostgreSQL at {address} is in recovery (a standby or a restore) and does not accept connections",
            "Wait until it is consistent; a standby needs hot_standby = on to be asked at all. Its log says how far it is.",
        ),
        (
            "",
            "PostgreSQL at {address} does not accept connections now ({text})",
            "Wait; if it stays so, read its log.",
        ),
    ],
    "57P01": [
        (
            "",
            "PostgreSQL at {address} ended the connection: {text}",
            "See in its log who stopped it or ended the session, then run the check again.",
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
            "See what uses the machine's memory; lower work_mem or the number of connections.",
        )
    ],
}

#: What libpq itself says, in English: the first match counts.
_BY_TEXT: list[tuple[str, str, str]] = [
    (
        "no password supplied",
        "PostgreSQL at {address} wants a password for role '{user}', and database_url has none",
        "Put the password into database_url, or into ~/.pgpass of the user who runs the task.",
    ),
    (
        "Connection refused",
        "PostgreSQL at {address} refuses the connection: nothing listens there",
        "Start it: 'systemctl start postgresql'; if it does not stay up, its log says why. If it runs, check listen_addresses, its port and database_url.",
    ),
    (
        "No such file or directory.*socket|socket.*No such file or directory",
        "PostgreSQL does not run at {address}: there is no such socket",
        "Start it: 'systemctl start postgresql'; if it runs, check port and unix_socket_directories against database_url.",
    ),
    (
        "Permission denied.*socket|socket.*Permission denied",
        "The user who runs the task may not use PostgreSQL's {address}",
        "Run the task as another user (become_user: postgres), or give host and password in database_url.",
    ),
    (
        "Resource temporarily unavailable",
        "PostgreSQL at {address} does not take new connections: its queue is full, so it is frozen or overloaded",
        "Check its processes ('ps -o stat,cmd -C postgres': T is stopped, D waits for the disk) and the machine's load.",
    ),
    (
        "No route to host|[Nn]etwork is unreachable|Host is unreachable|Host is down",
        "PostgreSQL's host at {address} cannot be reached over the network",
        "Check that the machine is up, and the network and routes to it.",
    ),
    (
        "Connection timed out|timeout expired|Operation timed out",
        "PostgreSQL at {address} does not answer: the connection timed out",
        "Check that the machine is up, and the firewalls on the way.",
    ),
    (
        "does not support SSL",
        "PostgreSQL at {address} offers no encryption, and database_url demands it (sslmode)",
        "Switch TLS on at the server (ssl = on, with certificate and key); only on a trusted network drop sslmode from database_url.",
    ),
    (
        "certificate verify failed|does not match host name|certificate has expired|certificate revoked",
        "The certificate of PostgreSQL at {address} is not trusted ({text})",
        "Renew or correct the server's certificate, or point sslrootcert in database_url to the authority that issued it.",
    ),
    (
        "root certificate file|certificate file|private key file",
        "A TLS file for PostgreSQL at {address} cannot be used ({text})",
        "Check sslrootcert, sslcert and sslkey in database_url, and whether the user who runs the task may read them.",
    ),
    (
        "expected authentication request|SSL negotiation|negotiation response|invalid response|protocol.*not supported|unsupported.*protocol",
        "What answers at {address} does not speak PostgreSQL's protocol",
        "Check host and port in database_url.",
    ),
    (
        "closed the connection unexpectedly|Connection reset|Broken pipe|could not send|EOF detected|server closed",
        "PostgreSQL at {address} closed the connection without a word: it crashed, was killed, or is no PostgreSQL",
        "Read its log for a crash or a restart ('terminated by signal'), and 'journalctl -k' for the OOM killer.",
    ),
    (
        "session is (not )?read-only|hot standby",
        "No server at {address} is of the kind that target_session_attrs in database_url asks for",
        "See which server is the primary ('SELECT pg_is_in_recovery()'); after a failover, correct database_url.",
    ),
    (
        "SSL",
        "No encrypted connection to PostgreSQL at {address} ({text})",
        "Check the server's TLS settings and the sslmode in database_url.",
    ),
]

_SERVER_SAID = re.compile(r"^(?:.*?failed: )?\s*[^\s:]{1,20}:\s+([0-9A-Z]{5}): (.*)$", re.MULTILINE)
_BAD_PARAMETER = re.compile(
    r'invalid (?:(\w+) value: |\w+ value .* for connection option "(\w+)"|connection option "(\w+)"|(port) number)'
)


def explain(
    text: str,
    address: str,
    user: str,
    database: str,
    secrets: Iterable[str] = (),
    code: str | None = None,
) -> Refusal:
    """The refusal behind an error text; raises `UsageError` where libpq did not even try.

    ``code`` is the SQLSTATE of an error after the connection was made. Before, it stands in the text.
    """
    said = [(code, text)] if code else _SERVER_SAID.findall(text)
    if not said and (bad := _BAD_PARAMETER.search(text)):
        parameter = next((name for name in bad.groups() if name), "a parameter")
        raise UsageError(
            f"database_url is malformed: {parameter} has a value that libpq does not know"
        )
    # What a server said tells more than a closed port; and with sslmode=prefer, pg_hba.conf may refuse the second attempt,
    # without encryption, whatever became of the first.
    state, message = (
        next((each for each in said if each[0] != "28000"), said[0]) if said else ("", text)
    )
    rules = _BY_STATE.get(state, []) if said else _BY_TEXT
    message = redact(message, secrets)
    summary, remedy = next(
        (
            (summary, remedy)
            for pattern, summary, remedy in rules
            if re.search(pattern, message, re.DOTALL)
        ),
        (
            f"PostgreSQL at {{address}} {'answers with an error' if code else 'refuses the connection'}: {{text}}",
            "",
        ),
    )
    words = {"address": address, "user": user, "database": database, "text": shorten(message, 160)}
    return Refusal(summary.format(**words), remedy.format(**words))


def silence(phase: str, question: str, address: str, seconds: float) -> Refusal:
    """The refusal that consists in saying nothing until the time is up."""
    pooler = " Behind a connection pooler, no connection of the pool may be free: SHOW POOLS."
    frozen = "Check its processes ('ps -o stat,cmd -C postgres': T is stopped, D waits for the disk), the disk and the machine's load; restart it if it hangs."
    within = f"within {seconds:g} s"
    if phase == "resolve":
        return Refusal(
            f"The name of PostgreSQL's host at {address} was not resolved {within}",
            "Check the name service of this machine: /etc/resolv.conf.",
        )
    if phase == "connect":
        return Refusal(
            f"No answer at all from PostgreSQL's host at {address} {within}: the machine is down or a firewall drops the packets",
            "Check that the machine is up, and the firewalls on the way.",
        )
    if phase == "greet":
        return Refusal(
            f"PostgreSQL at {address} takes the connection but does not answer {within}: it is frozen or badly overloaded",
            frozen,
        )
    return Refusal(
        f"PostgreSQL at {address} let us in, then did not answer {within} when asked about {question}: it is frozen or overloaded",
        frozen + pooler,
    )
