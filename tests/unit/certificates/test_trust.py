"""How certificates follow from one another, and which of them are trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.trust import (
    TrustStore,
    build_path,
    in_order,
    signed_by,
    verify,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.tls import (
    INVALID_CA,
    NO_LOCAL_ISSUER,
    SELF_SIGNED,
    SELF_SIGNED_IN_CHAIN,
)
from tests.support.certificates import facts
from tests.support.throwaway import Authority, issue, new_key, write

SAMPLE = issue("sample", names=["sample.test", "10.0.0.1"])


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


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
    assert build_path([leaf]) == (leaf,)
    assert build_path([leaf, middle]) == (leaf, middle)
    assert build_path([leaf, stray, root, middle]) == (leaf, middle, root)
    assert build_path([leaf, leaf, middle, middle]) == (leaf, middle)
    assert build_path([root, leaf]) == (root,)
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
    assert len(build_path([facts(a_by_b), facts(b_by_a)])) == 2


def test_a_trust_store_trusts_its_roots_and_what_they_signed(
    authority: Authority, tmp_path: Path
) -> None:
    bundle = write(tmp_path / "bundle.pem", SAMPLE.pem, b"# a comment\n", authority.root.pem)
    trust_store = TrustStore([bundle, str(tmp_path / "none.pem")])
    assert trust_store.trusts(facts(authority.intermediate))
    assert trust_store.trusts(facts(authority.root))
    assert not trust_store.trusts(facts(authority.server()))
    assert not trust_store.trusts(facts(Authority.create("Test").intermediate))


def test_the_code_of_a_path(authority: Authority, tmp_path: Path) -> None:
    trust_store = TrustStore([write(tmp_path / "ca.pem", authority.root.pem)])
    leaf, middle, root = map(facts, (authority.server(), authority.intermediate, authority.root))
    foreign = Authority.create("Foreign")
    assert verify((leaf, middle), trust_store) == 0
    assert verify((leaf, middle, root), trust_store) == 0
    assert verify((leaf,), trust_store) == NO_LOCAL_ISSUER
    assert verify((facts(issue("own")),), trust_store) == SELF_SIGNED
    strangers = tuple(map(facts, (foreign.server(), foreign.intermediate, foreign.root)))
    assert verify(strangers, trust_store) == SELF_SIGNED_IN_CHAIN
    assert verify((leaf, facts(authority.server())), trust_store) == INVALID_CA
