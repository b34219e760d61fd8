"""The kinds of trouble that certbot has, in its own and the authority's words."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.explain import (
    explain,
)


@pytest.mark.parametrize(
    ("words", "kind", "remedy"),
    [
        (
            "urn:ietf:params:acme:error:rateLimited :: There were too many requests of a given type"
            " :: too many certificates (5) already issued for this exact set of domains",
            "rate-limited",
            "Do not try again",
        ),
        (
            "Some challenges have failed. dns for a.example: DNS problem: NXDOMAIN looking up A",
            "the challenge failed",
            "port 80",
        ),
        (
            "urn:ietf:params:acme:error:rejectedIdentifier :: The server will not issue",
            "the authority refuses the name",
            "CAA",
        ),
        (
            "urn:ietf:params:acme:error:unauthorized :: The client lacks sufficient authorization"
            " :: Account is not valid, has status deactivated",
            "the authority refuses the account",
            "show_account",
        ),
        (
            "HTTPSConnectionPool(host='acme-v02.api.letsencrypt.org', port=443): Max retries"
            " exceeded with url: /directory",
            "the authority was not reached",
            "firewall",
        ),
        ("[Errno 28] No space left on device", "the disk is full", "Free space"),
        (
            "[Errno 13] Permission denied: '/etc/letsencrypt/archive'",
            "certbot lacks permission",
            "become",
        ),
        ("Could not bind TCP port 80 because it is already in use", "its port is taken", "port 80"),
        ("something new", "", "letsencrypt.log"),
    ],
)
def test_a_kind_of_trouble(words: str, kind: str, remedy: str) -> None:
    found = explain(words)
    assert found.kind == kind
    assert remedy in found.remedy
    assert "restart" not in found.remedy
