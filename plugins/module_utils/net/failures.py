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
from .tls import NO_LOCAL_ISSUER, STRONGER, verification_reason, verification_remedy
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
    remedy: str = ""
    """What to do, where the reason itself says it, as those of TLS do."""


_PLAIN = (
    "If the port is a plain one, use http:// and check the redirect that led there, if any; else"
    " have the server speak TLS on it ('listen PORT ssl' in nginx)."
)
_VERSIONS = "Allow TLS 1.2 and 1.3 on the server (ssl_protocols in nginx), and reload."
_OURS = (
    "This probe has no client certificate: exempt it (ssl_verify_client in nginx), or ask the app"
    " on its own port."
)
_NO_NAME = (
    "The server has no site of that name: check server_name in its configuration. With an address"
    " no name is sent: ask for the site's name, and set address to where it is."
)
_BROKEN_OFF = (
    "Check the server's error log for this time. A load balancer without a healthy server behind"
    " it, and a firewall, break off like that."
)
_UNKNOWN_ISSUER = (
    "If it is a private CA, name its certificate in ca_file; else have the server send its"
    " intermediate as well, and reload. cert_check says which it is."
)
_ANY_HANDSHAKE = (
    "See more with 'openssl s_client -connect HOST:PORT -servername HOST </dev/null', and in the"
    " server's error log."
)
_NO_TLS = "the server does not speak TLS"
_MAYBE_PLAIN = f"{_NO_TLS} (is it a plain HTTP port?)"
_NO_SITE = "the server has no certificate for that name (SNI)"

#: What OpenSSL's reasons for a failed handshake mean, and what to do.
_HANDSHAKE_REASONS = {
    "WRONG_VERSION_NUMBER": (_MAYBE_PLAIN, _PLAIN),
    "HTTP_REQUEST": (_MAYBE_PLAIN, _PLAIN),
    "PACKET_LENGTH_TOO_LONG": (_NO_TLS, _PLAIN),
    "RECORD_LAYER_FAILURE": (_NO_TLS, _PLAIN),
    "UNSUPPORTED_PROTOCOL": ("the server offers only outdated TLS versions", _VERSIONS),
    "TLSV1_ALERT_PROTOCOL_VERSION": (
        "the server accepts none of this machine's TLS versions",
        _VERSIONS,
    ),
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "the server refused the handshake"
        " (no cipher in common, or it requires a client certificate)",
        f"Compare the server's ciphers (ssl_ciphers in nginx) with 'openssl ciphers'. {_OURS}",
    ),
    "TLSV1_UNRECOGNIZED_NAME": (_NO_SITE, _NO_NAME),
    "TLSV1_ALERT_UNRECOGNIZED_NAME": (_NO_SITE, _NO_NAME),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": ("the server requires a client certificate", _OURS),
    "UNEXPECTED_EOF_WHILE_READING": (
        "the server closed the connection during the handshake",
        _BROKEN_OFF,
    ),
    "DH_KEY_TOO_SMALL": (
        "the server's key exchange is too weak",
        "Give the server larger DH parameters (ssl_dhparam in nginx, 2048 bits), or only ECDHE.",
    ),
    "EE_KEY_TOO_SMALL": ("the key of the server's certificate is too weak", STRONGER),
    "CA_MD_TOO_WEAK": ("the signature of the server's certificate is too weak", STRONGER),
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
        return Failure(CERTIFICATE, f"TLS: {reason}", _certificate_remedy(error.verify_code))
    code = getattr(error, "reason", None) or ""
    if isinstance(error, ssl.SSLEOFError):
        code = "UNEXPECTED_EOF_WHILE_READING"
    if code in _HANDSHAKE_REASONS:
        reason, remedy = _HANDSHAKE_REASONS[code]
        return Failure(TLS, f"TLS: {reason}", remedy)
    detail = code.lower().replace("_", " ") or shorten(str(error), 80)
    return Failure(TLS, f"TLS: the handshake failed ({detail})", _ANY_HANDSHAKE)


def _certificate_remedy(code: int) -> str:
    # From a rejected handshake it is not known what the server sent.
    return _UNKNOWN_ISSUER if code == NO_LOCAL_ISSUER else verification_remedy(code)


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
