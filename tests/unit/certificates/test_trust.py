"""How certificates follow from one another, and which of them are trusted."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.trust import (
    build_path,
    in_order,
    signed_by,
)
from tests.support.certificates import facts
from tests.support.throwaway import Authority, issue, new_key

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
