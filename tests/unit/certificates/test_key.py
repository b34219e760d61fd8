"""The verdict on keys, signatures and key files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.files import (
    InvalidFile,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.key import is_weak_key
from tests.support.certificates import TARGET, assessed, certificate


@pytest.mark.parametrize(
    ("key", "bits", "weak"),
    [
        ("RSA 2047", 2047, True),
        ("RSA 2048", 2048, False),
        ("DSA 3072", 3072, True),
        ("ECDSA secp224r1", 224, True),
        ("ECDSA P-256", 256, False),
        ("Ed25519", 256, False),
    ],
)
def test_weak_keys(key: str, bits: int, weak: bool) -> None:
    assert is_weak_key(certificate(key=key, key_bits=bits)) is weak


@pytest.mark.parametrize(
    ("signature", "status"),
    [("SHA-1", "critical"), ("MD5", "critical"), ("SHA-256", "ok"), ("Ed25519", "ok")],
)
def test_weak_signatures(signature: str, status: str) -> None:
    assert assessed(certificate(signature=signature))["certificate.key"].status == status


def test_a_self_signed_roots_signature_is_of_no_account() -> None:
    assert (
        assessed(certificate(signature="SHA-1", issuer_name=b"leaf"))["certificate.key"].status
        == "ok"
    )


def test_the_key_file_has_to_fit_what_the_next_reload_loads() -> None:
    target = replace(TARGET, file="/f.pem", key_file="/f.key")
    renewed = certificate(89, public_key=b"new", fingerprint="bb")
    assert assessed(target=target, disk=(renewed,), key=b"new")["certificate.key"].status == "ok"
    assert (
        assessed(target=target, disk=(renewed,), key=b"key")["certificate.key"].status == "critical"
    )
    assert (
        assessed(target=target, disk=InvalidFile("x"), key=b"key")["certificate.key"].status == "ok"
    )
