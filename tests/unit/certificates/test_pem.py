"""PEM as servers read it."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.pem import (
    InvalidCertificate,
    certificate_blocks,
)
from tests.support.throwaway import issue

A, B = issue("a"), issue("b")


@pytest.mark.parametrize(
    "data",
    [
        A.pem + B.pem,
        A.pem.replace(b"\n", b"\r\n") + B.pem,
        b"Bag Attributes\n" + A.pem + A.key_pem + b"text\n" + B.pem.rstrip(),
    ],
)
def test_each_certificate_between_its_lines(data: bytes) -> None:
    assert certificate_blocks(data) == [A.der, B.der]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (A.pem.rstrip() + B.pem, "put a line break between the two"),
        (A.pem + b" " + B.pem, "does not start its line"),
        (A.pem + B.pem[:-40], "has no end"),
        (A.pem.replace(b"MII", b"M!!", 1), "damaged"),
    ],
)
def test_what_servers_stumble_over(data: bytes, words: str) -> None:
    with pytest.raises(InvalidCertificate, match=words):
        certificate_blocks(data)


def test_nothing_is_no_certificate() -> None:
    assert certificate_blocks(b"hello\n") == []
