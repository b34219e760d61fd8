"""http_check verifies TLS and names each fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import RunModule
from tests.support.throwaway import DAY, Authority, Pair, Site, issue, now, server_context, site
from tests.support.web import HEALTH, endpoint_check, redirect


def test_tls_is_verified_by_ca_file(
    run_module: RunModule, authority: Authority, ca_file: str, tmp_path: Path
) -> None:
    good = server_context(tmp_path, authority.server(), authority.intermediate.pem)
    with site({"/": HEALTH}, good) as web:
        endpoints = [{"url": web.url("/", "https")}]
        trusted = run_module("http_check", {"endpoints": endpoints, "ca_file": ca_file})
        untrusted = run_module("http_check", {"endpoints": endpoints})
    check = endpoint_check(trusted)
    assert (check["status"], check["evidence"][0]["tls"]) == ("ok", "TLSv1.3")
    assert check["summary"].endswith(", TLSv1.3")
    check = endpoint_check(untrusted)
    assert check["status"] == "critical"
    assert "the issuer is not trusted" in check["summary"]


#: What the check says, and the certificates that a server of the CA with that fault sends.
FAULTS: dict[str, Callable[[Authority], tuple[Pair, ...]]] = {
    "a certificate has expired": lambda ca: (
        ca.server(starts=now() - 91 * DAY),
        ca.intermediate,
    ),
    "a certificate is not valid yet": lambda ca: (ca.server(starts=now() + DAY), ca.intermediate),
    "the certificate is issued for another address, not for '127.0.0.1'": lambda ca: (
        ca.server("other.example"),
        ca.intermediate,
    ),
    "the issuer is not trusted": lambda ca: (ca.server(),),
    "the certificate is self-signed, not trusted": lambda _ca: (
        issue("localhost", names=["127.0.0.1"]),
    ),
    "the root is not trusted": lambda _ca: foreign_chain(),
}


#: What the remedy of each fault contains.
REMEDIES = {
    "a certificate has expired": "certbot renew",
    "a certificate is not valid yet": "timedatectl",
    "the certificate is issued for another address, not for '127.0.0.1'": "server_name",
    "the issuer is not trusted": "have the server send its intermediate",
    "the certificate is self-signed, not trusted": "Have it issued by a CA",
    "the root is not trusted": "ca_file",
}


def foreign_chain() -> tuple[Pair, ...]:
    foreign = Authority.create("Foreign")
    return foreign.server(), foreign.intermediate, foreign.root


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_a_certificate_is_named(
    run_module: RunModule, authority: Authority, ca_file: str, tmp_path: Path, fault: str
) -> None:
    pair, *chain = FAULTS[fault](authority)
    context = server_context(tmp_path, pair, *(one.pem for one in chain))
    with site({"/": HEALTH}, context) as web:
        endpoints = [{"url": web.url("/", "https")}]
        strict = run_module("http_check", {"endpoints": endpoints, "ca_file": ca_file})
        careless = run_module("http_check", {"endpoints": endpoints, "validate_certs": False})
    check = endpoint_check(strict)
    assert check["status"] == "critical"
    assert check["summary"].startswith(f"TLS: {fault}"), check["summary"]
    assert REMEDIES[fault] in check["remedy"]
    assert endpoint_check(careless)["status"] == "ok"
    assert careless["__stderr"] == ""


def test_a_common_name_alone_is_no_name(
    run_module: RunModule, authority: Authority, ca_file: str, tmp_path: Path
) -> None:
    context = server_context(
        tmp_path, issue("localhost", authority.intermediate), authority.intermediate.pem
    )
    with site({"/": HEALTH}, context) as web:
        check = endpoint_check(
            run_module(
                "http_check",
                {"endpoints": [{"url": web.url("/", "https", "localhost")}], "ca_file": ca_file},
            )
        )
    assert "another name, not for 'localhost'" in check["summary"]


def test_no_tls_where_tls_is_due_and_the_other_way_round(
    run_module: RunModule, authority: Authority, tmp_path: Path, web: Site
) -> None:
    check = endpoint_check(
        run_module("http_check", {"endpoints": [{"url": web.url("/", "https")}]})
    )
    assert "does not speak TLS" in check["summary"]
    with site({"/": HEALTH}, server_context(tmp_path, authority.server())) as secure:
        assert (
            endpoint_check(run_module("http_check", {"endpoints": [{"url": secure.url("/")}]}))[
                "status"
            ]
            == "critical"
        )


def test_a_redirect_from_https_to_http_is_a_failure(
    run_module: RunModule, authority: Authority, ca_file: str, tmp_path: Path, web: Site
) -> None:
    context = server_context(tmp_path, authority.server(), authority.intermediate.pem)
    with site({"/": redirect(web.url("/"))}, context) as secure:
        check = endpoint_check(
            run_module(
                "http_check", {"endpoints": [{"url": secure.url("/", "https")}], "ca_file": ca_file}
            )
        )
    assert (check["status"], check["summary"]) == (
        "critical",
        f"redirects from https to plain http: {web.url('/')}",
    )


def test_an_unreadable_ca_file_is_misuse(run_module: RunModule, tmp_path: Path) -> None:
    answer = run_module(
        "http_check",
        {"endpoints": [{"url": "https://127.0.0.1/"}], "ca_file": str(tmp_path / "none.pem")},
    )
    assert answer["failed"]
    assert (
        answer["msg"] == f"ca_file: {tmp_path}/none.pem cannot be read: No such file or directory"
    )
