"""The verdict on names, from what OpenSSL said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.certificates import TARGET, assessed, certificate


def test_not_judged_where_openssl_did_not_get_to_the_names() -> None:
    check = assessed(named=None)["certificate.hostname"]
    assert check.status == "ok"
    assert check.not_judged == "clients refuse the certificate before they read its names"


@pytest.mark.parametrize(
    ("names", "asked", "words"),
    [
        ("*.x.test", "a.b.x.test", "(a wildcard stands for one label only)"),
        ("*.x.test", "x.test", "(a wildcard does not stand for the name without a label)"),
        ("*.x.test", "a_b.x.test", "(OpenSSL accepts no underscore for a wildcard)"),
        ("10.0.0.1", "10.0.0.1", "(it is listed as a DNS name; clients want an IP address)"),
        ("y.test", "x.test", "issued for y.test, not for 'x.test'"),
    ],
)
def test_why_a_name_does_not_match(names: str, asked: str, words: str) -> None:
    check = assessed(certificate(names=(names,)), target=replace(TARGET, name=asked), named=False)[
        "certificate.hostname"
    ]
    assert check.status == "critical"
    assert check.summary.endswith(words)
