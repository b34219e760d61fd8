"""Bodies as a browser reads them."""

from __future__ import annotations

import gzip
import zlib

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.body import (
    CannotDecompress,
    decompressed,
    text_of,
    title_of,
    unknown_coding,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.snapshot import Answer

TEXT = b'{"status": "ok"}'


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


@pytest.mark.parametrize(
    ("codings", "body"),
    [
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("x-gzip", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("deflate, gzip", gzip.compress(zlib.compress(TEXT), mtime=0)),
    ],
)
def test_codings_are_undone(codings: str, body: bytes) -> None:
    assert unknown_coding(codings) == ""
    assert decompressed(body, codings, 1000) == TEXT


def test_what_unfolds_is_bounded_and_what_is_wrong_is_said() -> None:
    assert len(decompressed(gzip.compress(b"0" * 10_000_000, mtime=0), "gzip", 1000)) == 1000
    assert decompressed(b"", "gzip", 1000) == b""
    assert unknown_coding("gzip, br") == "br"
    with pytest.raises(CannotDecompress):
        decompressed(TEXT, "gzip", 1000)


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ("\ufeffGröße".encode(), ""),
        ("\ufeffGröße".encode(), "latin-1"),
        ("Größe".encode(), ""),
        ("Größe".encode("latin-1"), ""),
        ("Größe".encode("latin-1"), "latin-1"),
        (b"\xff\xfe" + "Größe".encode("utf-16-le"), "utf-8"),
    ],
)
def test_text_is_decoded_and_has_no_byte_order_mark(body: bytes, charset: str) -> None:
    assert text_of(Answer(body=body, charset=charset)) == "Größe"


def test_the_title_of_a_page() -> None:
    assert title_of(Answer(body=b"<title lang=en>\n A  page </title>")) == "A page"
    assert title_of(Answer(body=b"<p>no title")) == ""
    assert title_of(Answer(body=b'{"title": "<title>x</title>"}')) == ""
