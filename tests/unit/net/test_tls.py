"""TLS contexts, and OpenSSL's verification codes in plain words."""

from __future__ import annotations

import ssl

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.tls import (
    unverified_context,
    verification_reason,
    verification_remedy,
    verified_context,
)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (10, "expired"),
        (9, "not valid yet"),
        (62, "another name, not for 'x.example'"),
        (18, "self-signed, not trusted"),
        (19, "root is not trusted"),
        (20, "issuer is not trusted"),
    ],
)
def test_verification_codes_in_plain_words(code: int, words: str) -> None:
    assert words in verification_reason(code, "", "x.example")


def test_an_unknown_code_keeps_openssl_s_own_text() -> None:
    assert verification_reason(99, "OpenSSL's own words", "x") == "OpenSSL's own words"
    assert "openssl s_client" in verification_remedy(99)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (10, "certbot renew"),
        (18, "Let's Encrypt"),
        (19, "ca_file"),
        (20, "fullchain.pem"),
        (79, "CA:TRUE"),
        (25, "pathlen"),
        (47, "name constraints"),
        (68, "SHA-256"),
    ],
)
def test_the_remedy_follows_the_code(code: int, words: str) -> None:
    assert words in verification_remedy(code)
    assert ("full chain" in verification_remedy(code)) == (code == 20)


def test_a_wrong_address_is_called_an_address() -> None:
    reason = verification_reason(64, "", "10.0.0.1")
    assert reason == "the certificate is issued for another address, not for '10.0.0.1'"


def test_a_ca_file_that_is_none_is_one_clear_sentence() -> None:
    with pytest.raises(
        UsageError, match=r"^ca_file: /nowhere/ca\.pem cannot be read: No such file"
    ):
        verified_context("/nowhere/ca.pem")
    with pytest.raises(UsageError, match=r"^ca_file: .* holds no certificate"):
        verified_context(__file__)


def test_what_the_contexts_demand() -> None:
    assert verified_context(None).verify_mode == ssl.CERT_REQUIRED
    assert verified_context(None).check_hostname
    assert unverified_context().verify_mode == ssl.CERT_NONE
