# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to Redis or Valkey: its URL, the client, and what a failure to connect means."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ansible.module_utils.basic import env_fallback

from ..core.check import CRITICAL, UNKNOWN
from ..core.errors import UsageError
from ..core.text import redact, shorten
from ..core.units import format_value

IMPORT_ERROR: str | None = None
try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    if redis.VERSION[:2] < (4, 3):
        IMPORT_ERROR = f"its version {redis.__version__} is too old, 4.3 or newer is needed"
except ImportError as missing:
    redis = None  # type: ignore[assignment]
    IMPORT_ERROR = str(missing)

#: Options of every module that talks to Redis, documented in the fragment ``gpt_agent.runbook.redis``.
REDIS_OPTIONS: dict[str, Any] = {
    "redis_url": {
        "type": "str",
        "no_log": True,
        "default": "redis://127.0.0.1:6379/0",
        "fallback": (env_fallback, ["REDIS_URL"]),
    },
    "ca_file": {"type": "path"},
}

_ENCODE = "characters such as # / ? @ : in a password have to be percent-encoded, as in %23 for #"

#: Seconds for each attempt to hear something from an address without redis-py.
_LISTEN = 0.3


@dataclass(frozen=True)
class Endpoint:
    """Where a Redis is, and how to log in there."""

    host: str = ""
    port: int = 6379
    path: str = ""
    """Of a Unix socket; host and port have no meaning then."""
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: dict[str, Any] | None = None
    """redis-py's options for TLS, none where the connection is not encrypted."""

    @property
    def address(self) -> str:
        return self.path or (
            f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        )

    @property
    def local(self) -> bool:
        """Whether the server is certain to run on this machine."""
        return bool(self.path) or self.host in ("localhost", "::1") or self.host.startswith("127.")


@dataclass(frozen=True)
class Refusal:
    """Why Redis could not be used, and what to do."""

    kind: str
    summary: str
    remedy: str = ""
    status: str = CRITICAL


