# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals of connection poolers and proxies in front of PostgreSQL, told apart. Pure.

PostgreSQL adds the place in its source to every error that it sends, which poolers and proxies do
not. Their texts are always in English.
"""

from __future__ import annotations

import re

from .sqlstates import SERVERS_WORDS

_CREDENTIALS = (
    "Check user and password in database_url, and those that the pooler itself knows (PgBouncer: "
    "auth_file or auth_query; RDS Proxy: its secret in Secrets Manager)."
)
_SERVER_BEHIND = (
    "Check PostgreSQL itself: connect to it directly, and read its log and the pooler's. Host, "
    "port and login that the pooler uses are in its own configuration (PgBouncer: [databases])."
)
_REFUSED_LOGIN = (
    "refuses the login of role '{user}' ({text})",
    "Compare user and password in database_url with PgBouncer's auth_file (userlist.txt) or what "
    "its auth_query returns; PostgreSQL itself was not asked.",
)
_CLIENTS = (
    "Find out who holds the connections (PgBouncer: SHOW CLIENTS, SHOW POOLS), and lower the pools "
    "of the apps or raise the limit in the pooler's configuration."
)
_SLOTS = (
    "Find out what keeps the pool's connections busy (PgBouncer: SHOW POOLS, SHOW SERVERS; in "
    "PostgreSQL: idle in transaction, lock waits), then raise the size of the pool if needed."
)

#: By a part of the text: who says it, a summary, and a remedy. The first match counts.
_KNOWN: list[tuple[str, str, str, str]] = [
    # PgBouncer
    (
        r"[Uu]nsupported startup parameter(?: in options)?:? ?(?P<what>[\w.]*)",
        "PgBouncer",
        "does not accept the startup parameter '{what}'",
        "Remove it from database_url, or from PGOPTIONS; or add '{what}' to "
        "ignore_startup_parameters in pgbouncer.ini, then RELOAD PgBouncer.",
    ),
    (
        "no such database",
        "PgBouncer",
        "knows no database '{database}'",
        "Correct the database in database_url, or add it to [databases] in pgbouncer.ini, then "
        "RELOAD PgBouncer.",
    ),
    (
        r"database .* (is disabled|does not allow)|database \S+ is disabled",
        "PgBouncer",
        "has disabled database '{database}'",
        "DISABLE was run on PgBouncer's console; ENABLE {database} there ends it.",
    ),
    (
        r"no more connections allowed|client connections exceeded|max_client_conn"
        r"|max_(db|user)_client_connections",
        "PgBouncer",
        "is out of client connections ({text})",
        "Find out who holds them (SHOW CLIENTS on PgBouncer's console), and lower the pools of the "
        "apps; or raise max_client_conn and PgBouncer's limit of open files.",
    ),
    (
        "server login has been failing|server_login_retry|server login failed"
        "|cannot connect to server|server conn crashed|server DNS lookup failed"
        r"|connect failed|login rejected",
        "PgBouncer",
        "answers, but cannot log in to PostgreSQL behind it ({text})",
        "Check PostgreSQL behind PgBouncer: that it runs and accepts connections, and that host, "
        "port, user and password in [databases] and auth_file of PgBouncer are right. PgBouncer's "
        "log has the reason.",
    ),
    (
        "query_wait_timeout|cancel_wait_timeout",
        "PgBouncer",
        "gave no connection to PostgreSQL in time ({text}): its pool is busy, or PostgreSQL behind "
        "it does not answer",
        "If PgBouncer's log has 'connect failed' or 'login failed', check PostgreSQL behind it. "
        "If SHOW DATABASES on its console says paused, RESUME ends that. Otherwise find out what "
        "keeps the pool busy (SHOW POOLS, SHOW SERVERS; in PostgreSQL: idle in transaction, lock "
        "waits), then raise default_pool_size if needed.",
    ),
    (
        "transaction blocks not allowed in statement pooling mode",
        "PgBouncer",
        "allows no transactions (pool_mode = statement), so PostgreSQL behind it cannot be checked",
        "Use a URL of PostgreSQL itself for the check, or an entry in [databases] with pool_mode = "
        "transaction.",
    ),
    (
        "query_timeout|idle_transaction_timeout|transaction_timeout|client_idle_timeout"
        "|client_login_timeout|query timeout|idle transaction timeout",
        "PgBouncer",
        "ended the session ({text})",
        "Find out what is slow (SHOW POOLS on PgBouncer's console), or raise that time limit in "
        "pgbouncer.ini.",
    ),
    (
        "(pgbouncer|pooler) is shutting down|bouncer config error",
        "PgBouncer",
        "is shutting down or misconfigured ({text})",
        "Read PgBouncer's log; PostgreSQL behind it was not asked.",
    ),
    (
        "SASL authentication failed|no such user|auth failed|no authentication method"
        "|authentication method .* not supported",
        "PgBouncer",
        *_REFUSED_LOGIN,
    ),
    ("^SSL required", "PgBouncer", "accepts encrypted connections only", "{tls}"),
    # Supavisor
    (
        "[Tt]enant or user not found|ENOTFOUND|no tenant identifier|tenant.*not found",
        "Supabase's pooler",
        "does not know the project or the user",
        "Through the pooler the user is USER.PROJECT, as in postgres.PROJECT; copy host, port and "
        "user from the project's Connect page. Resume the project if it is paused.",
    ),
    (
        "MaxClientsInSessionMode|EMAXCONN|[Mm]ax client(s| connections)? reached"
        "|max clients reached|Max pools count",
        "Supabase's pooler",
        "is out of client connections ({text})",
        "In session mode (port 5432) each client holds a connection: use transaction mode (port "
        "6543) for the app, lower its pool, or raise the pool size of the project.",
    ),
    (
        "Unable to check out process from the pool|DbHandler exited|checkout",
        "Supabase's pooler",
        "had no connection to PostgreSQL free in time ({text})",
        _SLOTS,
    ),
    (
        "Address not in tenant allow_list|EADDRNOTALLOWED|not in .*allow_?list",
        "Supabase's pooler",
        "does not allow this client's address",
        "Add the address to the network restrictions of the project.",
    ),
    (
        "ECIRCUITBREAKER|[Cc]ircuit breaker|too many authentication (failures|errors)",
        "Supabase's pooler",
        "refuses logins for a while after too many failures",
        "Correct the password wherever an old one is still used, then wait some minutes.",
    ),
    # Neon
    (
        "[Ee]ndpoint ID is not specified|Inconsistent project name|project name",
        "Neon's proxy",
        "cannot tell which endpoint is meant ({text})",
        "Use the full host name of the endpoint in database_url, not an address or alias; a libpq "
        "older than 14 needs ?options=endpoint%3DENDPOINT.",
    ),
    (
        "IP address .* is not allowed|blocked network|VPC endpoint",
        "Neon's proxy",
        "does not allow this client's address ({text})",
        "Add the address to the allowed list in Neon's console.",
    ),
    (
        "endpoint is disabled|compute time quota|exceeded the .*quota|data transfer quota",
        "Neon's proxy",
        "does not start the database ({text})",
        "Enable the endpoint or raise the plan's limit in Neon's console.",
    ),
    (
        "Too many connections to this endpoint|[Tt]oo many database connection attempts",
        "Neon's proxy",
        "limits the number of connections ({text})",
        _CLIENTS,
    ),
    (
        "[Cc]ouldn't connect to compute|[Cc]onsole request failed|[Cc]ontrol plane request failed"
        "|could not connect to compute",
        "Neon's proxy",
        "cannot reach the database behind it ({text})",
        "See the state of the endpoint in Neon's console and on its status page, then try again.",
    ),
    # RDS Proxy
    (
        "RDS [Pp]roxy has no credentials",
        "RDS Proxy",
        "has no credentials for role '{user}'",
        "Store user and password of the role in a secret of Secrets Manager and register it with "
        "the proxy, whose IAM role must be able to read it.",
    ),
    (
        "password that was provided for the role .* is wrong|IAM authentication failed for the role"
        "|IAM authentication",
        "RDS Proxy",
        "refuses the login of role '{user}' ({text})",
        "Compare the password in database_url with the proxy's secret in Secrets Manager; an IAM "
        "token is valid for 15 minutes and must be made for the proxy's endpoint.",
    ),
    ("RDS Proxy requires TLS", "RDS Proxy", "accepts encrypted connections only", "{tls}"),
    (
        "[Tt]imed-out waiting to acquire database connection|acquire database connection",
        "RDS Proxy",
        "had no connection to the database free in time",
        "Check the database behind it and the target's health (describe-db-proxy-targets), then "
        "MaxConnectionsPercent and ConnectionBorrowTimeout of the proxy.",
    ),
    (
        "command-line options",
        "RDS Proxy",
        "does not accept options at the start of a session",
        "Remove options from database_url, or PGOPTIONS from the environment.",
    ),
    ("RDS [Pp]roxy", "RDS Proxy", "refuses the connection ({text})", "Read the proxy's log."),
    # PgCat
    (
        "[Nn]o pool configured",
        "PgCat",
        "has no pool for database '{database}' and role '{user}'",
        "Correct database_url, or add the pool and its user to pgcat.toml.",
    ),
    (
        "could not get connection from the pool|[Aa]ll servers (are )?(down|banned)",
        "PgCat",
        "has no connection to PostgreSQL to give ({text})",
        "Check PostgreSQL behind PgCat, and SHOW POOLS and SHOW BANS on its console.",
    ),
    # Azure
    (
        r"[Uu]sername should be in|Invalid Username specified",
        "Azure's gateway",
        "does not accept the form of the user name",
        "On a single server the user is USER@SERVER, percent-encoded as USER%40SERVER in "
        "database_url.",
    ),
    ("^SSL connection is required", "The proxy", "accepts encrypted connections only", "{tls}"),
]
_TLS = "Add sslmode=require, or better sslmode=verify-full, to database_url."

#: Names under which poolers offer a console, which looks like a database.
_CONSOLES = ("pgbouncer", "pgcat", "odyssey", "console")
_CONSOLE = (
    "The pooler at {address} was asked for its own console, not for a database ({text})",
    "Name the app's database in database_url instead of '{database}'.",
)

#: The same for Odyssey, whose texts all begin with its name.
_ODYSSEY: list[tuple[str, str, str]] = [
    (
        "route .*not found|no route|route.* is not",
        "has no route for database '{database}' and role '{user}'",
        "Correct database_url, or add the route to odyssey.conf, then reload Odyssey.",
    ),
    (
        "too many|client_max|limit|pool_size",
        "is out of connections ({text})",
        "Find out who holds them (SHOW CLIENTS on its console), then raise client_max or pool_size "
        "in odyssey.conf.",
    ),
    (
        "password|auth|credentials",
        "refuses the login of role '{user}' ({text})",
        "Compare user and password in database_url with the route's in odyssey.conf.",
    ),
    (
        "remote server|connect|lookup|resolve",
        "answers, but cannot reach PostgreSQL behind it ({text})",
        _SERVER_BEHIND,
    ),
    ("", "refuses the connection ({text})", "Read Odyssey's log; its configuration says why."),
]

#: By the first characters of the SQLSTATE, for a pooler or proxy that says nothing known.
_BY_STATE: list[tuple[str, str, str]] = [
    ("28", "refuses the login of role '{user}' ({text})", _CREDENTIALS),
    (
        "3D",
        "knows no database '{database}' ({text})",
        "Check the database in database_url, and the pooler's own list of databases.",
    ),
    ("53", "is out of connections ({text})", _CLIENTS),
    ("57", "gives no connection to PostgreSQL behind it ({text})", _SERVER_BEHIND),
    ("080", "cannot reach PostgreSQL behind it ({text})", _SERVER_BEHIND),
    ("58", "cannot reach PostgreSQL behind it ({text})", _SERVER_BEHIND),
]
_OTHER = (
    "refuses the connection ({text})",
    "Look the message up in the log and the configuration of what listens there; PostgreSQL behind "
    "it was perhaps never asked.",
)


def known_refusal(state: str, text: str, database: str) -> tuple[str, str] | None:
    """Summary and remedy of what only a pooler or proxy says; none for any other text.

    Both are templates with the fields ``address``, ``user``, ``database`` and ``text``.
    """
    if text.lower().startswith("odyssey:"):
        summary, remedy = next(
            (summary, remedy) for pattern, summary, remedy in _ODYSSEY if re.search(pattern, text)
        )
        return _said_by("Odyssey", summary), remedy
    if database in _CONSOLES and re.search("failure|SHOW HELP|invalid command|not allowed", text):
        return _CONSOLE
    for pattern, who, summary, remedy in _KNOWN:
        found = re.search(pattern, text)
        if found:
            what = found.groupdict().get("what") or "options"
            remedy = remedy.replace("{tls}", _TLS).replace("{what}", what)
            return _said_by(who, summary.replace("{what}", what)), remedy
    if state == "08P01" and (" failed for user" in text or SERVERS_WORDS.search(text)):
        # PgBouncer passes on what PostgreSQL told it, with a SQLSTATE of its own.
        summary = "answers, but PostgreSQL behind it refuses the connection ({text})"
        return _said_by("PgBouncer", summary), _SERVER_BEHIND
    if state == "08P01" and "password authentication failed" in text:
        summary, remedy = _REFUSED_LOGIN
        return _said_by("PgBouncer", summary), remedy
    return None


def other_refusal(state: str) -> tuple[str, str]:
    """Summary and remedy, as templates, for a pooler or proxy of which only SQLSTATE is known."""
    for beginning, summary, remedy in _BY_STATE:
        if state.startswith(beginning) and state != "08P01":
            return _said_by("The pooler or proxy", summary), remedy
    return _said_by("The pooler or proxy", _OTHER[0]), _OTHER[1]


def _said_by(who: str, summary: str) -> str:
    return f"{who} at {{address}} {summary}"
