"""What is read of certificates and key files, and how certificates follow from one another."""

from __future__ import annotations

import builtins
import errno
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.certificate import (
    Anchors,
    Certificate,
    FileProblem,
    Nonsense,
    certificates_in,
    in_order,
    parse,
    path_from,
    read_certificates,
    read_public_key,
    signed_by,
)
from tests.support.throwaway import DAY, Authority, Pair, issue, new_key, now, write


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


def facts(pair: Pair) -> Certificate:
    return parse(pair.der)


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
    with pytest.raises(Nonsense):
        certificates_in(data)


@given(st.data())
def test_a_damaged_certificate_is_nonsense_or_another_certificate(data: st.DataObject) -> None:
    der = bytearray(SAMPLE.der)
    for place in data.draw(st.lists(st.integers(0, len(der) - 1), min_size=1, max_size=5)):
        der[place] = data.draw(st.integers(0, 255))
    with suppress(Nonsense):
        assert parse(bytes(der)).der == bytes(der)


SAMPLE = issue("sample", names=["sample.test", "10.0.0.1"])


def test_pem_with_text_around_it_and_der() -> None:
    text = (
        b"Bag Attributes\n  friendlyName: x\n"
        + SAMPLE.pem.replace(b"\n", b"\r\n")
        + SAMPLE.key_pem
        + SAMPLE.pem
    )
    assert [one.fingerprint for one in certificates_in(text)] == [facts(SAMPLE).fingerprint] * 2
    assert certificates_in(SAMPLE.der) == [facts(SAMPLE)]


@pytest.mark.parametrize("kind", ["ec", "rsa2048", "ed25519"])
def test_who_signed_whom(kind: str) -> None:
    root = issue("Root", authority=True, key=kind)
    namesake = issue("Root", authority=True, key=kind)
    server = issue("x", root)
    assert signed_by(facts(server), facts(root))
    assert not signed_by(facts(server), facts(namesake))
    assert not signed_by(facts(root), facts(server))


def test_a_path_is_found_in_any_order(authority: Authority) -> None:
    server, other = authority.server(), issue("unrelated", authority=True)
    leaf, middle, root, stray = map(facts, (server, authority.intermediate, authority.root, other))
    assert path_from([leaf]) == (leaf,)
    assert path_from([leaf, middle]) == (leaf, middle)
    assert path_from([leaf, stray, root, middle]) == (leaf, middle, root)
    assert path_from([leaf, leaf, middle, middle]) == (leaf, middle)
    assert path_from([root, leaf]) == (root,)
    assert in_order([leaf, middle, root], (leaf, middle, root))
    assert in_order([leaf, stray, middle], (leaf, middle))
    assert not in_order([leaf, root, middle], (leaf, middle, root))


def test_two_that_sign_one_another_make_no_endless_path() -> None:
    key_a, key_b = new_key(), new_key()
    a, b = issue("A", key=key_a, authority=True), issue("B", key=key_b, authority=True)
    a_by_b, b_by_a = (
        issue("A", b, key=key_a, authority=True),
        issue("B", a, key=key_b, authority=True),
    )
    assert len(path_from([facts(a_by_b), facts(b_by_a)])) == 2


def test_anchors_vouch_for_what_they_signed_and_for_themselves(
    authority: Authority, tmp_path: Path
) -> None:
    bundle = write(tmp_path / "bundle.pem", SAMPLE.pem, b"# a comment\n", authority.root.pem)
    anchors = Anchors([bundle, str(tmp_path / "none.pem")])
    assert anchors.vouch_for(facts(authority.intermediate))
    assert anchors.vouch_for(facts(authority.root))
    assert not anchors.vouch_for(facts(authority.server()))
    assert not anchors.vouch_for(facts(Authority.create("Test").intermediate))


def test_the_public_half_of_a_key_file(tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(SAMPLE.key_pem, None)
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for content in (SAMPLE.key_pem, der):
        assert read_public_key(write(tmp_path / "key", content)) == facts(SAMPLE).public_key
    with pytest.raises(FileProblem, match="holds no private key"):
        read_public_key(write(tmp_path / "key", SAMPLE.pem))


@pytest.mark.parametrize("where", ["stat", "open"])
def test_what_may_not_be_read_is_told_apart_from_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    path = write(tmp_path / "private.pem", SAMPLE.pem)

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    module = (
        "ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.certificate.os"
    )
    monkeypatch.setattr(
        builtins if where == "open" else f"{module}.stat",
        *(["open"] if where == "open" else []),
        refuse,
    )
    with pytest.raises(
        FileProblem, match=f"^user '.+' may not read the certificate file {path}$"
    ) as caught:
        read_certificates(path)
    monkeypatch.undo()
    assert caught.value.forbidden


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.pem"
    with large.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(FileProblem, match="too large to be one"):
        read_certificates(str(large))