def parse_url(url: str, ca_file: str | None = None) -> Endpoint:
    """The endpoint that a URL names. Its text never appears in an error, whatever part the password ended up in."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise UsageError(
            f"redis_url: host and port cannot be told apart, or the port is no number from 1 to 65535; {_ENCODE}"
        ) from None
    scheme = parts.scheme.replace("valkey", "redis")
    if scheme not in ("redis", "rediss", "unix") or "://" not in url:
        raise UsageError(
            "redis_url: has to start with redis://, rediss:// (encrypted) or unix://, as in redis://:PASSWORD@HOST:6379/0"
        )
    if (
        port == 0
        or parts.fragment
        or "@" in parts.path
        or (scheme != "unix" and "@" in parts.query)
    ):
        raise UsageError(f"redis_url: the parts of this URL cannot be told apart; {_ENCODE}")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    username, password = (
        unquote(parts.username or query.get("username", "")),
        unquote(parts.password or "") or query.get("password", ""),
    )
    if scheme == "unix":
        if parts.hostname or not parts.path.startswith("/") or parts.path == "/":
            raise UsageError(
                "redis_url: unix:// needs the absolute path of a socket, as in unix:///run/redis/redis-server.sock"
            )
        endpoint = Endpoint(
            path=unquote(parts.path),
            database=_database(query.get("db", "")),
            username=username,
            password=password,
        )
    else:
        database = _database(query.get("db") or parts.path.strip("/"))
        tls = _tls(query, ca_file) if scheme == "rediss" else None
        endpoint = Endpoint(
            unquote(parts.hostname or "127.0.0.1"),
            port or 6379,
            "",
            database,
            username,
            password,
            tls,
        )
    if ca_file and endpoint.tls is None:
        raise UsageError(
            "ca_file: has no effect, for the connection is not encrypted; use rediss:// in redis_url, or leave ca_file out"
        )
    return endpoint


def connect(endpoint: Endpoint, patience: float) -> redis.Redis:
    """A client that tries each thing once and waits at most so many seconds for each answer. It connects with its first command."""
    where: dict[str, Any] = {
        "host": endpoint.host,
        "port": endpoint.port,
        "socket_connect_timeout": patience,
    }
    if endpoint.path:
        where = {"unix_socket_path": endpoint.path}
    if endpoint.tls is not None:
        where.update(ssl=True, **endpoint.tls)
        # Since Python 3.13 clients are strict about the form of an authority's certificate. How good it is, is cert_check's matter.
        if "ssl_exclude_verify_flags" in signature(redis.Redis).parameters:
            where.update(ssl_exclude_verify_flags=[ssl.VERIFY_X509_STRICT])
    # Nothing beyond AUTH and SELECT when connecting: newer versions would introduce themselves, which costs three more answers.
    if hasattr(redis, "DriverInfo"):
        where.update(protocol=2, driver_info=None)
    elif redis.VERSION >= (5,):
        where.update(protocol=2, lib_name=None, lib_version=None)
    return redis.Redis(
        db=endpoint.database,
        username=endpoint.username or None,
        password=endpoint.password or None,
        socket_timeout=patience,
        decode_responses=True,
        encoding_errors="replace",
        retry=Retry(NoBackoff(), 0),
        **where,
    )


def explain(error: Exception, endpoint: Endpoint, patience: float) -> Refusal:
    """What an exception of redis-py means for the operator. May listen to the address once more, for under a second."""
    causes = list(_causes(error))
    said = reply(str(error), endpoint) or next(
        (found for cause in causes for found in [_system(cause, endpoint)] if found), None
    )
    if said:
        return said
    where = endpoint.address
    try:
        heard = _listen(endpoint)
    except OSError as again:
        remedy = "Check that the machine is up, and that no firewall drops the connection."
        unheard = Refusal(
            "timeout",
            f"No connection to {where}: nothing answered within {format_value(patience, 'seconds')}",
            remedy,
        )
        return _system(again, endpoint) or unheard
    said = reply(heard, endpoint)
    if said:
        return said
    if endpoint.tls is not None and heard[:1] in ("+", "-"):
        return Refusal(
            "tls",
            f"{where} does not encrypt",
            "Use redis:// in redis_url, or give Redis a tls-port.",
        )
    if (
        endpoint.tls is None
        and not endpoint.path
        and not heard.startswith("+PONG")
        and _encrypts(endpoint)
    ):
        return Refusal(
            "tls",
            f"{where} wants an encrypted connection",
            "Use rediss:// in redis_url, with ca_file for a private authority.",
        )
    if heard and endpoint.tls is None and heard[:1] not in ("+", "-"):
        return Refusal(
            "foreign", f"What listens on {where} is not Redis", "Check host and port in redis_url."
        )
    if any(
        isinstance(cause, (TimeoutError, socket.timeout, redis.TimeoutError)) for cause in causes
    ):
        summary = f"{where} accepts connections but gave no answer within {format_value(patience, 'seconds')}: frozen, or busy with one long command"
        remedy = "Look at the process with 'top' and at its log; if it does not come back by itself, 'systemctl restart redis'."
        return Refusal("silent", summary, remedy)
    if any(
        isinstance(cause, (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError))
        for cause in causes
    ) or "closed by server" in str(error):
        remedy = "Its log tells why. Often maxclients is reached, or it is just being stopped or restarted: 'systemctl status redis'."
        return Refusal("hung up", f"{where} accepts connections and hangs up", remedy)
    return Refusal(
        "failed", f"No use of {where}: {shorten(redact(str(error), [endpoint.password]), 200)}"
    )


def reply(text: str, endpoint: Endpoint) -> Refusal | None:
    """The refusal that the server itself put into words."""
    for pattern, meant in _REPLIES:
        if re.search(pattern, text):
            words = {"address": endpoint.address, "user": endpoint.username or "default"}
            return replace(
                meant, summary=meant.summary.format(**words), remedy=meant.remedy.format(**words)
            )
    return None


#: What a server replies, by a pattern in the text. redis-py drops the code word of some replies, so the patterns do without.
_REPLIES = (
    (
        "Authentication required",
        Refusal(
            "no password",
            "{address} wants a password, and redis_url has none",
            "Put the password into redis_url, as in redis://:PASSWORD@HOST:6379/0.",
        ),
    ),
    (
        "invalid username-password|invalid password",
        Refusal(
            "wrong password",
            "{address} refuses the password for user {user}",
            "Correct the password in redis_url; 'ACL GETUSER {user}' tells whether the user is enabled.",
        ),
    ),
    (
        "without any password configured|no password is set",
        Refusal(
            "needless password",
            "{address} has no password set, but redis_url has one, which every client with this URL stumbles over",
            "Set requirepass in redis.conf, or take the password out of redis_url.",
        ),
    ),
    (
        "is loading the dataset",
        Refusal(
            "loading",
            "{address} is loading its data from disk and answers nothing else meanwhile",
            "Wait until it has loaded. If this repeats, find out what ends it: its log, and 'journalctl -u redis'.",
        ),
    ),
    (
        "Link with MASTER is down",
        Refusal(
            "primary down",
            "{address} is a replica cut off from its primary, and refuses every query until they are linked again",
            "Check the primary, the network between them and masterauth; 'replica-serve-stale-data yes' would let it answer with old data.",
        ),
    ),
    (
        "NOPERM|has no permissions",
        Refusal(
            "not allowed",
            "{address} answers, but user {user} is not allowed to look",
            "Allow it: 'ACL SETUSER {user} +ping +info +select +dbsize +config|get +client|list', or use a user that may.",
            UNKNOWN,
        ),
    ),
    (
        "MISCONF|able to persist|errors writing to the AOF file",
        Refusal(
            "cannot save",
            "{address} refuses every write, because it could not save its data to disk",
            "Read its log; check the disk's space and rights, then 'BGSAVE' and look again. Reads are still answered.",
        ),
    ),
    (
        "is busy running a",
        Refusal(
            "busy",
            "{address} has been busy with one script for seconds and refuses everything else",
            "End it with 'SCRIPT KILL' or 'FUNCTION KILL'; if it has written already, only waiting or 'SHUTDOWN NOSAVE' is left.",
        ),
    ),
    (
        "running in protected mode",
        Refusal(
            "protected mode",
            "{address} is in protected mode: it has no password, and so refuses other machines",
            "Set a password (requirepass) and put it into redis_url, or connect through 127.0.0.1.",
        ),
    ),
    (
        "max number of clients",
        Refusal(
            "out of slots",
            "{address} has no slot left for another client: maxclients is reached",
            "Find the app that leaks connections and restart it; raise maxclients (and the service's LimitNOFILE).",
        ),
    ),
    (
        "DB index is out of range|Invalid Database",
        Refusal(
            "no database",
            "{address} has no database of the number in redis_url",
            "Correct the number at the end of redis_url, or raise 'databases' in redis.conf.",
        ),
    ),
)


def _system(cause: BaseException, endpoint: Endpoint) -> Refusal | None:
    """What the operating system or the TLS library says."""
    where = endpoint.address
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Refusal(
            "certificate",
            f"The certificate of {where} does not hold: {cause.verify_message}",
            "Give the authority's certificate as ca_file; or renew the certificate, or use the name that it is made out for.",
        )
    if isinstance(cause, socket.gaierror):
        return Refusal(
            "no such host",
            f"The name {endpoint.host} has no address: {cause.strerror}",
            "Check the host in redis_url and the name service.",
        )
    if isinstance(cause, ConnectionRefusedError):
        return Refusal("refused", f"Nothing listens on {where}: connection refused")
    if isinstance(cause, FileNotFoundError):
        return Refusal(
            "no socket",
            f"There is no socket {where}",
            "Check 'systemctl status redis', and unixsocket in redis.conf.",
        )
    if isinstance(cause, PermissionError):
        remedy = (
            "Run the probe as a member of the socket's group (often 'redis'), or with become: true."
        )
        return Refusal("not allowed", f"This user is not allowed to open {where}", remedy, UNKNOWN)
    if isinstance(cause, OSError) and cause.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return Refusal(
            "no route",
            f"No way to {where}: {cause.strerror}",
            "Check that the machine is up, the network and the routes.",
        )
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that led to it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _listen(endpoint: Endpoint) -> str:
    """What the address says by itself or to a bare PING. Raises OSError where it does not even accept a connection.

    A server that has no slot left says so and hangs up at once, which a client that was about to speak may miss.
    """
    with _bare(endpoint) as connection:
        for say in (b"", b"PING\r\n"):
            with suppress(OSError):
                connection.sendall(say)
                heard = connection.recv(200)
                return heard.decode("latin-1")
    return ""


def _encrypts(endpoint: Endpoint) -> bool:
    """Whether the address speaks TLS, with whatever certificate; a Redis that does just hangs up on one that does not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            _bare(endpoint) as connection,
            context.wrap_socket(connection, server_hostname=endpoint.host),
        ):
            return True
    except (OSError, ValueError):
        return False


