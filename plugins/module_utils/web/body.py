# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of an answer as a browser reads it: decompressed, and decoded into text."""

from __future__ import annotations

import codecs
import html
import re
import zlib

from .snapshot import Answer

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class CannotDecompress(Exception):
    """The content is not what Content-Encoding says."""


def unknown_coding(content_encoding: str) -> str:
    """The first coding that the standard library cannot undo; empty if it can undo all."""
    return next((one for one in _codings(content_encoding) if one not in _WINDOW_BITS), "")


def decompressed(body: bytes, content_encoding: str, limit: int) -> bytes:
    """The body without its codings, at most so many bytes; raises `CannotDecompress`."""
    for coding in reversed(_codings(content_encoding)):
        body = _without(coding, body, limit) if body else body
    return body


def _codings(content_encoding: str) -> list[str]:
    names = [name.strip().lower() for name in content_encoding.split(",")]
    return [name for name in names if name not in ("", "identity", "none")]


def _without(coding: str, body: bytes, limit: int) -> bytes:
    bits = _WINDOW_BITS[coding]
    if coding == "deflate" and body[0] & 15 != 8:  # as some servers send it, without zlib's header
        bits = -bits
    try:
        return zlib.decompressobj(bits).decompress(body, limit)
    except zlib.error:
        raise CannotDecompress(coding) from None


def text_of(answer: Answer) -> str:
    """The body as text, without a byte order mark; what cannot be decoded is replaced."""
    for mark, charset in _BYTE_ORDER_MARKS:
        if answer.body.startswith(mark):
            return answer.body[len(mark) :].decode(charset, "replace")
    if not answer.charset:
        try:
            return codecs.getincrementaldecoder("utf-8")().decode(answer.body)
        except UnicodeDecodeError:
            return answer.body.decode("latin-1")
    try:
        return answer.body.decode(answer.charset, "replace")
    except LookupError:
        return answer.body.decode("utf-8", "replace")


def title_of(answer: Answer) -> str:
    """The title of an HTML page; empty if it has none or is no HTML page."""
    if "html" not in answer.content_type and answer.body.lstrip()[:1] != b"<":
        return ""
    found = re.search(r"<title[^>]*>([^<]*)", text_of(answer)[:20_000], re.IGNORECASE)
    return " ".join(html.unescape(found.group(1)).split()) if found else ""
