"""Options of cert_check: what the checks call each certificate."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.options import (
    ENDPOINT_OPTIONS,
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.modules import cert_check

ENDPOINT_DEFAULTS: dict[str, Any] = {
    name: option.get("default") for name, option in ENDPOINT_OPTIONS.items()
}
DEFAULTS: dict[str, Any] = {
    name: option.get("default") for name, option in cert_check.OPTIONS.items()
}


def test_what_the_checks_call_what() -> None:
    given_endpoints = [
        {"host": "Your-Domain.com"},
        {"host": "your-domain.com"},
        {"host": "10.0.0.1", "server_name": "your-domain.com", "port": 8443},
        {"host": "your-domain.com", "address": "10.0.0.1"},
        {"host": "::1"},
    ]
    found = Options.from_params(
        {
            **DEFAULTS,
            "all_addresses": True,
            "endpoints": [{**ENDPOINT_DEFAULTS, **one} for one in given_endpoints],
            "files": [{"path": "/x.pem", "key_file": None}],
        }
    ).targets
    assert [one.subject for one in found] == [
        "your-domain.com:443",
        "your-domain.com:443 (2)",
        "your-domain.com:8443 at 10.0.0.1",
        "your-domain.com:443 at 10.0.0.1",
        "[::1]:443",
        "/x.pem",
    ]
    assert [one.all_addresses for one in found] == [True, True, False, False, False, False]
