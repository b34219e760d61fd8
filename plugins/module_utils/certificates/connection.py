# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as servers send them: the TLS connections of `cert_check`, with STARTTLS for PostgreSQL."""

from __future__ import annotations

import socket
import ssl
import struct
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Callable

from ..core.units import format_value
from ..net.failures import connection_failure, timed_out, tls_failure
from ..net.tls import EXPIRED, NOT_YET_VALID, unverified_context, verified_context
from ..net.url import host_port

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME
#: Seconds in which the other side may say goodbye.
_LEAVE = 0.25
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@dataclass(frozen=True)
class Place:
    """Where to ask, for whom, and how."""

    host: str
    port: int
    server_name: str
    starttls: str = "none"
    """``none``, ``postgres`` or ``postgres_direct``."""
    address: str = ""


@dataclass(frozen=True)
class Served:
    """What a server showed of itself, or why it showed nothing."""

    failure: str = ""
    remedy: str = ""
    """What to do about the failure, where that is plain."""
    chain: tuple[bytes, ...] = field(default=(), repr=False)
    """DER, the server's own certificate first."""
    whole: bool = True
    """False where this Python (before 3.10) sees only the first certificate."""
    code: int | None = None
    """OpenSSL's verdict on the chain, 0 where it leads to a trusted root; none where there was no verdict."""
    message: str = ""
    peer: str = ""
    tls: str = ""


class _Refused(Exception):
    """The server does not offer TLS; the text says how it said so."""

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__(text)
        self.remedy = remedy


class _Contexts:
    """The ways to look at a server: as a client does, without regard to dates, and without any demand."""

    def __init__(self, ca_file: str | None, protocol: str) -> None:
        self.strict, self.timeless, self.lenient = (
            verified_context(ca_file),
            verified_context(ca_file),
            unverified_context(),
        )
        for verifying in (self.strict, self.timeless):
            verifying.check_hostname = False  # the name is a verdict of its own
        self.timeless.verify_flags |= _NO_CHECK_TIME
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.lenient.minimum_version = ssl.TLSVersion.TLSv1
        self.lenient.set_ciphers("ALL:@SECLEVEL=0")
        if protocol:
            for context in (self.strict, self.timeless, self.lenient):
                context.set_alpn_protocols([protocol])


class Connector:
    """Fetches certificates, from several threads at once."""

    def __init__(
        self, ca_file: str | None, timeout: float, starttls: Iterable[str] = ("none",)
    ) -> None:
        self._timeout = timeout
        self._contexts = {
            kind: _Contexts(ca_file, "postgresql" if kind == "postgres_direct" else "")
            for kind in set(starttls)
        }

    def look(self, place: Place, current: Callable[[bytes], bool]) -> Served:
        """The server's certificates and OpenSSL's verdict on them. ``current`` says whether a certificate is within its dates.

        A chain that verifies takes one connection. One that does not takes a second, to get the certificates all the same, and where the
        server's own is out of date a third: that it has expired must not hide that nobody vouches for it.
        """
        contexts = self._contexts[place.starttls]
        try:
            return self._handshake(place, contexts.strict)
        except ssl.SSLCertVerificationError as error:
            code, message = error.verify_code, error.verify_message
        except ssl.SSLError as error:
            return self._without_verdict(place, error)
        except (OSError, _Refused) as error:
            return self._failed(place, error)
        try:
            served = self._handshake(place, contexts.lenient)
            if code in (EXPIRED, NOT_YET_VALID) and not current(served.chain[0]):
                code, message = self._beside_dates(place)
        except (OSError, _Refused) as error:
            return self._failed(place, error)
        return Served(
            chain=served.chain,
            whole=served.whole,
            code=code,
            message=message,
            peer=served.peer,
            tls=served.tls,
        )

    def _without_verdict(self, place: Place, error: ssl.SSLError) -> Served:
        """The certificate of a server that speaks only TLS which is not accepted any more."""
        try:
            served = self._handshake(place, self._contexts[place.starttls].lenient)
        except (OSError, _Refused):
            return self._failed(place, error)
        return Served(
            chain=served.chain,
            whole=served.whole,
            message=tls_failure(error, place.server_name).text,
            peer=served.peer,
            tls=served.tls,
        )

    def _beside_dates(self, place: Place) -> tuple[int, str]:
        try:
            self._handshake(place, self._contexts[place.starttls].timeless)
        except ssl.SSLCertVerificationError as error:
            return error.verify_code, error.verify_message
        return 0, ""

    def _failed(self, place: Place, error: BaseException) -> Served:
        host = place.address or place.host
        if isinstance(error, _Refused):
            return Served(failure=str(error), remedy=error.remedy)
        if timed_out(error):
            return Served(
                failure=f"{host_port(host, place.port)} showed no certificate within {format_value(self._timeout, 'seconds')}"
            )
        return Served(failure=connection_failure(error, host, place.port, place.server_name).text)

    def _handshake(self, place: Place, context: ssl.SSLContext) -> Served:
        with socket.create_connection(
            (place.address or place.host, place.port), timeout=self._timeout
        ) as plain:
            if place.starttls == "postgres":
                _ask_postgres(plain, host_port(place.address or place.host, place.port))
            peer = plain.getpeername()
            with context.wrap_socket(plain, server_hostname=place.server_name) as tls:
                chain, whole = _chain(tls)
                version = tls.version() or ""
                _take_leave(tls)
                return Served(
                    chain=chain, whole=whole, code=0, peer=host_port(peer[0], peer[1]), tls=version
                )


def addresses(host: str, port: int) -> list[str]:
    """All addresses of a host, each once; raises OSError where it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _ask_postgres(plain: socket.socket, where: str) -> None:
    """PostgreSQL's own way into TLS: a request of eight bytes, an answer of one."""
    plain.sendall(_SSL_REQUEST)
    answer = plain.recv(1)
    if answer == b"N":
        remedy = "Set ssl = on, ssl_cert_file and ssl_key_file in postgresql.conf and reload it; or take it out of the endpoints if TLS is not wanted there."
        raise _Refused(f"PostgreSQL on {where} does not offer TLS (ssl is off)", remedy)
    if answer == b"":
        raise _Refused(f"{where} closed the connection when asked for TLS")
    if answer != b"S":
        raise _Refused(f"what listens on {where} is not PostgreSQL")


def _take_leave(tls: ssl.SSLSocket) -> None:
    """End TLS in due form: a connection that just breaks off is a line in PostgreSQL's log, every morning."""
    tls.settimeout(_LEAVE)
    with suppress(OSError):
        tls.unwrap()


def _chain(tls: ssl.SSLSocket) -> tuple[tuple[bytes, ...], bool]:
    """The certificates that the server sent, and whether these are all."""
    if hasattr(tls, "get_unverified_chain"):  # Python 3.13
        return tuple(tls.get_unverified_chain()), True
    inner: Any = getattr(tls, "_sslobj", None)
    if hasattr(inner, "get_unverified_chain"):  # 3.10 to 3.12 have it, one layer down
        sent: Sequence[Any] = inner.get_unverified_chain() or ()
        return tuple(ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in sent), True
    leaf = tls.getpeercert(binary_form=True)
    return ((leaf,) if leaf else ()), False
