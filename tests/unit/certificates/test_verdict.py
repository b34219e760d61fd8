"""The verdict on a chain, and the issuer on whose end it hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates import judge as judging
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.judge import Judge
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.verdict import (
    Verdict,
    examine,
)
from tests.support.certificates import assessed, facts
from tests.support.chains import CASES
from tests.support.throwaway import DAY, Authority, Pair, issue, now, write


def verdict(folder: Path, chain: list[Pair], *trusted: Pair) -> Verdict:
    judge = Judge(write(folder / "ca.pem", *(one.pem for one in trusted)))
    return examine(judge, [facts(one) for one in chain], now())


def test_the_certificates_own_dates_are_left_out(tmp_path: Path) -> None:
    authority = Authority.create()
    late = authority.server(starts=now() - 91 * DAY)
    assert verdict(tmp_path, [late, authority.intermediate], authority.root).code == 0
    assert verdict(tmp_path, [late], authority.root).code == 20
    old = Authority.create(starts=now() - 40 * DAY, lifetime=30 * DAY)
    late = old.server(starts=now() - 91 * DAY)
    assert verdict(tmp_path, [late, old.intermediate], old.root).code == 10


def test_an_expired_root_counts_even_if_the_certificate_has_expired(tmp_path: Path) -> None:
    root = issue("Root", authority=True, starts=now() - 40 * DAY, lifetime=30 * DAY)
    late = issue("localhost", root, starts=now() - 91 * DAY)
    assert verdict(tmp_path, [late], root).code == 10


def test_the_weakest_issuer_is_the_one_that_no_other_path_replaces(tmp_path: Path) -> None:
    old = issue("Old root", authority=True, lifetime=10 * DAY)
    young = issue("Young root", authority=True, lifetime=3000 * DAY)
    cross = issue("Young root", old, authority=True, key=young.key, lifetime=5 * DAY)
    between = issue("Intermediate", young, authority=True, lifetime=1000 * DAY)
    server = issue("localhost", between, names=["localhost"])
    chain = [server, between, cross]
    weakest = verdict(tmp_path, chain, old, young).weakest
    assert weakest
    assert weakest.der == between.der, "the cross-sign is not needed"
    weakest = verdict(tmp_path, chain, old).weakest
    assert weakest
    assert weakest.der == cross.der


def test_a_trusted_root_that_ends_first_is_the_weakest_unless_it_has_a_successor(
    tmp_path: Path,
) -> None:
    root = issue("Root", authority=True, lifetime=5 * DAY)
    successor = issue("Root", authority=True, key=root.key, lifetime=3000 * DAY)
    server = issue("localhost", root, names=["localhost"])
    weakest = verdict(tmp_path, [server], root).weakest
    assert weakest
    assert weakest.der == root.der
    assert verdict(tmp_path, [server], root, successor).weakest is None


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("healthy", 0, "trusted: leads to 'Root' through 'Intermediate'"),
        ("an expired cross-sign is still sent", 0, "trusted"),
        ("an expired intermediate", 10, "'Intermediate' expired"),
        ("an expired root", 10, "a certificate above 'Intermediate' has expired"),
        ("an issuer that is no CA", 79, "not a CA's: 'Intermediate'"),
        ("the intermediate is missing", 20, "the intermediate 'Intermediate' is missing"),
    ],
)
def test_a_python_that_does_not_show_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, code: int, says: str
) -> None:
    """3.9; the verdicts are the same, in fewer words."""
    monkeypatch.setattr(judging, "_verified_path", lambda _client: ())
    chain = CASES[words].make()
    sent = [chain.leaf, *chain.sent]
    found = verdict(tmp_path, sent, *chain.trusted)
    assert (found.code, found.path) == (code, ())
    check = assessed(*map(facts, sent), verdict=found, at=now())["certificate.chain"]
    assert says in check.summary
