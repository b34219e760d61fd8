"""The URL of Redis: what it means, and that no error quotes it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import Endpoint
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.url import parse_url


@pytest.mark.parametrize(
    ("url", "endpoint", "address"),
    [
        ("redis://h", Endpoint("h"), "h:6379"),
        ("redis://", Endpoint("127.0.0.1"), "127.0.0.1:6379"),
        ("redis://:p%23w@h:1/3", Endpoint("h", 1, "", 3, "", "p#w"), "h:1"),
        ("redis://u:p@[::1]:7/", Endpoint("::1", 7, "", 0, "u", "p"), "[::1]:7"),
        ("redis://h?db=4&family=6", Endpoint("h", 6379, "", 4), "h:6379"),
        ("valkey://h", Endpoint("h"), "h:6379"),
        (
            "unix:///run/a%20b.sock?db=2&password=x%20y",
            Endpoint(path="/run/a b.sock", database=2, password="x y"),
            "/run/a b.sock",
        ),
        ("unix://u:p@/run/s", Endpoint(path="/run/s", username="u", password="p"), "/run/s"),
        (" redis://h\n", Endpoint("h"), "h:6379"),
    ],
)
def test_urls(url: str, endpoint: Endpoint, address: str) -> None:
    assert parse_url(url) == endpoint
    assert parse_url(url).address == address
    assert "password" not in repr(endpoint)


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_user_and_password_can_be_encoded(user: str, password: str) -> None:
    endpoint = parse_url(f"redis://{quote(user, safe='')}:{quote(password, safe='')}@h:1/2")
    assert (endpoint.username, endpoint.password, endpoint.host, endpoint.database) == (
        user,
        password,
        "h",
        2,
    )


@pytest.mark.parametrize(
    "shape",
    [
        "redis://u:{}@h:6379/0",
        "redis://{}",
        "{}",
        "unix://{}",
        "unix://:{}@/run/s",
        "redis://h:1/{}",
    ],
)
@given(st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1))
def test_no_error_reveals_any_part_of_a_url(shape: str, rest: str) -> None:
    said = ""
    try:
        endpoint = parse_url(shape.format(f"Zq7{rest}"))
    except UsageError as misuse:
        said = str(misuse)
    else:
        assert "@" not in endpoint.address, (
            "a password that was not encoded must not end up in an address"
        )
    assert "Zq7" not in said


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:1234?Zq7@h:6379/0",
        "redis://u:1234/Zq7@h:6379/0",
        "redis://:1234#Zq7@h:6379/0",
        "unix://:12/34@/run/s",
    ],
)
def test_a_password_that_looks_like_a_port_is_not_taken_for_one(url: str) -> None:
    with pytest.raises(UsageError, match="percent-encode"):
        parse_url(url)


def test_tls_options(tmp_path: Path) -> None:
    assert parse_url("rediss://h").tls == {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    assert parse_url("rediss://h?ssl_cert_reqs=none").tls == {
        "ssl_cert_reqs": "none",
        "ssl_check_hostname": False,
    }
    assert parse_url("rediss://h?ssl_check_hostname=False").tls == {
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": False,
    }
    (tmp_path / "not.pem").write_text("not")
    for arguments, said in (
        (("rediss://h?ssl_cert_reqs=perhaps", None), "ssl_cert_reqs"),
        (
            ("rediss://h", str(tmp_path / "none.pem")),
            "ca_file: cannot be read as PEM: No such file",
        ),
        (("rediss://h", str(tmp_path / "not.pem")), "ca_file: cannot be read as PEM"),
        (("rediss://h?ssl_ca_certs=/none", None), "redis_url: one of"),
        (("rediss://h?ssl_certfile=/none", None), "redis_url: one of"),
        (("redis://h", "/x"), "ca_file: has no effect"),
        (("unix:///x", "/x"), "ca_file: has no effect"),
    ):
        with pytest.raises(UsageError, match=said):
            parse_url(*arguments)
