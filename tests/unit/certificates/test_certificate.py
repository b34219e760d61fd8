"""What is read of certificates."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.certificate import (
    InvalidCertificate,
    parse,
    parse_all,
)
from tests.support.certificates import facts
from tests.support.throwaway import DAY, Authority, issue, now

SAMPLE = issue("sample", names=["sample.test", "10.0.0.1"])


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


def test_the_facts_of_a_certificate(authority: Authority) -> None:
    starts = now() - 10 * DAY
    server = authority.server(
        "Your-Domain.test",
        "*.your-domain.test",
        "10.0.0.1",
        "::1",
        starts=starts,
        lifetime=90 * DAY,
    )
    found = facts(server)
    assert (found.subject, found.issuer) == ("Your-Domain.test", "Test intermediate")
    assert (found.not_before, found.not_after, found.lifetime_days) == (
        starts,
        starts + 90 * DAY,
        90,
    )
    assert found.names == ("your-domain.test", "*.your-domain.test")
    assert found.addresses == ("10.0.0.1", "::1")
    assert (found.key, found.key_bits, found.signature) == ("ECDSA P-256", 256, "SHA-256")
    assert not found.authority
    assert not found.self_issued
    assert len(found.fingerprint) == 64
    root = facts(authority.root)
    assert root.authority
    assert root.self_issued


@pytest.mark.parametrize(
    ("key", "digest", "named", "bits", "signature"),
    [
        ("rsa2048", None, "RSA 2048", 2048, "SHA-256"),
        ("ec", hashes.SHA384(), "ECDSA P-256", 256, "SHA-384"),
        ("ed25519", None, "Ed25519", 256, "Ed25519"),
    ],
)
def test_keys_and_signatures(key: str, digest: Any, named: str, bits: int, signature: str) -> None:
    found = facts(issue("x", key=key, digest=digest))
    assert (found.key, found.key_bits, found.signature) == (named, bits, signature)


@given(st.binary(max_size=400))
def test_nonsense_is_nonsense(data: bytes) -> None:
    with pytest.raises(InvalidCertificate):
        parse_all(data)


@given(st.data())
def test_a_damaged_certificate_is_nonsense_or_another_certificate(data: st.DataObject) -> None:
    der = bytearray(SAMPLE.der)
    for place in data.draw(st.lists(st.integers(0, len(der) - 1), min_size=1, max_size=5)):
        der[place] = data.draw(st.integers(0, 255))
    with suppress(InvalidCertificate):
        assert parse(bytes(der)).der == bytes(der)


def test_pem_with_text_around_it_and_der() -> None:
    text = (
        b"Bag Attributes\n  friendlyName: x\n"
        + SAMPLE.pem.replace(b"\n", b"\r\n")
        + SAMPLE.key_pem
        + SAMPLE.pem
    )
    assert [one.fingerprint for one in parse_all(text)] == [facts(SAMPLE).fingerprint] * 2
    assert parse_all(SAMPLE.der) == [facts(SAMPLE)]
