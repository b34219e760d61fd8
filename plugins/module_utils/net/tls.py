# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS contexts that trust what the system trusts, and why a connection failed, in plain words."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from collections.abc import Iterator

from ..core.errors import UsageError
from ..core.text import redact, shorten
from .url import host_port, is_address

_PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_PARTIAL_CHAIN; ssl names it only from Python 3.10 on

#: Where distributions keep all roots in one file, should OpenSSL not know.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)

#: OpenSSL's verification codes (x509_vfy.h) that the fault table of a certificate knows.
EXPIRED, NOT_YET_VALID = 10, 9
SELF_SIGNED, SELF_SIGNED_IN_CHAIN, NO_LOCAL_ISSUER, NO_ISSUER, UNVERIFIED_LEAF = 18, 19, 20, 2, 21
WRONG_HOSTNAME, WRONG_ADDRESS = 62, 64
INVALID_CA = 79  # 24 before OpenSSL 3
UNTRUSTED = (NO_ISSUER, SELF_SIGNED, SELF_SIGNED_IN_CHAIN, NO_LOCAL_ISSUER, UNVERIFIED_LEAF)

_HANDSHAKE = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS there (plain HTTP on that port?)",
    "HTTP_REQUEST": "it does not speak TLS there (plain HTTP on that port?)",
    "PACKET_LENGTH_TOO_LONG": "it does not speak TLS there",
    "RECORD_LAYER_FAILURE": "it does not speak TLS there",
    "UNSUPPORTED_PROTOCOL": "it offers only TLS versions that are too old",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it accepts none of this machine's TLS versions",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it refused the TLS handshake (no cipher in common, or it wants a client certificate)",
    "TLSV1_UNRECOGNIZED_NAME": "it has no certificate for that name (SNI)",
    "TLSV1_ALERT_UNRECOGNIZED_NAME": "it has no certificate for that name (SNI)",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a client certificate",
    "UNEXPECTED_EOF_WHILE_READING": "it closed the connection in the TLS handshake",
    "DH_KEY_TOO_SMALL": "its key exchange is too weak",
    "EE_KEY_TOO_SMALL": "the key of its certificate is too weak",
    "CA_MD_TOO_WEAK": "its certificate's signature is too weak",
}

_ERRNO = {
    errno.EHOSTUNREACH: "no route to {where}",
    errno.ENETUNREACH: "the network of {where} cannot be reached from here",
    errno.EACCES: "this machine's firewall forbids connections to {where}",
    errno.EPERM: "this machine's firewall forbids connections to {where}",
    errno.EADDRNOTAVAIL: "this machine has no address from which to reach {where}",
    errno.ETIMEDOUT: "no connection to {where}: it timed out",
}


def verified_context(
    ca_file: str | None, kind: type[ssl.SSLContext] = ssl.SSLContext
) -> ssl.SSLContext:
    """A client's context that verifies name and chain, trusting the system's roots and those in ``ca_file``."""
    context = kind(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    context.verify_flags |= (
        _PARTIAL_CHAIN  # a private CA's file may hold its intermediate only, as curl allows
    )
    folder = _root_folder()
    if folder:
        context.load_verify_locations(capath=folder)
    else:
        context.load_default_certs()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except ssl.SSLError:
            raise UsageError(f"ca_file: {ca_file} holds no certificate in PEM form") from None
        except OSError as error:
            raise UsageError(f"ca_file: {ca_file} cannot be read: {error.strerror}") from None
    return context


def unverified_context() -> ssl.SSLContext:
    """A client's context that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def root_files() -> list[str]:
    """The files with the system's roots, one for all where there is one."""
    bundle = ssl.get_default_verify_paths().cafile
    for path in (bundle, *_BUNDLES):
        if path and os.path.isfile(path):
            return [path]
    folder = _root_folder()
    return [entry.path for entry in os.scandir(folder) if entry.is_file()] if folder else []


def _root_folder() -> str | None:
    """The folder from which OpenSSL reads single roots as it needs them.

    Loading a bundle of all roots costs 30 ms; where the bundle lies in that folder, both hold the same roots.
    """
    paths = ssl.get_default_verify_paths()
    folder, bundle = paths.capath, paths.cafile
    if not folder or (
        bundle and os.path.dirname(os.path.realpath(bundle)) != os.path.realpath(folder)
    ):
        return None
    try:
        with os.scandir(folder) as entries:
            return (
                folder
                if any(re.fullmatch(r"[0-9a-f]{8}\.\d+", entry.name) for entry in entries)
                else None
            )
    except OSError:
        return None


def why(error: BaseException, host: str, port: int, name: str = "") -> str:
    """Why there is no connection or no answer, in plain words; ``name`` is whom the certificate has to name, if not the host."""
    where = host_port(host, port)
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, socket.timeout):
            return tls_reason(cause, name or host)
    for cause in causes:
        words = _socket_reason(cause, host, where)
        if words:
            return words
    return f"no answer from {where}: {shorten(redact(str(causes[-1])), 120)}"


