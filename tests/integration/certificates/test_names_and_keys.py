"""cert_check against TLS servers on loopback: names and keys."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.conftest import by_name
from tests.support.certificates import CertCheck, said
from tests.support.throwaway import Authority, issue, listening, server_context, tls, write


@pytest.mark.parametrize(
    ("names", "asked", "status"),
    [
        (["localhost"], "localhost", "ok"),
        (["LOCALHOST"], "localhost", "ok"),
        (["*.your-domain.test"], "www.your-domain.test", "ok"),
        (["*.your-domain.test"], "your-domain.test", "critical"),
        (["*.your-domain.test"], "a.b.your-domain.test", "critical"),
        (["w*.your-domain.test"], "www.your-domain.test", "critical"),
        (["127.0.0.1"], "127.0.0.1", "ok"),
        (["127.0.0.2"], "127.0.0.1", "critical"),
        (["xn--bcher-kva.test"], "bücher.test", "ok"),
        (["your-domain.test"], "Your-Domain.Test.", "ok"),
        (["other.example", "third.example"], "localhost", "critical"),
    ],
)
def test_names(
    cert_check: CertCheck, authority: Authority, names: list[str], asked: str, status: str
) -> None:
    checks = cert_check.at(
        issue("x", authority.intermediate, names=names), authority.intermediate, server_name=asked
    )
    assert checks["certificate.hostname"]["status"] == status
    assert checks["certificate.chain"]["status"] == "ok"
    if status == "critical":
        assert checks["certificate.hostname"]["summary"].startswith(
            f"issued for {', '.join(names)}, not for "
        )


def test_a_certificate_without_names(cert_check: CertCheck, authority: Authority) -> None:
    hostname = cert_check.at(issue("localhost", authority.intermediate), authority.intermediate)[
        "certificate.hostname"
    ]
    assert hostname["status"] == "critical"
    assert "clients ignore the common name 'localhost'" in hostname["summary"]


def test_sni_gets_the_certificate_of_its_name(
    cert_check: CertCheck, authority: Authority, tmp_path: Path
) -> None:
    default = server_context(tmp_path, authority.server("default.test"), authority.intermediate.pem)
    shop = server_context(tmp_path, authority.server("shop.test"), authority.intermediate.pem)

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name == "shop.test":
            connection.context = shop

    default.sni_callback = choose
    with listening(tls(default)) as port:
        one = {"host": "127.0.0.1", "port": port}
        answer = cert_check.run(
            endpoints=[
                {**one, "server_name": "shop.test"},
                {**one, "server_name": "blog.test"},
                one,
            ]
        )
    assert [c["status"] for c in answer["checks"] if c["name"] == "certificate.hostname"] == [
        "ok",
        "critical",
        "critical",
    ]
    assert (
        by_name(answer, "certificate.hostname", f"shop.test:{port} at 127.0.0.1")["status"] == "ok"
    )
    assert (
        "issued for default.test, not for 'blog.test'"
        in by_name(answer, "certificate.hostname", f"blog.test:{port} at 127.0.0.1")["summary"]
    )


@pytest.mark.parametrize(
    ("key", "status", "words"),
    [
        ("rsa1024", "critical", "the key is too weak: RSA 1024"),
        ("rsa2048", "ok", "RSA 2048, signed with SHA-256"),
        ("ed25519", "ok", "Ed25519, signed with SHA-256"),
    ],
)
def test_keys(
    cert_check: CertCheck, authority: Authority, key: str, status: str, words: str
) -> None:
    checks = cert_check.at(authority.server(key=key), authority.intermediate)
    assert said(checks["certificate.key"]) == (status, words)
    assert checks["certificate.hostname"]["status"] == "ok"


def test_an_intermediate_with_a_weak_key(cert_check: CertCheck) -> None:
    weak = Authority.create("Weak", key="rsa1024")
    key = cert_check.at(weak.server(), weak.intermediate)["certificate.key"]
    assert said(key) == (
        "critical",
        "the key of the intermediate 'Weak intermediate' is too weak: RSA 1024",
    )


def test_a_key_file_that_belongs_to_another_certificate(
    cert_check: CertCheck, authority: Authority, tmp_path: Path
) -> None:
    key = cert_check.at(
        authority.server(),
        authority.intermediate,
        key_file=write(tmp_path / "other.key", authority.server().key_pem),
    )["certificate.key"]
    assert said(key) == (
        "critical",
        f"the key file {tmp_path}/other.key does not match the certificate",
    )


def test_key_files_that_cannot_be_compared(
    cert_check: CertCheck, authority: Authority, tmp_path: Path
) -> None:
    server = authority.server()
    locked = write(
        tmp_path / "locked.key", server.key_as(serialization.BestAvailableEncryption(b"geheim"))
    )
    label = "PRIVATE KEY"
    pem = f"-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n"
    nonsense = write(tmp_path / "nonsense.key", pem.encode())
    for file, status, words in (
        (locked, "unknown", f"the key file {locked} is protected by a passphrase"),
        (nonsense, "critical", f"{nonsense} holds no private key that can be read"),
        (f"{tmp_path}/none.key", "critical", f"the key file {tmp_path}/none.key does not exist"),
    ):
        key = cert_check.at(server, authority.intermediate, key_file=file)["certificate.key"]
        assert key["status"] == status
        assert key["summary"].startswith(words)
        assert key["remedy"]
