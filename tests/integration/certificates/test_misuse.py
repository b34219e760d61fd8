"""Misuse of cert_check is one clear sentence."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import RunModule


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "endpoints, files: both are empty"),
        (
            {"endpoints": [{"host": "https://your-domain.com/"}]},
            "endpoints[0].host: 'https://…' is a URL; give the host alone",
        ),
        (
            {"endpoints": [{"host": "a b"}]},
            "endpoints[0].host: 'a b' is neither a host name nor an IP address",
        ),
        (
            {"endpoints": [{"host": "your-domain.com:8443"}]},
            "endpoints[0].host: 'your-domain.com:8443' is neither",
        ),
        ({"endpoints": [{"host": "x", "port": 70000}]}, "endpoints[0].port: 70000 is not a port"),
        (
            {"endpoints": [{"host": "x", "address": "web1"}]},
            "endpoints[0].address: 'web1' is not an IP address",
        ),
        (
            {"endpoints": [{"host": "x", "server_name": "-"}]},
            "endpoints[0].server_name: '-' is neither",
        ),
        ({"files": [{"path": "cert.pem"}]}, "files[0].path: 'cert.pem' must be an absolute path"),
        (
            {"endpoints": [{"host": "x"}], "connect_timeout": 0},
            "connect_timeout: 0 is not a number of seconds",
        ),
        (
            {"endpoints": [{"host": "x"}], "ca_file": "/nowhere/ca.pem"},
            "ca_file: /nowhere/ca.pem cannot be read: No such file or directory",
        ),
        (
            {"endpoints": [{"host": "x"}], "thresholds": {"certificate.expire": {"warning": 1}}},
            "thresholds: there is no check 'certificate.expire'",
        ),
    ],
)
def test_misuse_is_one_clear_sentence(
    run_module: RunModule, options: dict[str, Any], words: str
) -> None:
    answer = run_module("cert_check", options)
    assert answer["failed"]
    assert answer["msg"].startswith(words)
