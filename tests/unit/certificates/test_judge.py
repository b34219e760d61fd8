"""OpenSSL's verdict without a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.judge import (
    Judge,
    matches,
)
from tests.support.throwaway import DAY, Authority, Pair, issue, now, write


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture
def judge(authority: Authority, tmp_path: Path) -> Judge:
    return Judge(write(tmp_path / "ca.pem", authority.root.pem))


def ders(*pairs: Pair) -> list[bytes]:
    return [one.der for one in pairs]


@pytest.mark.parametrize(("key", "kind"), [("ec", "ECDSA"), ("rsa2048", "RSA"), ("ed25519", "")])
def test_a_trusted_chain_and_its_path(
    judge: Judge, authority: Authority, key: str, kind: str
) -> None:
    server = authority.server(key=key)
    for given in (kind, ""):
        found = judge.chain(ders(server, authority.intermediate), given)
        assert (found.code, found.message) == (0, "")
        assert list(found.path) == ders(server, authority.intermediate, authority.root)


def test_openssl_says_why_not(judge: Judge, authority: Authority) -> None:
    assert judge.chain(ders(authority.server())).code == 20
    assert judge.chain(ders(issue("localhost"))).code == 18
    old = authority.server(starts=now() - 91 * DAY)
    assert judge.chain(ders(old, authority.intermediate)).code == 10
    assert judge.chain(ders(old, authority.intermediate), ignoring_dates=True).code == 0


def test_a_long_chain_takes_several_records(judge: Judge, authority: Authority) -> None:
    chain = ders(authority.server(), *[authority.intermediate] * 60)
    assert sum(map(len, chain)) > 1 << 14
    assert judge.chain(chain).code == 0


def test_what_openssl_cannot_read_is_not_judged(judge: Judge) -> None:
    found = judge.chain([b"\x30\x03\x02\x01\x01"])
    assert found.code is None
    assert found.message


@pytest.mark.parametrize(
    ("names", "asked", "expected"),
    [
        (["x.test"], "x.test", True),
        (["X.test"], "x.test", True),
        (["*.test.example"], "x.test.example", True),
        (["*.test.example"], "a.x.test.example", False),
        (["*.test.example"], "test.example", False),
        (["*.test.example"], "a_b.test.example", False),
        (["*.example"], "test.example", False),
        (["x*.test.example"], "xy.test.example", False),
        (["10.0.0.1"], "10.0.0.1", True),
        (["::1"], "0:0:0:0:0:0:0:1", True),
        ([], "localhost", False),
    ],
)
def test_names(names: list[str], asked: str, expected: bool) -> None:
    one = issue("localhost", names=names, starts=now() - 400 * DAY)
    assert matches(one.der, asked) is expected
