# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a connection failed or an answer did not come, in plain words.

Works for any client library: what the operating system or OpenSSL reported is found in the chain of
causes of the library's own exception.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from ..core.text import redact, shorten
from .tls import verification_reason
from .url import host_port

#: The kinds of failures.
NAME = "name"  # the host name does not resolve
REFUSED = "refused"  # nothing listens there
NO_SOCKET = "no socket"  # there is no such Unix socket
NO_ROUTE = "no route"  # the network does not lead there
FORBIDDEN = "forbidden"  # a firewall, or the permissions of a Unix socket
TIMEOUT = "timeout"
DROPPED = "dropped"  # the other side closed the connection
CERTIFICATE = "certificate"  # OpenSSL rejected the certificate
TLS = "tls"  # any other failure of the TLS handshake
PROTOCOL = "protocol"  # the answer is not HTTP
OTHER = "other"


@dataclass(frozen=True)
class Failure:
    """Why there is no connection or no answer."""

    kind: str
    """One of the kinds above, to choose a remedy by."""
    text: str
    """What happened, without a capital and a final period; names host and port."""


_HANDSHAKE_REASONS = {
    "WRONG_VERSION_NUMBER": "the server does not speak TLS (is it a plain HTTP port?)",
    "HTTP_REQUEST": "the server does not speak TLS (is it a plain HTTP port?)",
    "PACKET_LENGTH_TOO_LONG": "the server does not speak TLS",
    "RECORD_LAYER_FAILURE": "the server does not speak TLS",
    "UNSUPPORTED_PROTOCOL": "the server offers only outdated TLS versions",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server accepts none of this machine's TLS versions",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "the server refused the handshake"
        " (no cipher in common, or it requires a client certificate)"
    ),
    "TLSV1_UNRECOGNIZED_NAME": "the server has no certificate for that name (SNI)",
    "TLSV1_ALERT_UNRECOGNIZED_NAME": "the server has no certificate for that name (SNI)",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server requires a client certificate",
    "UNEXPECTED_EOF_WHILE_READING": "the server closed the connection during the handshake",
    "DH_KEY_TOO_SMALL": "the server's key exchange is too weak",
    "EE_KEY_TOO_SMALL": "the key of the server's certificate is too weak",
    "CA_MD_TOO_WEAK": "the signature of the server's certificate is too weak",
}

_ERRNO = {
    errno.EHOSTUNREACH: (NO_ROUTE, "no route to {where}"),
    errno.ENETUNREACH: (NO_ROUTE, "the network of {where} is unreachable from here"),
    errno.EADDRNOTAVAIL: (NO_ROUTE, "this machine has no address from which to reach {where}"),
    errno.EACCES: (FORBIDDEN, "this machine's firewall blocks connections to {where}"),
    errno.EPERM: (FORBIDDEN, "this machine's firewall blocks connections to {where}"),
    errno.ETIMEDOUT: (TIMEOUT, "no connection to {where}: timed out"),
}


def connection_failure(
    error: BaseException, host: str, port: int, server_name: str = ""
) -> Failure:
    """Why there is no connection to a host and port, or no answer from there.

    ``server_name`` is the name that the certificate must be issued for, where it is not the host.
    """
    where = host_port(host, port)
    return known_failure(error, host, where, server_name) or Failure(
        OTHER, f"no answer from {where}: {shorten(redact(str(list(causes(error))[-1])), 120)}"
    )


def known_failure(
    error: BaseException, host: str, where: str, server_name: str = ""
) -> Failure | None:
    """The same, or none if neither the operating system nor OpenSSL gave a reason.

    ``where`` is the host and port as the text has them, or the path of a Unix socket.
    """
    chain = list(causes(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, socket.timeout):
            return tls_failure(cause, server_name or host)
    for cause in chain:
        failure = _socket_failure(cause, host, where)
        if failure:
            return failure
    return None


def tls_failure(error: ssl.SSLError, server_name: str) -> Failure:
    """Why TLS failed with a server that was asked for this name."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = verification_reason(error.verify_code, error.verify_message, server_name)
        return Failure(CERTIFICATE, f"TLS: {reason}")
    code = getattr(error, "reason", None) or ""
    if isinstance(error, ssl.SSLEOFError):
        code = "UNEXPECTED_EOF_WHILE_READING"
    if code in _HANDSHAKE_REASONS:
        return Failure(TLS, f"TLS: {_HANDSHAKE_REASONS[code]}")
    detail = code.lower().replace("_", " ") or shorten(str(error), 80)
    return Failure(TLS, f"TLS: the handshake failed ({detail})")


def timed_out(error: BaseException) -> bool:
    """Whether something took too long and nothing else is wrong."""
    chain = list(causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in chain):
        return False
    return any(isinstance(cause, (socket.timeout, TimeoutError)) for cause in chain)


def dropped(error: BaseException) -> bool:
    """Whether the other side closed a connection that was open."""
    # http.client.RemoteDisconnected is a ConnectionResetError.
    return any(
        isinstance(cause, (ConnectionResetError, BrokenPipeError)) for cause in causes(error)
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it; libraries wrap the operating system's own several times."""
    seen: set[int] = set()
    pending: list[object] = [error]
    while pending:
        item = pending.pop(0)
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        pending += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]


def _socket_failure(error: BaseException, host: str, where: str) -> Failure | None:
    import http.client  # needed only after a failure

    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return Failure(NAME, f"the name server does not answer for {host!r}")
        return Failure(NAME, f"the name {host!r} does not resolve")
    if isinstance(error, ConnectionRefusedError):
        return Failure(REFUSED, f"connection refused: nothing listens on {where}")
    if isinstance(error, http.client.RemoteDisconnected):
        return Failure(DROPPED, f"{where} closed the connection without an answer")
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return Failure(DROPPED, f"{where} dropped the connection")
    if isinstance(error, (socket.timeout, TimeoutError)):
        return Failure(TIMEOUT, f"{where} did not answer in time")
    if isinstance(error, OSError) and where.startswith("/"):
        return _unix_socket_failure(error, where)
    if isinstance(error, OSError) and error.errno in _ERRNO:
        kind, text = _ERRNO[error.errno]
        return Failure(kind, text.format(where=where))
    if isinstance(error, http.client.HTTPException):
        return Failure(PROTOCOL, f"the answer from {where} is not HTTP")
    return None


def _unix_socket_failure(error: OSError, path: str) -> Failure | None:
    if isinstance(error, FileNotFoundError):
        return Failure(NO_SOCKET, f"the socket {path} does not exist")
    if isinstance(error, PermissionError):
        return Failure(FORBIDDEN, f"this user lacks permission to open the socket {path}")
    return None
