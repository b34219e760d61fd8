# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why PostgreSQL is unreachable: errors of the server and of libpq, told apart. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..core.errors import Unreachable, UsageError
from ..core.text import redact, shorten
from .sqlstates import AT_LOGIN, BY_CLASS, BY_STATE, LOGIN_CODE, SERVERS_WORDS


class NoConnection(Unreachable):
    """PostgreSQL could not be used; what of the reason matters to a machine."""

    state = ""
    """SQLSTATE, if PostgreSQL or what stands in front of it said one."""
    nothing_listens = False
    frozen = False
    """Whether the connection is accepted and not answered."""


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
        "Start it: 'systemctl start postgresql', on Debian that of its cluster, as in "
        "'postgresql@15-main' (a pooler, often on port 6432: 'pgbouncer'); if it stops again, its "
        "log says why. If it runs, check listen_addresses, its port and database_url.",
    ),
    (
        "No such file or directory.*socket|socket.*No such file or directory",
        "PostgreSQL is not running at {address}: there is no such socket",
        "Start it: 'systemctl start postgresql', on Debian that of its cluster, as in "
        "'postgresql@15-main'; if it runs, compare port and "
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
        "root certificate file .* does not exist|root\\.crt|WARN_NO_ROOT",
        "The certificate of PostgreSQL at {address} cannot be verified: there is no CA certificate "
        "to verify it with ({text})",
        "Put the certificate of the server's CA into ~/.postgresql/root.crt of the user who runs "
        "the task, or name its file in database_url: sslrootcert=/path/to/ca.crt.",
    ),
    (
        "does not match host name",
        "The certificate of PostgreSQL at {address} is not trusted ({text})",
        "Use a host in database_url that the certificate names, or have a certificate issued for "
        "this one; sslmode=verify-ca does not compare the names.",
    ),
    (
        "certificate has expired|certificate revoked|not yet valid",
        "The certificate of PostgreSQL at {address} is not trusted ({text})",
        "Renew the server's certificate (ssl_cert_file), then 'SELECT pg_reload_conf();'.",
    ),
    (
        "certificate verify failed",
        "The certificate of PostgreSQL at {address} is not trusted ({text})",
        "Put the certificate of the CA that issued it into ~/.postgresql/root.crt of the user who "
        "runs the task, or name its file in database_url: sslrootcert=/path/to/ca.crt. Providers "
        "with a CA of their own offer it for download. Without either, verify-full trusts the CAs "
        "of the operating system.",
    ),
    (
        "certificate file|private key file",
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
        "killed, is not PostgreSQL, or is a proxy that cannot reach its server",
        "Behind a proxy or load balancer (cloud-sql-proxy, HAProxy, kubectl port-forward), read "
        "that one's log first. Otherwise check PostgreSQL's log for a crash or a restart "
        "('terminated by signal'), and 'journalctl -k' for the OOM killer.",
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

_NOTHING_LISTENS = "Connection refused|No such file or directory.*socket|socket.*No such file"
_SERVER_SAID = re.compile(r"^(?:.*?failed: )?\s*[^:]{1,30}:\s+([0-9A-Z]{5}): (.*)$")
#: What the client library adds to the server's text: detail, hint, and the place in its source.
_MORE = re.compile(r"^(DETAIL|HINT|LOCATION):\s+(.*)$")
_BAD_PARAMETER = re.compile(
    r'invalid (?:(\w+) value: |\w+ value .* for connection option "(\w+)"'
    r'|connection option "(\w+)"|(port) number)'
)

#: The message may be that of anything that listens there, so nothing is to be restarted for it.
_UNKNOWN = (
    "PostgreSQL at {address} refuses the connection: {text}",
    "Look the message up in the log of PostgreSQL, or of the pooler or proxy that listens there, "
    "and compare it with database_url. It answers, so a restart would only end the work of others.",
)
_FROZEN = (
    "Check its processes ('ps -o stat,cmd -C postgres': T is stopped, D waits for the disk), the "
    "disk and the host's load; restart it if it hangs."
)

_POOLED = (
    "If a connection pooler answers there, see its log, SHOW POOLS, and whether PostgreSQL behind "
    "it runs and has connections free."
)


@dataclass(frozen=True)
class Said:
    """What a server, or a pooler or proxy in front of it, said."""

    state: str
    """SQLSTATE."""
    text: str
    more: str = ""
    """Detail and hint. A hint names a statement in whatever language the server speaks."""
    by_server: bool = True
    """Whether PostgreSQL itself said it: it adds a place in its source, or speaks a language."""


def explain(
    text: str,
    address: str,
    user: str,
    database: str,
    secrets: Iterable[str] = (),
    said: Said | None = None,
) -> Unreachable:
    """The error behind an error text; raises `UsageError` where libpq did not even try.

    ``said`` is an error after the connection was made. Before, the text has it.
    """
    every, more = [said] if said else _said(text), ""
    if not every and (bad := _BAD_PARAMETER.search(text)):
        parameter = next((name for name in bad.groups() if name), "a parameter")
        raise UsageError(
            f"database_url: malformed; {parameter} has a value that libpq does not know"
        )
    if every:
        decisive = _decisive(every)
        summary, remedy = _refusal(decisive, database, logging_in=not said)
        more = decisive.more
        text = decisive.text
    else:
        summary, remedy = _known_cause(_BY_TEXT, text) or _UNKNOWN
    fields = {
        "address": address,
        "user": user,
        "database": database,
        "text": shorten(redact(text, secrets), 160),
        "more": shorten(redact(more, secrets), 160),
    }
    error = NoConnection(summary.format(**fields), remedy.format(**fields))
    error.state = _decisive(every).state if every else ""
    error.nothing_listens = not every and bool(re.search(_NOTHING_LISTENS, text))
    error.frozen = not every and "Resource temporarily unavailable" in text
    return error


def _said(text: str) -> list[Said]:
    """Each server's error in libpq's text; several hosts or attempts may have given one."""
    found: list[Said] = []
    for line in text.splitlines():
        if start := _SERVER_SAID.match(line):
            # Poolers and proxies speak English only.
            found.append(Said(start[1], start[2].strip(), by_server=not line.isascii()))
        elif found and (more := _MORE.match(line)):
            last = found[-1]
            added = "" if more[1] == "LOCATION" else f"{last.more} {more[2]}".strip()
            by_server = last.by_server or more[1] == "LOCATION"
            found[-1] = replace(last, more=added or last.more, by_server=by_server)
    return found


def _decisive(every: list[Said]) -> Said:
    """What explains the failure, of all that several attempts gave.

    A server's message explains more than a closed port; and with sslmode=prefer, pg_hba.conf may
    refuse the second attempt, without encryption, whatever the result of the first.
    """
    return next((said for said in every if said.state != "28000"), every[0])


def _refusal(said: Said, database: str, logging_in: bool) -> tuple[str, str]:
    """Summary and remedy, as templates."""
    if not said.by_server:
        from .poolers import known_refusal, other_refusal  # needed only after a refusal

        known = known_refusal(said.state, said.text, database)
        if known:
            return known
        if not SERVERS_WORDS.search(said.text):
            return other_refusal(said.state)
    causes = BY_STATE.get(said.state, []) + BY_CLASS.get(said.state[:2], [])
    unknown = AT_LOGIN if logging_in and said.state[:2] in LOGIN_CODE else _UNKNOWN
    return _known_cause(causes, f"{said.text}\n{said.more}") or unknown


def _known_cause(causes: list[tuple[str, str, str]], message: str) -> tuple[str, str] | None:
    for pattern, summary, remedy in causes:
        if re.search(pattern, message, re.DOTALL):
            return summary, remedy
    return None


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
        summary = (
            f"PostgreSQL at {address} takes the connection but does not answer {within}: it is "
            "frozen or badly overloaded"
        )
        remedy = _FROZEN
    elif phase == "login":
        summary = (
            f"The service at {address} began the login but did not finish it {within}: a pooler "
            "that gets no connection to PostgreSQL, or PostgreSQL waits for a lock or its disk"
        )
        remedy = (
            f"{_POOLED} Otherwise check PostgreSQL's processes ('ps -o stat,cmd -C postgres': D "
            "waits for the disk) and the host's load."
        )
    else:
        summary = (
            f"PostgreSQL at {address} accepted the connection, then did not answer {within} when "
            f"asked about {question}: it is frozen or overloaded"
        )
        remedy = f"{_FROZEN} {_POOLED}"
    error = NoConnection(summary, remedy)
    error.frozen = True
    return error
