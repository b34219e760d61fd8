"""cert_check and files: what is served and what is on disk, and files alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import by_name
from tests.support.certificates import CertCheck, said
from tests.support.throwaway import DAY, Authority, issue, now, write


def test_renewed_on_disk_and_not_reloaded(
    cert_check: CertCheck, authority: Authority, tmp_path: Path
) -> None:
    served, renewed = authority.server(starts=now() - 60 * DAY), authority.server()
    file = write(tmp_path / "fullchain.pem", renewed.pem, authority.intermediate.pem)
    key = write(tmp_path / "privkey.pem", renewed.key_pem)
    checks = cert_check.at(served, authority.intermediate, file=file, key_file=key)
    check = checks["certificate.served_is_file"]
    assert check["status"] == "critical"
    assert check["summary"].startswith(f"{file} was renewed on ")
    assert "the old certificate is still served" in check["summary"]
    assert "reload" in check["remedy"]
    assert [row["where"] for row in check["evidence"]] == ["served", "file"]
    assert checks["certificate.key"]["status"] == "ok", "the new key belongs to the new certificate"


def test_an_older_file_than_what_is_served(
    cert_check: CertCheck, authority: Authority, tmp_path: Path
) -> None:
    file = write(tmp_path / "old.pem", authority.server(starts=now() - 60 * DAY).pem)
    check = cert_check.at(authority.server(), authority.intermediate, file=file)[
        "certificate.served_is_file"
    ]
    assert check["status"] == "warning"
    assert f"serves a newer certificate than {file} holds" in check["summary"]


def test_a_file_that_is_none_takes_nothing_from_the_other_verdicts(
    cert_check: CertCheck, authority: Authority, tmp_path: Path
) -> None:
    nonsense = write(tmp_path / "nonsense.pem", b"hello")
    for file, words in (
        (f"{tmp_path}/none.pem", f"the certificate file {tmp_path}/none.pem does not exist"),
        (nonsense, "holds neither PEM nor DER"),
    ):
        checks = cert_check.at(authority.server(), authority.intermediate, file=file)
        assert checks["certificate.served_is_file"]["status"] == "critical"
        assert words in checks["certificate.served_is_file"]["summary"]
        assert checks["certificate.expiry"]["status"] == "ok"


def test_a_good_file(cert_check: CertCheck, authority: Authority) -> None:
    server = authority.server()
    checks = cert_check.file(server.pem, authority.intermediate.pem, key=server.key_pem)
    assert {name: check["status"] for name, check in checks.items()} == {
        "certificate.expiry": "ok",
        "certificate.chain": "ok",
        "certificate.key": "ok",
    }
    assert checks["certificate.expiry"]["subject"] == str(cert_check.directory / "file.pem")
    assert cert_check.file(server.der)["certificate.expiry"]["status"] == "ok", "DER"


def test_faults_of_files(cert_check: CertCheck, authority: Authority) -> None:
    server, middle = authority.server(), authority.intermediate.pem
    assert "is missing" in cert_check.file(server.pem)["certificate.chain"]["summary"]
    assert (
        cert_check.file(server.pem, middle, key=authority.server().key_pem)["certificate.key"][
            "status"
        ]
        == "critical"
    )
    assert (
        cert_check.file(authority.server(starts=now() - 91 * DAY).pem, middle)[
            "certificate.expiry"
        ]["status"]
        == "critical"
    )
    foreign = Authority.create("Foreign")
    assert (
        "'Foreign root'"
        in cert_check.file(foreign.server().pem, foreign.intermediate.pem)["certificate.chain"][
            "summary"
        ]
    )
    assert (
        "self-signed, not trusted"
        in cert_check.file(issue("x").pem)["certificate.chain"]["summary"]
    )
    weak = authority.server(key="p192")
    assert said(cert_check.file(weak.pem, middle, key=weak.key_pem)["certificate.key"]) == (
        "critical",
        "the key is too weak: ECDSA secp192r1",
    )
    forged = Authority.create("Test")
    assert (
        cert_check.file(forged.server().pem, forged.intermediate.pem)["certificate.chain"]["status"]
        == "critical"
    ), "a root's name alone proves nothing"


def test_the_certificate_of_an_authority_needs_no_chain(cert_check: CertCheck) -> None:
    assert set(cert_check.file(Authority.create("Private").root.pem)) == {
        "certificate.expiry",
        "certificate.key",
    }


def test_files_that_are_no_certificates_are_one_clear_sentence_each(
    cert_check: CertCheck, authority: Authority, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    broken = authority.server().pem.replace(b"MII", b"M!!", 1)
    contents = {
        "key.pem": authority.server().key_pem,
        "empty.pem": b"",
        "text.pem": b"hello",
        "damaged.pem": broken,
        "asn1.der": b"\x30\x03\x02\x01\x01",
    }
    files = [write(tmp_path / name, content) for name, content in contents.items()]
    good = write(tmp_path / "good.pem", authority.server().pem, authority.intermediate.pem)
    paths = [*files, str(tmp_path), str(tmp_path / "pipe"), str(tmp_path / "none.pem"), good]
    answer = cert_check.run(files=[{"path": path} for path in paths])
    expiry = [check for check in answer["checks"] if check["name"] == "certificate.expiry"]
    assert [check["subject"] for check in expiry] == paths
    assert [check["status"] for check in expiry] == ["critical"] * 8 + ["ok"]
    for check, words in zip(
        expiry,
        [
            "it holds a private key and no certificate",
            "it is empty",
            "it holds neither PEM nor DER",
            "its PEM is damaged",
            "is not a certificate file",
            "is a folder",
            "is a device or pipe",
            "does not exist",
        ],
    ):
        assert words in check["summary"]
        assert check["subject"] in check["summary"]
        assert check["remedy"]


@pytest.mark.skipif(
    os.geteuid() == 0,
    reason="root may read everything; the unit tests of files have this with a refused open",
)
def test_a_file_that_may_not_be_read_is_unknown(
    cert_check: CertCheck, authority: Authority, tmp_path: Path
) -> None:
    path = write(tmp_path / "private.pem", authority.server().pem)
    Path(path).chmod(0)
    check = by_name(cert_check.run(files=[{"path": path}]), "certificate.expiry")
    assert check["status"] == "unknown"
    assert "lacks permission to read" in check["summary"]
    assert "become" in check["remedy"]
