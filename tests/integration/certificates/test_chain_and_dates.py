"""cert_check against TLS servers on loopback: dates and chains."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.certificates import CertCheck, said
from tests.support.throwaway import DAY, Authority, issue, now, write


def test_a_good_certificate(cert_check: CertCheck, authority: Authority, tmp_path: Path) -> None:
    server = authority.server()
    file, key = (
        write(tmp_path / "fullchain.pem", server.pem, authority.intermediate.pem),
        write(tmp_path / "privkey.pem", server.key_pem),
    )
    checks = cert_check.at(server, authority.intermediate, file=file, key_file=key)
    assert {name: check["status"] for name, check in checks.items()} == {
        "certificate.expiry": "ok",
        "certificate.chain": "ok",
        "certificate.hostname": "ok",
        "certificate.key": "ok",
        "certificate.served_is_file": "ok",
    }
    assert checks["certificate.expiry"]["value"] == pytest.approx(89, abs=0.1)
    assert (checks["certificate.expiry"]["warning"], checks["certificate.expiry"]["critical"]) == (
        21,
        7,
    )
    assert (
        checks["certificate.chain"]["summary"]
        == "trusted: leads to 'Test root' through 'Test intermediate'"
    )
    assert checks["certificate.hostname"]["summary"] == "issued for 'localhost' and 1 more"
    assert (
        checks["certificate.key"]["summary"]
        == "ECDSA P-256, signed with SHA-256; the key file matches"
    )
    assert (
        checks["certificate.expiry"]["evidence"][0]["serial"]
        == f"{server.certificate.serial_number:x}"
    )


def test_an_expired_certificate_hides_no_other_verdict(
    cert_check: CertCheck, authority: Authority
) -> None:
    checks = cert_check.at(authority.server(starts=now() - 93 * DAY), authority.intermediate)
    assert said(checks["certificate.expiry"])[0] == "critical"
    assert checks["certificate.expiry"]["summary"].startswith("expired 3 days ago, on ")
    assert checks["certificate.expiry"]["value"] == pytest.approx(-3, abs=0.1)
    assert checks["certificate.expiry"]["remedy"]
    assert {
        name: check["status"] for name, check in checks.items() if name != "certificate.expiry"
    } == {
        "certificate.chain": "ok",
        "certificate.hostname": "ok",
        "certificate.key": "ok",
    }


def test_expired_for_another_name_and_of_an_unknown_issuer_all_at_once(
    cert_check: CertCheck,
) -> None:
    checks = cert_check.at(
        Authority.create("Foreign").server("other.example", starts=now() - 93 * DAY)
    )
    assert {name: check["status"] for name, check in checks.items()} == {
        "certificate.expiry": "critical",
        "certificate.chain": "critical",
        "certificate.hostname": "critical",
        "certificate.key": "ok",
    }


def test_a_certificate_that_is_not_valid_yet(cert_check: CertCheck, authority: Authority) -> None:
    checks = cert_check.at(authority.server(starts=now() + 2 * DAY), authority.intermediate)
    assert checks["certificate.expiry"]["status"] == "critical"
    assert checks["certificate.expiry"]["summary"].startswith("not valid before ")
    assert "in 47 hours" in checks["certificate.expiry"]["summary"]
    assert checks["certificate.chain"]["status"] == "ok"


@pytest.mark.parametrize(
    ("lifetime", "left", "status"),
    [
        (90, 22, "ok"),
        (90, 20, "warning"),
        (90, 6, "critical"),
        (6, 4, "ok"),
        (6, 1.4, "warning"),
        (6, 0.5, "critical"),
        (398, 30, "ok"),
        (398, 20, "warning"),
    ],
)
def test_lifetimes_short_and_long(
    cert_check: CertCheck, authority: Authority, lifetime: float, left: float, status: str
) -> None:
    starts = now() - timedelta(days=lifetime - left)
    checks = cert_check.at(
        authority.server(starts=starts, lifetime=timedelta(days=lifetime)), authority.intermediate
    )
    assert checks["certificate.expiry"]["status"] == status, checks["certificate.expiry"]


def test_a_missing_intermediate(cert_check: CertCheck, authority: Authority) -> None:
    chain = cert_check.at(authority.server())["certificate.chain"]
    assert said(chain) == (
        "critical",
        "the intermediate 'Test intermediate' is missing:"
        " it is not sent along and is not a trusted root",
    )
    assert "fullchain.pem" in chain["remedy"]


def test_the_wrong_intermediate(cert_check: CertCheck, authority: Authority) -> None:
    chain = cert_check.at(authority.server(), Authority.create("Other").intermediate)[
        "certificate.chain"
    ]
    assert chain["status"] == "critical"
    assert (
        "'Test intermediate' is missing: it is not sent along (1 other certificate sent instead)"
        in chain["summary"]
    )


def test_the_wrong_order(cert_check: CertCheck, authority: Authority) -> None:
    second = issue("Second intermediate", authority.intermediate, authority=True)
    server = issue("localhost", second, names=["localhost"])
    assert (
        cert_check.at(server, second, authority.intermediate)["certificate.chain"]["status"] == "ok"
    )
    chain = cert_check.at(server, authority.intermediate, second)["certificate.chain"]
    assert chain["status"] == "ok", "OpenSSL and browsers accept it"
    assert "; sent in another order than from issued to issuer" in chain["summary"]


def test_an_expired_intermediate(cert_check: CertCheck, authority: Authority) -> None:
    old = issue(
        "Old intermediate",
        authority.root,
        authority=True,
        starts=now() - 40 * DAY,
        lifetime=30 * DAY,
    )
    checks = cert_check.at(issue("localhost", old, names=["localhost"]), old)
    assert checks["certificate.expiry"]["status"] == "ok"
    assert checks["certificate.chain"]["status"] == "critical"
    assert checks["certificate.chain"]["summary"].startswith(
        "the intermediate 'Old intermediate' expired on "
    )


def test_an_expired_intermediate_under_an_expired_certificate(
    cert_check: CertCheck, authority: Authority
) -> None:
    old = issue(
        "Old intermediate",
        authority.root,
        authority=True,
        starts=now() - 40 * DAY,
        lifetime=30 * DAY,
    )
    checks = cert_check.at(
        issue("localhost", old, names=["localhost"], starts=now() - 40 * DAY, lifetime=30 * DAY),
        old,
    )
    assert "expired" in checks["certificate.expiry"]["summary"]
    assert "'Old intermediate' expired" in checks["certificate.chain"]["summary"]


def test_an_intermediate_that_expires_soon(cert_check: CertCheck, authority: Authority) -> None:
    old = issue("Old intermediate", authority.root, authority=True, lifetime=11 * DAY)
    chain = cert_check.at(issue("localhost", old, names=["localhost"]), old)["certificate.chain"]
    assert said(chain) == ("warning", "the intermediate 'Old intermediate' expires in 9 days")


def test_an_unknown_root(cert_check: CertCheck) -> None:
    foreign = Authority.create("Foreign")
    chain = cert_check.at(foreign.server(), foreign.intermediate)["certificate.chain"]
    assert chain["status"] == "critical"
    assert "the issuer 'Foreign root' of 'Foreign intermediate' is not trusted" in chain["summary"]
    assert "ca_file" in chain["remedy"]
    chain = cert_check.at(foreign.server(), foreign.intermediate, foreign.root)["certificate.chain"]
    assert said(chain) == (
        "critical",
        "the root 'Foreign root' is not trusted: neither a system root nor in ca_file",
    )


def test_a_certificate_that_signs_itself(cert_check: CertCheck, tmp_path: Path) -> None:
    own = issue("localhost", names=["localhost"])
    assert said(cert_check.at(own)["certificate.chain"]) == (
        "critical",
        "self-signed, not trusted",
    )
    cert_check.ca_file = write(tmp_path / "own.pem", own.pem)
    assert said(cert_check.at(own)["certificate.chain"]) == ("ok", "self-signed, trusted here")


def test_a_server_certificate_is_no_authority(cert_check: CertCheck, authority: Authority) -> None:
    server = authority.server("server.example")
    chain = cert_check.at(
        issue("localhost", server, names=["localhost"]), server, authority.intermediate
    )["certificate.chain"]
    assert chain["status"] == "critical"
    assert (
        chain["summary"] == "it was signed with a certificate that is not a CA's: 'server.example'"
    )
    below = issue("localhost", server, names=["localhost"])
    assert (
        cert_check.file(below.pem, server.pem, authority.intermediate.pem)["certificate.chain"][
            "summary"
        ]
        == chain["summary"]
    )
