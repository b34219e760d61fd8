"""The demo's certificate authority: TLS accepts or refuses each certificate for its reason."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509

from demo import certificates
from demo.certificates import Authority, Issued


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "certificates"


def handshake(issued: Issued, directory: Path, name: str = "localhost") -> None:
    """A TLS handshake in memory, the client as strict as Python can be; raises its error."""
    for file, content in (
        ("server.pem", issued.certificate + issued.chain),
        ("server.key", issued.key),
    ):
        (directory / file).write_bytes(content)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(directory / "server.pem", directory / "server.key")
    client_context = ssl.create_default_context(cafile=directory / "ca.pem")
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("name", certificates.NAMES)
def test_a_good_certificate_is_accepted_for_each_of_its_names(directory: Path, name: str) -> None:
    handshake(Authority(directory).issue(), directory, name)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("expired", "certificate has expired"),
        ("not_yet_valid", "certificate is not yet valid"),
        ("other_name", "Hostname mismatch"),
        ("missing_intermediate", "unable to get local issuer certificate"),
    ],
)
def test_each_bad_certificate_is_refused_for_its_own_reason(
    directory: Path, kind: str, reason: str
) -> None:
    bad: Issued = getattr(Authority(directory), kind)()
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        handshake(bad, directory)


def test_a_renewed_certificate_is_as_good_and_another_one(directory: Path) -> None:
    files = certificates.ensure(directory)
    renewed = Authority(directory).renewed()
    handshake(renewed, directory)
    before, after = (
        x509.load_pem_x509_certificate(pem)
        for pem in (Path(files["cert"]).read_bytes(), renewed.certificate)
    )
    assert before.serial_number != after.serial_number
    assert before.subject == after.subject


def test_ensure_keeps_what_is_good(directory: Path) -> None:
    first = certificates.ensure(directory)
    contents = {file: Path(file).read_bytes() for name, file in first.items() if name != "name"}
    assert certificates.ensure(directory) == first
    assert {file: Path(file).read_bytes() for file in contents} == contents
    assert all(Path(file).stat().st_mode & 0o077 == 0 for file in contents)


@pytest.mark.parametrize("kind", ["expired", "not_yet_valid", "other_name", "missing_intermediate"])
def test_ensure_replaces_what_a_test_or_time_has_spoilt(directory: Path, kind: str) -> None:
    files = certificates.ensure(directory)
    getattr(Authority(directory), kind)().install(files)
    certificates.ensure(directory)
    good = Issued(*(Path(files[name]).read_bytes() for name in ("key", "cert", "intermediate")))
    handshake(good, directory)


@pytest.mark.parametrize(
    "spoilt", ["ca", "ca_key", "intermediate", "intermediate_key", "fullchain", "cert", "key"]
)
def test_ensure_recovers_from_a_kill_at_any_file(directory: Path, spoilt: str) -> None:
    files = certificates.ensure(directory)
    Path(files[spoilt]).unlink()
    certificates.ensure(directory)
    handshake(
        Issued(*(Path(files[name]).read_bytes() for name in ("key", "cert", "intermediate"))),
        directory,
    )
