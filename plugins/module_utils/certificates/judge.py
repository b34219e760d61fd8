# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSSL's verdict on certificates that came from anywhere, as a TLS client gets it.

In TLS 1.2 a server sends its certificates in the clear, and a client verifies them before it asks
for a proof that the server has the key. So a client whose connection is two buffers, and which is
given the first two messages of a handshake, says what it makes of any chain. No key is needed.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..net.tls import (
    NO_CHECK_TIME,
    PARTIAL_CHAIN,
    WRONG_NAMES,
    no_system_roots,
    verified_context,
)

_CLIENT_KINDS = {"RSA": "auth-rsa"}
_LARGEST_RECORD = 1 << 14


@dataclass(frozen=True)
class Judgement:
    """What OpenSSL says of a chain."""

    code: int | None
    """0 for trusted; none if it was not judged, and the message says why."""
    message: str = ""
    path: tuple[bytes, ...] = ()
    """The certificates (DER) from the server's own to the trusted one, or as far as they lead.

    Empty with Python 3.9, which does not show them.
    """


class Judge:
    """A TLS client's judgement, with the trusted roots of the system and of ``ca_file``."""

    def __init__(self, ca_file: str | None) -> None:
        self.ca_file = ca_file
        self.strict = self._context()

    @cached_property
    def ignoring_dates(self) -> ssl.SSLContext:
        context = self._context()
        context.verify_flags |= NO_CHECK_TIME
        return context

    def chain(
        self, chain: Sequence[bytes], kind: str = "", ignoring_dates: bool = False
    ) -> Judgement:
        """The verdict on a chain in DER; ``kind`` is that of its first certificate's key."""
        return _judge(self.ignoring_dates if ignoring_dates else self.strict, chain, kind)

    def roots(self) -> list[bytes]:
        """The trusted roots in DER; of those in the system's folder, the ones used so far."""
        return self.strict.get_ca_certs(binary_form=True)

    def _context(self) -> ssl.SSLContext:
        context = verified_context(self.ca_file)
        context.check_hostname = False  # the name is a check of its own
        return context


def matches(leaf: bytes, name: str) -> bool | None:
    """Whether OpenSSL accepts a certificate (DER) for a host name or address.

    None if it refuses the certificate for another reason before it reads the names.
    """
    context = no_system_roots()
    # As it is trusted itself, only the name is left to be refused.
    context.load_verify_locations(cadata=leaf)
    context.verify_flags |= NO_CHECK_TIME | PARTIAL_CHAIN
    code = _judge(context, [leaf], "", name).code
    return code == 0 if code in (0, *WRONG_NAMES) else None


def _judge(
    context: ssl.SSLContext, chain: Sequence[bytes], kind: str, name: str | None = None
) -> Judgement:
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(received, sent, server_hostname=name)
    code: int | None = 0
    message = ""
    try:
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            received.write(_first_messages(_cipher(context, kind), chain))
            client.do_handshake()
    except ssl.SSLWantReadError:
        pass  # it accepts the chain and waits for more
    except ssl.SSLCertVerificationError as error:
        code, message = error.verify_code, error.verify_message
    except ssl.SSLError as error:
        # The kind of key is compared after the chain was verified.
        if error.reason != "WRONG_CERTIFICATE_TYPE":
            code, message = None, (error.reason or str(error)).lower().replace("_", " ")
    return Judgement(code, message, _verified_path(client))


def _cipher(context: ssl.SSLContext, kind: str) -> int:
    """A cipher that the client offers, for a key of this kind."""
    wanted = _CLIENT_KINDS.get(kind, "auth-ecdsa")
    offered = [one for one in context.get_ciphers() if one["protocol"] == "TLSv1.2"]
    fitting = [one for one in offered if one.get("auth") == wanted] or offered
    return int(fitting[0]["id"]) & 0xFFFF if fitting else 0


def _first_messages(cipher: int, chain: Sequence[bytes]) -> bytes:
    """A server's ServerHello and Certificate (RFC 5246, 7.4), in records."""
    renegotiation = b"\xff\x01\x00\x01\x00"  # RFC 5746; OpenSSL refuses a server without it
    hello = (b"\x03\x03" + os.urandom(32) + b"\x00" + cipher.to_bytes(2, "big") + b"\x00") + _sized(
        renegotiation, 2
    )
    certificates = _sized(b"".join(_sized(one, 3) for one in chain), 3)
    messages = b"\x02" + _sized(hello, 3) + b"\x0b" + _sized(certificates, 3)
    return b"".join(
        b"\x16\x03\x03" + _sized(messages[start : start + _LARGEST_RECORD], 2)
        for start in range(0, len(messages), _LARGEST_RECORD)
    )


def _sized(data: bytes, size: int) -> bytes:
    return len(data).to_bytes(size, "big") + data


def _verified_path(client: ssl.SSLObject) -> tuple[bytes, ...]:
    if hasattr(client, "get_verified_chain"):  # Python 3.13
        return tuple(client.get_verified_chain())
    inner: Any = getattr(client, "_sslobj", None)
    if hasattr(inner, "get_verified_chain"):  # 3.10 to 3.12 have it, one layer down
        found: Sequence[Any] = inner.get_verified_chain() or ()
        return tuple(ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in found)
    return ()