def _bare(endpoint: Endpoint) -> socket.socket:
    if not endpoint.path:
        return socket.create_connection((endpoint.host, endpoint.port), _LISTEN)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_LISTEN)
    connection.connect(endpoint.path)
    return connection


def _database(text: str) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise UsageError(
            f"redis_url: what stands after the host is not the number of a database; {_ENCODE}"
        )
    return int(text or 0)


def _tls(query: dict[str, str], ca_file: str | None) -> dict[str, Any]:
    """redis-py's TLS options; those of its URL parameters that say whom to trust are honoured."""
    options: dict[str, Any] = {
        name: query[name]
        for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
        if name in query
    }
    if ca_file:
        options["ssl_ca_certs"] = ca_file
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
        if "ssl_certfile" in options:
            context.load_cert_chain(
                options["ssl_certfile"], options.get("ssl_keyfile"), password=lambda: ""
            )
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        name = "ca_file" if ca_file else "redis_url: one of ssl_ca_certs, ssl_certfile, ssl_keyfile"
        raise UsageError(
            f"{name}: cannot be read as PEM: {error.strerror or error}"
            if isinstance(error, OSError)
            else f"{name}: {error}"
        ) from None
    requirement = query.get("ssl_cert_reqs", "required").lower()
    if requirement not in ("required", "optional", "none"):
        raise UsageError("redis_url: ssl_cert_reqs is required, optional or none")
    checked = query.get("ssl_check_hostname", "true").lower() not in ("false", "no", "0", "f", "n")
    return {
        **options,
        "ssl_cert_reqs": requirement,
        "ssl_check_hostname": checked and requirement != "none",
    }
