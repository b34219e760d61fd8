"""The verdict on the chain, by OpenSSL's code."""

from __future__ import annotations

import pytest

from tests.support.certificates import assessed


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (0, "ok", "trusted"),
        (20, "critical", "the intermediate 'R11' is missing"),
        (21, "critical", "the intermediate 'R11' is missing"),
        (18, "critical", "self-signed, not trusted"),
        (79, "critical", "it was signed with a certificate that is not a CA's"),
        (66, "critical", "the key of the certificate is too weak"),
        (99, "critical", "EE certificate key too weak"),
        (10, "critical", "a certificate above 'your-domain.com' has expired or is not valid yet"),
        (None, "unknown", "not verified: "),
    ],
)
def test_the_chain_by_openssls_verdict(code: int | None, status: str, words: str) -> None:
    check = assessed(code=code, message="EE certificate key too weak")["certificate.chain"]
    assert check.status == status
    assert check.summary.startswith(words)
    assert bool(check.remedy) == (status != "ok")


def test_where_only_the_first_certificate_is_seen() -> None:
    assert assessed(complete=False)["certificate.chain"].summary == "trusted; issued by 'R11'"
    assert "intermediate" in assessed(complete=False, code=20)["certificate.chain"].summary
