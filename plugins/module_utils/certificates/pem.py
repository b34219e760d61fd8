# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM as OpenSSL, and so nginx and PostgreSQL, read it: each mark on a line of its own."""

from __future__ import annotations

import base64
import binascii
import codecs
import ssl

from ..core.errors import RunbookError

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"
_KNOWS_MARKS = ssl.OPENSSL_VERSION_INFO >= (3,)
_CERTIFICATES = (b"CERTIFICATE", b"X509 CERTIFICATE")


class InvalidCertificate(RunbookError):
    """This is not a certificate; the text says why."""


def certificate_blocks(data: bytes) -> list[bytes]:
    """The certificates in DER; raises `InvalidCertificate` for what OpenSSL would stumble over."""
    blocks: list[bytes] = []
    kind, body, begun = b"", b"", 0
    for line in map(bytes.rstrip, data.split(b"\n")):
        if not kind:
            line = _without_mark(line)
            if line.startswith(_BEGIN) and line.endswith(_DASHES):
                kind, body = line[len(_BEGIN) : -len(_DASHES)], b""
                begun += kind == b"CERTIFICATE"
        elif not line.startswith(_END):
            body += b"".join(line.split())
        elif line != _END + kind + _DASHES:
            raise InvalidCertificate(
                "a line that ends a certificate goes on; put a line break between the two"
            )
        else:
            if kind in _CERTIFICATES:
                blocks.append(_decoded(body))
            kind = b""
    if kind in _CERTIFICATES:
        raise InvalidCertificate("its last certificate has no end")
    if data.count(_BEGIN + b"CERTIFICATE" + _DASHES) > begun:
        raise InvalidCertificate(
            "'-----BEGIN CERTIFICATE-----' does not start its line, so servers skip it"
        )
    return blocks


def _without_mark(line: bytes) -> bytes:
    """OpenSSL 3 looks past an editor's byte order mark."""
    mark = codecs.BOM_UTF8
    return line[len(mark) :] if line.startswith(mark) and _KNOWS_MARKS else line


def _decoded(body: bytes) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise InvalidCertificate("its PEM is damaged") from None
