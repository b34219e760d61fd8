# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS handshakes that fetch the certificates of a server; STARTTLS for PostgreSQL."""

from __future__ import annotations

import socket
import ssl
import struct
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from ..core.errors import Refused
from ..core.units import format_value
from ..net.failures import TLS, connection_failure, timed_out, tls_failure
from ..net.tls import EXPIRED, NOT_YET_VALID, unverified_context
from ..net.url import host_port, is_address
from .judge import Judge
from .options import Endpoint

#: Seconds to wait for the other side to close TLS.
_CLOSE_TIMEOUT = 0.25
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
#: What a server's refusal of a client without a certificate is called up to TLS 1.2.
_WANTS_OURS = ("SSLV3_ALERT_HANDSHAKE_FAILURE", "SSLV3_ALERT_BAD_CERTIFICATE")
_NO_NAME_REMEDY = (
    "Set server_name to a name that the server serves: with an address none is sent (SNI)."
)
_NO_TLS_REMEDY = (
    "Set ssl = on, ssl_cert_file and ssl_key_file in postgresql.conf and reload PostgreSQL;"
    " or remove it from the endpoints if it is meant to run without TLS."
)


@dataclass(frozen=True)
class Handshake:
    """What a server sent, or why it sent nothing."""

    failure: str = ""
    remedy: str = ""
    """What to do about the failure, if that is clear."""
    chain: tuple[bytes, ...] = field(default=(), repr=False)
    """DER, the server's own certificate first."""
    complete: bool = True
    """False where this Python (before 3.10) shows only the first certificate."""
    verify_code: int | None = None
    """OpenSSL's code for the chain: 0 for trusted, none if it was not verified."""
    verify_message: str = ""
    peer: str = ""
    tls: str = ""


class _Contexts:
    """Three ways to connect: as a client does, without checking dates, without any check."""

    def __init__(self, judge: Judge, alpn: str) -> None:
        self.judge = Judge(judge.ca_file) if alpn else judge
        self.lenient = unverified_context()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.lenient.minimum_version = ssl.TLSVersion.TLSv1
        self.lenient.set_ciphers("ALL:@SECLEVEL=0")
        if alpn:
            for context in (self.judge.strict, self.judge.ignoring_dates, self.lenient):
                context.set_alpn_protocols([alpn])


