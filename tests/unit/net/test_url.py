"""Host names, addresses and URLs: how they are parsed, and what may be shown of them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.url import (
    Url,
    ascii_host,
    host_port,
    is_loopback,
    mask_url,
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://your-domain.com/api/health", "https://your-domain.com/api/health"),
        ("https://ops:geheim@your-domain.com/", "https://***@your-domain.com/"),
        ("https://geheim@your-domain.com/", "https://***@your-domain.com/"),
        (
            "https://your-domain.com/?token=geheim&page=2#geheim",
            "https://your-domain.com/?token=***&page=***",
        ),
        ("https://your-domain.com/?geheim", "https://your-domain.com/?***"),
        ("https://your-domain.com/@user/x", "https://your-domain.com/@user/x"),
        ("https://your-domain.com:8443/@user", "https://your-domain.com:8443/@user"),
        ("https://ops:ge/heim@your-domain.com/x", "https://***@your-domain.com/x"),
        ("https://ops:ge#heim@your-domain.com/x", "https://***@your-domain.com/x"),
        ("https://ops:ge?heim@your-domain.com/x", "https://***@your-domain.com/x"),
        ("ops:geheim@your-domain.com", "***@your-domain.com"),
        ("http:/ops:geheim@your-domain.com/", "***@your-domain.com/"),
        ("https://[::1]:8443/@x?y=1", "https://[::1]:8443/@x?y=***"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert mask_url(url) == shown


SECRET = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=4).map(
    lambda text: f"Q{text}Q"
)


@given(SECRET, SECRET)
def test_no_password_or_query_value_is_ever_shown(password: str, value: str) -> None:
    # A password of digits up to a slash reads as host and port to every program; a host that
    # holds it is not a secret.
    assume("@" not in password)
    assume(not any(sign in value for sign in "&#=@"))
    shown = mask_url(f"https://ops:{password}@your-domain.com/x?key={value}")
    assert password not in shown
    assert value not in shown
    assert "your-domain.com/x" in shown


@given(st.text())
def test_anything_can_be_shown_and_parsed(text: str) -> None:
    mask_url(text)
    with suppress(UsageError):
        url = Url.parse("url", text)
        assert url.host
        assert 1 <= url.port <= 65535


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "must start with http:// or https://"),
        ("your-domain.com/api", "must start with http:// or https://"),
        ("ftp://your-domain.com/", "must start with http:// or https://"),
        ("https://", "has no valid host"),
        ("https:///api", "has no valid host"),
        ("https://your domain.com/", "space or a control character"),
        ("https://your-domain.com/\n", "space or a control character"),
        ("https://your-domain.com:port/", "is not a URL"),
        ("https://your-domain.com:99999/", "is not a URL"),
        ("https://your-domain.com:0/", "port 0"),
        ("https://[::1/", "is not a URL"),
        ("https://-x.com/", "has no valid host"),
        ("https://a..b/", "has no valid host"),
        ("https://ops:geheim@:443/", "has no valid host"),
    ],
)
def test_a_malformed_url_is_one_clear_sentence(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=r"^endpoints\[0\]\.url: ") as caught:
        Url.parse("endpoints[0].url", url)
    assert words in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_url_is_asked_without_credentials_and_fragment() -> None:
    url = Url.parse("url", "HTTPS://op%40s:p%2Fw@Your-Domain.com:443/a?b=c#d")
    assert url.text == "https://your-domain.com/a?b=c"
    assert url.credentials == ("op@s", "p/w")
    assert url.origin == ("https", "your-domain.com", 443)
    assert "p/w" not in repr(url)
    assert Url.parse("url", "http://[::1]:8080").text == "http://[::1]:8080/"
    assert Url.parse("url", "http://bücher.example/").host == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("given_host", "host"),
    [
        ("Example.COM.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("[::1]", "::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("my_host", "my_host"),
    ],
)
def test_hosts_in_ascii(given_host: str, host: str) -> None:
    assert ascii_host(given_host) == host


def test_loopback_and_ports() -> None:
    assert all(map(is_loopback, ("localhost", "app.localhost", "127.0.0.1", "127.8.8.8", "::1")))
    assert not any(map(is_loopback, ("10.0.0.1", "localhost.example.com", "example.com")))
    assert host_port("::1", 443) == "[::1]:443"
