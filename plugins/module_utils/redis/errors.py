# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failure to use Redis means for the operator: its replies, and errors of the connection."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator, Sequence

from ..core.errors import NotCollected, Refused, RunbookError, Unreachable
from ..core.text import redact, shorten
from ..core.units import format_value
from .connection import Endpoint, redis
from .listen import first_words, requires_certificate, speaks_tls


class CommandRefused(Refused, NotCollected):
    """The server answers, and has no such command, or does not let this user run it."""


class Loading(Refused):
    """The server is loading its data from disk."""


class PrimaryDown(Refused):
    """A replica has lost its primary and does not serve old data."""


class WrongLogin(Refused):
    """The user or the password is wrong."""


class NotListening(Unreachable):
    """Nothing listens at the address."""


class NoAnswer(Unreachable):
    """Something accepts connections there and does not answer."""


class SaveFailed(Refused):
    """The server refuses writes because it could not save its data to disk."""


#: What a server replies, by a pattern in its text: the error, its message and remedy. redis-py
#: drops the code word of some replies, so the patterns do without.
_REPLIES: Sequence[tuple[str, type[RunbookError], str, str]] = (
    # Before those about passwords, as its text says a lot about them.
    (
        "[Rr]unning in protected mode",
        Refused,
        "{address} is in protected mode: it has no password, so it refuses other hosts",
        "Set a password (requirepass) and add it to redis_url, or connect through 127.0.0.1.",
    ),
    (
        "Authentication required",
        Refused,
        "{address} needs a password, and redis_url has none",
        "Add the password to redis_url, as in redis://:PASSWORD@HOST:6379/0.",
    ),
    (
        "invalid username-password|invalid password",
        WrongLogin,
        "{address} refuses the password for user {user}",
        "Correct the password in redis_url; 'ACL GETUSER {user}' shows if the user is enabled.",
    ),
    (
        "without any password configured|no password is set",
        Refused,
        "{address} has no password set, but redis_url has one, so every client with this URL fails",
        "Set requirepass in redis.conf, or remove the password from redis_url.",
    ),
    (
        "is loading the dataset",
        Loading,
        "{address} is loading its data from disk and answers nothing else",
        "Wait until it has loaded. If this repeats, find out what restarts it: its log, and "
        "'journalctl -u redis'.",
    ),
    (
        "Link with MASTER is down",
        PrimaryDown,
        "{address} is a replica that has lost its primary, and refuses every query until it is "
        "linked again",
        "Check the primary, the network between them and masterauth; 'replica-serve-stale-data "
        "yes' would let it answer with old data.",
    ),
    (
        "NOPERM|has no permissions",
        CommandRefused,
        "{address} answers, but user {user} lacks permission to read its state",
        "Grant it: 'ACL SETUSER {user} +ping +info +select +dbsize +config|get +client|list "
        "+slowlog|get +acl|getuser', or "
        "use a user that has it.",
    ),
    (
        "unknown command .?PING",
        CommandRefused,
        "{address} answers, but does not know the command PING: it is renamed or disabled",
        "The probe needs PING under its own name: remove its rename-command from redis.conf.",
    ),
    (
        "MISCONF|able to persist|errors writing to the AOF file",
        SaveFailed,
        "{address} refuses every write, because it could not save its data to disk",
        "Read its log, which names the reason: often a full disk, permissions of its folder, or no "
        "memory to fork. Remove that first; the next snapshot, or write to the append-only file, "
        "that succeeds clears this. Reads still work.",
    ),
    (
        "is busy running a",
        Refused,
        "{address} has been busy with one script for seconds and refuses everything else",
        "Stop it with 'SCRIPT KILL' or 'FUNCTION KILL'; if it has already written, only waiting "
        "or 'SHUTDOWN NOSAVE' remains.",
    ),
    (
        "max number of clients",
        Refused,
        "{address} accepts no more clients: maxclients is reached",
        "Find the app that leaks connections and restart it; raise maxclients (and the service's "
        "LimitNOFILE).",
    ),
    (
        "DB index is out of range|Invalid Database",
        Refused,
        "{address} has no database with the number in redis_url",
        "Correct the number at the end of redis_url, or raise 'databases' in redis.conf.",
    ),
)


def error_of_reply(text: str, endpoint: Endpoint) -> RunbookError | None:
    """The error that a reply of the server means; none if it is not a known one."""
    words = {"address": endpoint.address, "user": endpoint.user}
    for pattern, kind, message, remedy in _REPLIES:
        if re.search(pattern, text):
            if kind is WrongLogin and endpoint.username and not endpoint.password:
                return _user_without_password(endpoint)
            return kind(message.format(**words), remedy.format(**words))
    return None


def _user_without_password(endpoint: Endpoint) -> RunbookError:
    return WrongLogin(
        f"{endpoint.address} refuses the login: redis_url has a user and no password",
        "If what stands before the @ is the password, write a colon before it: "
        "redis://:PASSWORD@HOST:6379/0.",
    )


def sentinel_instead(endpoint: Endpoint) -> RunbookError:
    """The error of a URL that names a Sentinel, which has no data."""
    return Refused(
        f"{endpoint.address} is a Sentinel, which has no data",
        "Use the address of the server in redis_url: 'SENTINEL masters' names the primaries that "
        "it watches.",
    )


def with_detail(error: RunbookError, detail: str) -> RunbookError:
    """The same error with more at the end of its message."""
    return type(error)(f"{error}{detail}", error.remedy)