class TlsClient:
    """Fetches certificates, from several threads at once."""

    def __init__(self, judge: Judge, timeout: float, starttls: Iterable[str] = ("none",)) -> None:
        self._timeout = timeout
        self._contexts = {
            kind: _Contexts(judge, "postgresql" if kind == "postgres_direct" else "")
            for kind in set(starttls)
        }

    def fetch(self, endpoint: Endpoint, in_date: Callable[[bytes], bool]) -> Handshake:
        """The server's certificates and OpenSSL's verdict on them.

        ``in_date`` says whether a certificate is within its dates. A chain that verifies takes one
        connection. One that does not takes a second, to get the certificates anyway. Where this
        Python shows only the first of them, it takes a third if that is out of date: this must not
        hide an untrusted issuer.
        """
        contexts = self._contexts[endpoint.starttls]
        try:
            return self._handshake(endpoint, contexts.judge.strict)
        except ssl.SSLCertVerificationError as error:
            code, message = error.verify_code, error.verify_message
        except ssl.SSLError as error:
            return self._fetch_unverified(endpoint, error)
        except (OSError, Refused) as error:
            return self._failed(endpoint, error)
        try:
            handshake = self._handshake(endpoint, contexts.lenient)
            outdated = code in (EXPIRED, NOT_YET_VALID) and not in_date(handshake.chain[0])
            if outdated and not handshake.complete:
                code, message = self._verify_ignoring_dates(endpoint)
        except (OSError, Refused) as error:
            return self._failed(endpoint, error)
        return replace(handshake, verify_code=code, verify_message=message)

    def _fetch_unverified(self, endpoint: Endpoint, error: ssl.SSLError) -> Handshake:
        """The certificate of a server whose TLS is too old for current clients."""
        try:
            handshake = self._handshake(endpoint, self._contexts[endpoint.starttls].lenient)
        except (OSError, Refused):
            return self._failed(endpoint, error)
        reason = tls_failure(error, endpoint.server_name).text
        return replace(handshake, verify_code=None, verify_message=reason)

    def _verify_ignoring_dates(self, endpoint: Endpoint) -> tuple[int, str]:
        try:
            self._handshake(endpoint, self._contexts[endpoint.starttls].judge.ignoring_dates)
        except ssl.SSLCertVerificationError as error:
            return error.verify_code, error.verify_message
        return 0, ""

    def _failed(self, endpoint: Endpoint, error: BaseException) -> Handshake:
        host = endpoint.address or endpoint.host
        if isinstance(error, Refused):
            return Handshake(failure=str(error), remedy=error.remedy)
        if timed_out(error):
            limit = format_value(self._timeout, "seconds")
            where = host_port(host, endpoint.port)
            return Handshake(failure=f"{where} sent no certificate within {limit}")
        failure = connection_failure(error, host, endpoint.port, endpoint.server_name)
        nameless = failure.kind == TLS and is_address(endpoint.server_name)
        remedy = _NO_NAME_REMEDY if nameless else failure.remedy
        return Handshake(failure=failure.text, remedy=remedy)

    def _handshake(self, endpoint: Endpoint, context: ssl.SSLContext) -> Handshake:
        host, port = endpoint.address or endpoint.host, endpoint.port
        with socket.create_connection((host, port), timeout=self._timeout) as plain:
            if endpoint.starttls == "postgres":
                _request_tls_of_postgres(plain, host_port(host, port))
            peer = plain.getpeername()
            with context.wrap_socket(
                plain, server_hostname=endpoint.server_name, do_handshake_on_connect=False
            ) as tls:
                try:
                    tls.do_handshake()
                except ssl.SSLError as error:
                    if not _asked_for_ours(tls, error):
                        raise
                chain, complete = _sent_chain(tls)
                version = tls.version() or ""
                _close(tls)
        return Handshake(
            chain=chain,
            complete=complete,
            verify_code=0,
            peer=host_port(peer[0], peer[1]),
            tls=version,
        )


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, each once; raises OSError if it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _request_tls_of_postgres(plain: socket.socket, where: str) -> None:
    """PostgreSQL's STARTTLS: a request of eight bytes, an answer of one. Raises `Refused`."""
    plain.sendall(_SSL_REQUEST)
    answer = plain.recv(1)
    if answer == b"N":
        raise Refused(f"PostgreSQL on {where} does not offer TLS (ssl is off)", _NO_TLS_REMEDY)
    if answer == b"":
        raise Refused(f"{where} closed the connection when asked for TLS")
    if answer != b"S":
        raise Refused(f"what listens on {where} is not PostgreSQL")


def _close(tls: ssl.SSLSocket) -> None:
    """End TLS properly: an aborted connection would be a line in PostgreSQL's log, every day."""
    tls.settimeout(_CLOSE_TIMEOUT)
    with suppress(OSError):
        tls.unwrap()


def _asked_for_ours(tls: ssl.SSLSocket, error: ssl.SSLError) -> bool:
    """Whether the server showed its certificates, and refused a client that has none of its own."""
    if isinstance(error, ssl.SSLCertVerificationError) or error.reason not in _WANTS_OURS:
        return False
    inner: Any = getattr(tls, "_sslobj", None)
    return hasattr(inner, "get_unverified_chain") and bool(inner.get_unverified_chain())


def _sent_chain(tls: ssl.SSLSocket) -> tuple[tuple[bytes, ...], bool]:
    """The certificates that the server sent, and whether these are all."""
    if hasattr(tls, "get_unverified_chain"):  # Python 3.13
        return tuple(tls.get_unverified_chain()), True
    inner: Any = getattr(tls, "_sslobj", None)
    if hasattr(inner, "get_unverified_chain"):  # 3.10 to 3.12 have it, one layer down
        sent: Sequence[Any] = inner.get_unverified_chain() or ()
        return tuple(ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in sent), True
    leaf = tls.getpeercert(binary_form=True)
    return ((leaf,) if leaf else ()), False
