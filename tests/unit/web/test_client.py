"""What the HTTP client makes of failures."""

from __future__ import annotations

import socket
import ssl

import pytest
import requests

from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.url import Url
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.client import (
    PROXY_REMEDY,
    Client,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.progress import RequestProgress
from tests.support.web import endpoint


def rejected_certificate() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = 10, "certificate has expired"
    return error


@pytest.mark.parametrize(
    ("error", "text", "remedy"),
    [
        (rejected_certificate(), "TLS: a certificate has expired", "certbot renew"),
        (ssl.SSLEOFError(8, "EOF"), "TLS: the server closed the connection", "error log"),
        (socket.gaierror(-2, "x"), "the name 'your-domain.com' does not resolve", "dig NAME"),
        (ConnectionRefusedError(111, "x"), "connection refused: nothing listens on", "ss -ltn"),
        (socket.timeout("x"), "your-domain.com:443 accepts the connection, but", "slow queries"),
    ],
)
def test_a_failure_and_its_remedy(error: OSError, text: str, remedy: str) -> None:
    client = Client(Options((endpoint(),)))
    url = Url.parse("url", "https://your-domain.com/")
    wrapped = requests.ConnectionError(error)
    progress = RequestProgress("your-domain.com:443")
    failure = client._failure(wrapped, url, url.host, "", progress)
    assert str(failure).startswith(text)
    assert remedy in failure.remedy
    assert bool(failure.remedy) == bool(remedy)


def test_a_failure_of_the_proxy_names_the_proxy_and_not_its_password() -> None:
    client = Client(Options((endpoint(),)))
    url = Url.parse("url", "https://your-domain.com/")
    wrapped = requests.exceptions.ProxyError(ConnectionRefusedError(111, "x"))
    proxy = "http://ops:geheim@proxy.internal:3128"
    failure = client._failure(wrapped, url, url.host, proxy, RequestProgress())
    assert str(failure) == (
        "the proxy http://***@proxy.internal:3128 failed:"
        " connection refused: nothing listens on proxy.internal:3128"
    )
    assert failure.remedy == PROXY_REMEDY