def error_of_exception(error: Exception, endpoint: Endpoint, timeout: float) -> RunbookError:
    """The error that an exception of redis-py means.

    May connect once more, for less than a second, to hear what the other side says.
    """
    causes = list(_causes(error))
    known = error_of_reply(str(error), endpoint) or _first_system_error(causes, endpoint)
    if known:
        return known
    if isinstance(error, redis.ResponseError):
        return _refused(error, endpoint)
    try:
        heard = first_words(endpoint)
    except OSError as again:
        return _system_error(again, endpoint) or Unreachable(
            f"No connection to {endpoint.address}: no answer within "
            f"{format_value(timeout, 'seconds')}",
            "Check that the host is up, and that no firewall drops the connection.",
        )
    # A server that speaks plainly does not encrypt, whatever it says.
    wrong = _wrong_protocol(heard, endpoint)
    if endpoint.password and heard.startswith("-NOAUTH"):
        heard = ""  # asked without the password, so it is no reason
    return wrong or error_of_reply(heard, endpoint) or _no_answer(error, causes, endpoint, timeout)


def _wrong_protocol(heard: str, endpoint: Endpoint) -> RunbookError | None:
    """The error if one side expects TLS and the other does not, or it is not Redis at all."""
    where, speaks_redis = endpoint.address, heard[:1] in ("+", "-")
    if endpoint.tls is not None:
        if not speaks_redis:
            has_one = "ssl_certfile" in endpoint.tls
            return None if has_one or not requires_certificate(endpoint) else _no_certificate(where)
        return Unreachable(
            f"{where} does not encrypt", "Use redis:// in redis_url, or give Redis a tls-port."
        )
    if not endpoint.path and not speaks_redis and speaks_tls(endpoint):
        return Unreachable(
            f"{where} needs an encrypted connection",
            "Use rediss:// in redis_url, with ca_file for a private CA.",
        )
    if heard and not speaks_redis:
        return Unreachable(
            f"What listens on {where} is not Redis", "Check host and port in redis_url."
        )
    return None


def _no_answer(
    error: Exception, causes: Sequence[BaseException], endpoint: Endpoint, timeout: float
) -> RunbookError:
    """The error of a server that accepts connections, but gave no usable answer."""
    where = endpoint.address
    if any(isinstance(each, (TimeoutError, socket.timeout, redis.TimeoutError)) for each in causes):
        return NoAnswer(
            f"{where} accepts connections but gave no answer within "
            f"{format_value(timeout, 'seconds')}: frozen, paused, or busy with one long command",
            "See the Redis process with 'top': at 100 % CPU it is busy, in state D it waits for "
            "its disk, in state T it is stopped ('kill -CONT PID' lets it go on); else all clients "
            "may be paused (CLIENT PAUSE). A restart loses what is not saved yet.",
        )
    closed = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)
    if any(isinstance(each, closed) for each in causes) or "closed by server" in str(error):
        return Unreachable(
            f"{where} accepts connections and closes them",
            "Its log says why. Often maxclients is reached, or it is being stopped or restarted: "
            "'systemctl status redis'.",
        )
    return Unreachable(
        f"{where} cannot be used: {shorten(redact(str(error), endpoint.secrets), 200)}",
        "Check that redis_url names a Redis server, and what stands between here and there.",
    )


def _refused(error: Exception, endpoint: Endpoint) -> RunbookError:
    """The error of a server, or of a proxy in front of it, that refuses in words of its own."""
    return Refused(
        f"{endpoint.address} answers, and refuses: "
        f"{shorten(redact(str(error), endpoint.secrets), 200)}",
        "It runs. Look up these words in the documentation of the server, or of the proxy or "
        "service in front of it; its log and its configuration say more.",
    )


def _first_system_error(causes: Sequence[BaseException], endpoint: Endpoint) -> RunbookError | None:
    for cause in causes:
        known = _system_error(cause, endpoint)
        if known:
            return known
    return None


def _system_error(cause: BaseException, endpoint: Endpoint) -> RunbookError | None:
    """The error if the operating system or the TLS library says what is wrong."""
    where = endpoint.address
    if isinstance(cause, ssl.SSLError):
        return _tls_error(cause, where)
    if isinstance(cause, socket.gaierror):
        return Unreachable(
            f"The name {endpoint.host} does not resolve: {cause.strerror}",
            "Check the host in redis_url, and DNS.",
        )
    if isinstance(cause, ConnectionRefusedError):
        return NotListening(
            f"Nothing listens on {where}: connection refused",
            "If Redis should run there, 'systemctl status redis' and its log say why it does not; "
            "start it. Otherwise correct host and port in redis_url.",
        )
    if isinstance(cause, FileNotFoundError):
        return NotListening(
            f"There is no socket {where}",
            "Check 'systemctl status redis', and unixsocket in redis.conf.",
        )
    if isinstance(cause, PermissionError):
        return NotCollected(
            f"This user lacks permission to open {where}",
            "Run the probe as a member of the socket's group (often 'redis'), or with "
            "become: true.",
        )
    if isinstance(cause, OSError) and cause.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return Unreachable(
            f"No route to {where}: {cause.strerror}",
            "Check that the host is up, the network and the routes.",
        )
    return None


def _tls_error(cause: ssl.SSLError, where: str) -> RunbookError | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unreachable(
            f"The certificate of {where} is not trusted: {cause.verify_message}",
            "Give the CA's certificate as ca_file; or renew the certificate, or use the name that "
            "it is issued for.",
        )
    return _no_certificate(where) if "CERTIFICATE_REQUIRED" in str(cause.reason) else None


def _no_certificate(where: str) -> RunbookError:
    return Refused(
        f"{where} requires a certificate of the client",
        "Add it to redis_url: ?ssl_certfile=FILE&ssl_keyfile=FILE; or set 'tls-auth-clients no' in "
        "redis.conf.",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that led to it."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