def timed_out(error: BaseException) -> bool:
    """Whether something took too long, and nothing else is wrong."""
    causes = list(_causes(error))
    return any(isinstance(cause, (socket.timeout, TimeoutError)) for cause in causes) and not any(
        isinstance(cause, socket.gaierror) for cause in causes
    )


def dropped(error: BaseException) -> bool:
    """Whether the other side ended a connection that was open."""
    return any(
        isinstance(cause, (ConnectionResetError, BrokenPipeError)) for cause in _causes(error)
    )  # RemoteDisconnected is one


def _socket_reason(error: BaseException, host: str, where: str) -> str:
    import http.client  # only failures pay for it

    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return f"the name server does not answer for {host!r}"
        return f"the name {host!r} does not resolve"
    if isinstance(error, ConnectionRefusedError):
        return f"connection refused: nothing listens on {where}"
    if isinstance(error, http.client.RemoteDisconnected):
        return f"{where} closed the connection without an answer"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return f"{where} broke off the connection"
    if isinstance(error, (socket.timeout, TimeoutError)):
        return f"{where} did not answer in time"
    if isinstance(error, OSError) and error.errno in _ERRNO:
        return _ERRNO[error.errno].format(where=where)
    if isinstance(error, http.client.HTTPException):
        return f"what {where} answers is not HTTP"
    return ""


def tls_reason(error: ssl.SSLError, name: str) -> str:
    """Why TLS failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {verification_reason(error.verify_code, error.verify_message, name)}"
    if isinstance(error, ssl.SSLEOFError):
        return f"TLS: {_HANDSHAKE['UNEXPECTED_EOF_WHILE_READING']}"
    reason = getattr(error, "reason", None) or ""
    return f"TLS: {_HANDSHAKE.get(reason) or 'the handshake failed (' + (reason.lower().replace('_', ' ') or shorten(str(error), 80)) + ')'}"


def verification_reason(code: int, message: str, name: str) -> str:
    """One of OpenSSL's verdicts on a certificate, in plain words."""
    if code == EXPIRED:
        return "a certificate has expired"
    if code == NOT_YET_VALID:
        return "a certificate is not valid yet (is the clock right?)"
    if code in (WRONG_HOSTNAME, WRONG_ADDRESS):
        return f"the certificate is made out for another {'address' if is_address(name) else 'name'} than {name!r}"
    if code == SELF_SIGNED:
        return "the certificate is signed by itself, so nobody vouches for it"
    if code == SELF_SIGNED_IN_CHAIN:
        return "its root is unknown: neither among the system's roots nor in ca_file"
    if code in UNTRUSTED:
        return "its issuer is unknown: the intermediate is not sent along, or the root is neither the system's nor in ca_file"
    if code == INVALID_CA:
        return "it was signed with a certificate that is no authority's"
    return shorten(message or f"OpenSSL's verdict {code}", 80)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was made from; libraries wrap the operating system's own several times."""
    seen: set[int] = set()
    todo: list[object] = [error]
    while todo:
        item = todo.pop(0)
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        todo += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
