"""cert_check against real TLS servers: throw-away ones with every fault, the demo stack's nginx, and PostgreSQL's way into TLS."""

from __future__ import annotations

import os
import socket
import ssl
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from demo.certificates import Authority as DemoAuthority
from demo.tls import PostgresTls
from tests.conftest import RunModule, by_name
from tests.support.throwaway import (
    DAY,
    Authority,
    Pair,
    issue,
    listening,
    now,
    server_context,
    silent,
    tls,
    unused_port,
    write,
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("ca") / "ca.pem", authority.root.pem)


class Looker:
    """Runs the module on one server, or on files, with the test's authority trusted."""

    def __init__(self, run_module: RunModule, directory: Path, ca_file: str) -> None:
        self.run_module, self.directory, self.ca_file = run_module, directory, ca_file

    def run(self, **options: Any) -> dict[str, Any]:
        answer = self.run_module("cert_check", {"ca_file": self.ca_file, **options})
        assert answer["__stderr"] == ""
        return answer

    def host_port(self, pair: Pair, *chain: Pair, **endpoint: Any) -> dict[str, dict[str, Any]]:
        """The checks of a server that sends these certificates, by name."""
        context = server_context(self.directory, pair, *(one.pem for one in chain))
        with listening(tls(context)) as port:
            answer = self.run(
                endpoints=[
                    {"host": "127.0.0.1", "server_name": "localhost", "port": port, **endpoint}
                ]
            )
        return {check["name"]: check for check in answer["checks"]}

    def file(self, *contents: bytes, key: bytes = b"", **options: Any) -> dict[str, dict[str, Any]]:
        one = {"path": write(self.directory / "file.pem", *contents)}
        if key:
            one["key_file"] = write(self.directory / "file.key", key)
        return {check["name"]: check for check in self.run(files=[one], **options)["checks"]}


@pytest.fixture
def look(run_module: RunModule, tmp_path: Path, ca_file: str) -> Looker:
    return Looker(run_module, tmp_path, ca_file)


def said(check: dict[str, Any]) -> tuple[str, str]:
    return check["status"], check["summary"]


# --- endpoints --------------------------------------------------------------------------------------------------------


def test_a_good_certificate(look: Looker, authority: Authority, tmp_path: Path) -> None:
    server = authority.server()
    file, key = (
        write(tmp_path / "fullchain.pem", server.pem, authority.intermediate.pem),
        write(tmp_path / "privkey.pem", server.key_pem),
    )
    checks = look.at(server, authority.intermediate, file=file, key_file=key)
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
        == "trusted: 'Test root' vouches for it by way of 'Test intermediate'"
    )
    assert checks["certificate.hostname"]["summary"] == "made out for 'localhost' and 1 more"
    assert (
        checks["certificate.key"]["summary"]
        == "ECDSA P-256, signed with SHA-256; the key file belongs to it"
    )
    assert (
        checks["certificate.expiry"]["evidence"][0]["serial"]
        == f"{server.certificate.serial_number:x}"
    )


def test_an_expired_certificate_hides_no_other_verdict(look: Looker, authority: Authority) -> None:
    checks = look.at(authority.server(starts=now() - 93 * DAY), authority.intermediate)
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


def test_expired_for_another_name_and_of_an_unknown_issuer_all_at_once(look: Looker) -> None:
    checks = look.at(Authority.create("Foreign").server("other.example", starts=now() - 93 * DAY))
    assert {name: check["status"] for name, check in checks.items()} == {
        "certificate.expiry": "critical",
        "certificate.chain": "critical",
        "certificate.hostname": "critical",
        "certificate.key": "ok",
    }


def test_a_certificate_that_is_not_valid_yet(look: Looker, authority: Authority) -> None:
    checks = look.at(authority.server(starts=now() + 2 * DAY), authority.intermediate)
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
    look: Looker, authority: Authority, lifetime: float, left: float, status: str
) -> None:
    starts = now() - timedelta(days=lifetime - left)
    checks = look.at(
        authority.server(starts=starts, lifetime=timedelta(days=lifetime)), authority.intermediate
    )
    assert checks["certificate.expiry"]["status"] == status, checks["certificate.expiry"]


def test_a_missing_intermediate(look: Looker, authority: Authority) -> None:
    chain = look.at(authority.server())["certificate.chain"]
    assert said(chain) == (
        "critical",
        "the intermediate 'Test intermediate' is missing: it is not sent along, and no trusted root",
    )
    assert "fullchain.pem" in chain["remedy"]


def test_the_wrong_intermediate(look: Looker, authority: Authority) -> None:
    chain = look.at(authority.server(), Authority.create("Other").intermediate)["certificate.chain"]
    assert chain["status"] == "critical"
    assert (
        "'Test intermediate' is missing: it is not sent along (1 sent along, but not that one)"
        in chain["summary"]
    )


def test_the_wrong_order(look: Looker, authority: Authority) -> None:
    second = issue("Second intermediate", authority.intermediate, authority=True)
    server = issue("localhost", second, names=["localhost"])
    assert look.at(server, second, authority.intermediate)["certificate.chain"]["status"] == "ok"
    chain = look.at(server, authority.intermediate, second)["certificate.chain"]
    assert said(chain) == (
        "warning",
        "complete, but sent in the wrong order, which older clients refuse",
    )


def test_an_expired_intermediate(look: Looker, authority: Authority) -> None:
    old = issue(
        "Old intermediate",
        authority.root,
        authority=True,
        starts=now() - 40 * DAY,
        lifetime=30 * DAY,
    )
    checks = look.at(issue("localhost", old, names=["localhost"]), old)
    assert checks["certificate.expiry"]["status"] == "ok"
    assert checks["certificate.chain"]["status"] == "critical"
    assert checks["certificate.chain"]["summary"].startswith(
        "the intermediate 'Old intermediate' expired on "
    )


def test_an_expired_intermediate_under_an_expired_certificate(
    look: Looker, authority: Authority
) -> None:
    old = issue(
        "Old intermediate",
        authority.root,
        authority=True,
        starts=now() - 40 * DAY,
        lifetime=30 * DAY,
    )
    checks = look.at(
        issue("localhost", old, names=["localhost"], starts=now() - 40 * DAY, lifetime=30 * DAY),
        old,
    )
    assert "expired" in checks["certificate.expiry"]["summary"]
    assert "'Old intermediate' expired" in checks["certificate.chain"]["summary"]


def test_an_intermediate_that_expires_soon(look: Looker, authority: Authority) -> None:
    old = issue("Old intermediate", authority.root, authority=True, lifetime=11 * DAY)
    chain = look.at(issue("localhost", old, names=["localhost"]), old)["certificate.chain"]
    assert said(chain) == ("warning", "the intermediate 'Old intermediate' expires in 9 days")


def test_an_unknown_root(look: Looker) -> None:
    foreign = Authority.create("Foreign")
    chain = look.at(foreign.server(), foreign.intermediate)["certificate.chain"]
    assert chain["status"] == "critical"
    assert "the issuer 'Foreign root' of 'Foreign intermediate' is unknown" in chain["summary"]
    assert "ca_file" in chain["remedy"]
    chain = look.at(foreign.server(), foreign.intermediate, foreign.root)["certificate.chain"]
    assert said(chain) == (
        "critical",
        "the root 'Foreign root' is unknown: neither among the system's roots nor in ca_file",
    )


def test_a_certificate_that_signs_itself(look: Looker, tmp_path: Path) -> None:
    own = issue("localhost", names=["localhost"])
    assert said(look.at(own)["certificate.chain"]) == (
        "critical",
        "signed by itself: nobody vouches for it",
    )
    look.ca_file = write(tmp_path / "own.pem", own.pem)
    assert said(look.at(own)["certificate.chain"]) == ("ok", "signed by itself, and trusted here")


def test_a_server_certificate_is_no_authority(look: Looker, authority: Authority) -> None:
    server = authority.server("server.example")
    chain = look.at(
        issue("localhost", server, names=["localhost"]), server, authority.intermediate
    )["certificate.chain"]
    assert chain["status"] == "critical"
    assert chain["summary"] == "it was signed with a certificate that is not a CA's"
    below = issue("localhost", server, names=["localhost"])
    assert (
        look.file(below.pem, server.pem, authority.intermediate.pem)["certificate.chain"]["summary"]
        == chain["summary"]
    )


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
    look: Looker, authority: Authority, names: list[str], asked: str, status: str
) -> None:
    checks = look.at(
        issue("x", authority.intermediate, names=names), authority.intermediate, server_name=asked
    )
    assert checks["certificate.hostname"]["status"] == status
    assert checks["certificate.chain"]["status"] == "ok"
    if status == "critical":
        assert checks["certificate.hostname"]["summary"].startswith(
            f"made out for {', '.join(names)}, not for "
        )


def test_a_certificate_without_names(look: Looker, authority: Authority) -> None:
    hostname = look.at(issue("localhost", authority.intermediate), authority.intermediate)[
        "certificate.hostname"
    ]
    assert hostname["status"] == "critical"
    assert "clients ignore the common name 'localhost'" in hostname["summary"]


def test_sni_gets_the_certificate_of_its_name(
    look: Looker, authority: Authority, tmp_path: Path
) -> None:
    default = server_context(tmp_path, authority.server("default.test"), authority.intermediate.pem)
    shop = server_context(tmp_path, authority.server("shop.test"), authority.intermediate.pem)

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name == "shop.test":
            connection.context = shop

    default.sni_callback = choose
    with listening(tls(default)) as port:
        one = {"host": "127.0.0.1", "port": port}
        answer = look.run(
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
        "made out for default.test, not for 'blog.test'"
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
def test_keys(look: Looker, authority: Authority, key: str, status: str, words: str) -> None:
    checks = look.at(authority.server(key=key), authority.intermediate)
    assert said(checks["certificate.key"]) == (status, words)
    assert checks["certificate.hostname"]["status"] == "ok"


def test_an_intermediate_with_a_weak_key(look: Looker) -> None:
    weak = Authority.create("Weak", key="rsa1024")
    key = look.at(weak.server(), weak.intermediate)["certificate.key"]
    assert said(key) == (
        "critical",
        "the key of the intermediate 'Weak intermediate' is too weak: RSA 1024",
    )


def test_a_key_file_that_belongs_to_another_certificate(
    look: Looker, authority: Authority, tmp_path: Path
) -> None:
    key = look.at(
        authority.server(),
        authority.intermediate,
        key_file=write(tmp_path / "other.key", authority.server().key_pem),
    )["certificate.key"]
    assert said(key) == (
        "critical",
        f"the key file {tmp_path}/other.key does not belong to the certificate",
    )


def test_key_files_that_cannot_be_compared(
    look: Looker, authority: Authority, tmp_path: Path
) -> None:
    server = authority.server()
    locked = write(
        tmp_path / "locked.key", server.key_as(serialization.BestAvailableEncryption(b"geheim"))
    )
    nonsense = write(
        tmp_path / "nonsense.key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    )
    for file, status, words in (
        (locked, "unknown", f"the key file {locked} is protected by a passphrase"),
        (nonsense, "critical", f"{nonsense} holds no private key that can be read"),
        (f"{tmp_path}/none.key", "critical", f"the key file {tmp_path}/none.key does not exist"),
    ):
        key = look.at(server, authority.intermediate, key_file=file)["certificate.key"]
        assert key["status"] == status
        assert key["summary"].startswith(words)
        assert key["remedy"]


# --- served and on disk -----------------------------------------------------------------------------------------------


def test_renewed_on_disk_and_not_reloaded(
    look: Looker, authority: Authority, tmp_path: Path
) -> None:
    served, renewed = authority.server(starts=now() - 60 * DAY), authority.server()
    file = write(tmp_path / "fullchain.pem", renewed.pem, authority.intermediate.pem)
    key = write(tmp_path / "privkey.pem", renewed.key_pem)
    checks = look.at(served, authority.intermediate, file=file, key_file=key)
    check = checks["certificate.served_is_file"]
    assert check["status"] == "critical"
    assert check["summary"].startswith(f"{file} was renewed on ")
    assert "the old certificate is still served" in check["summary"]
    assert "reload" in check["remedy"]
    assert [row["where"] for row in check["evidence"]] == ["served", "file"]
    assert checks["certificate.key"]["status"] == "ok", "the new key belongs to the new certificate"


def test_an_older_file_than_what_is_served(
    look: Looker, authority: Authority, tmp_path: Path
) -> None:
    file = write(tmp_path / "old.pem", authority.server(starts=now() - 60 * DAY).pem)
    check = look.at(authority.server(), authority.intermediate, file=file)[
        "certificate.served_is_file"
    ]
    assert check["status"] == "warning"
    assert "a newer one" in check["summary"]


def test_a_file_that_is_none_takes_nothing_from_the_other_verdicts(
    look: Looker, authority: Authority, tmp_path: Path
) -> None:
    nonsense = write(tmp_path / "nonsense.pem", b"hello")
    for file, words in (
        (f"{tmp_path}/none.pem", f"the certificate file {tmp_path}/none.pem does not exist"),
        (nonsense, "holds neither PEM nor DER"),
    ):
        checks = look.at(authority.server(), authority.intermediate, file=file)
        assert checks["certificate.served_is_file"]["status"] == "critical"
        assert words in checks["certificate.served_is_file"]["summary"]
        assert checks["certificate.expiry"]["status"] == "ok"


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_good_file(look: Looker, authority: Authority) -> None:
    server = authority.server()
    checks = look.file(server.pem, authority.intermediate.pem, key=server.key_pem)
    assert {name: check["status"] for name, check in checks.items()} == {
        "certificate.expiry": "ok",
        "certificate.chain": "ok",
        "certificate.key": "ok",
    }
    assert checks["certificate.expiry"]["subject"] == str(look.directory / "file.pem")
    assert look.file(server.der)["certificate.expiry"]["status"] == "ok", "DER"


def test_faults_of_files(look: Looker, authority: Authority) -> None:
    server, middle = authority.server(), authority.intermediate.pem
    assert "is missing" in look.file(server.pem)["certificate.chain"]["summary"]
    assert (
        look.file(server.pem, middle, key=authority.server().key_pem)["certificate.key"]["status"]
        == "critical"
    )
    assert (
        look.file(authority.server(starts=now() - 91 * DAY).pem, middle)["certificate.expiry"][
            "status"
        ]
        == "critical"
    )
    foreign = Authority.create("Foreign")
    assert (
        "'Foreign root'"
        in look.file(foreign.server().pem, foreign.intermediate.pem)["certificate.chain"]["summary"]
    )
    assert "signed by itself" in look.file(issue("x").pem)["certificate.chain"]["summary"]
    weak = authority.server(key="p192")
    assert said(look.file(weak.pem, middle, key=weak.key_pem)["certificate.key"]) == (
        "critical",
        "the key is too weak: ECDSA secp192r1",
    )
    forged = Authority.create("Test")
    assert (
        look.file(forged.server().pem, forged.intermediate.pem)["certificate.chain"]["status"]
        == "critical"
    ), "a root's name alone proves nothing"


def test_the_certificate_of_an_authority_needs_no_chain(look: Looker) -> None:
    assert set(look.file(Authority.create("Private").root.pem)) == {
        "certificate.expiry",
        "certificate.key",
    }


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # some roots are odd
def test_the_systems_roots_are_trusted(look: Looker) -> None:
    """A real root: trusted though it is not in ca_file."""
    from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.certificate import (
        Anchors,
        certificates_in,
    )
    from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.tls import root_files

    files = root_files()
    if not files:
        pytest.skip("this machine has no root certificates (package ca-certificates)")
    root = certificates_in(Path(files[0]).read_bytes())[0]
    assert Anchors(files).vouch_for(root)
    assert not Anchors([look.ca_file]).vouch_for(root)


def test_files_that_are_no_certificates_are_one_clear_sentence_each(
    look: Looker, authority: Authority, tmp_path: Path
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
    answer = look.run(files=[{"path": path} for path in paths])
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
            "is not a file, but a folder",
            "is not a file, but a device or pipe",
            "does not exist",
        ],
    ):
        assert words in check["summary"]
        assert check["subject"] in check["summary"]
        assert check["remedy"]


@pytest.mark.skipif(
    os.geteuid() == 0,
    reason="root may read everything; test_certificates.py has this with a refused open",
)
def test_a_file_that_may_not_be_read_is_unknown(
    look: Looker, authority: Authority, tmp_path: Path
) -> None:
    path = write(tmp_path / "private.pem", authority.server().pem)
    Path(path).chmod(0)
    check = by_name(look.run(files=[{"path": path}]), "certificate.expiry")
    assert check["status"] == "unknown"
    assert "may not read" in check["summary"]
    assert "become" in check["remedy"]


# --- no certificate ---------------------------------------------------------------------------------------------------


def test_endpoints_that_show_no_certificate_are_unknown_with_the_reason(look: Looker) -> None:
    def plain(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def gone(connection: socket.socket) -> None:
        connection.recv(1)

    port = unused_port()
    with listening(plain) as http, listening(gone) as closing, listening(silent) as mute:
        hosts: list[dict[str, Any]] = [
            {"host": "127.0.0.1", "port": one} for one in (port, http, closing, mute)
        ]
        answer = look.run(endpoints=[*hosts, {"host": "no-such-host.invalid"}], connect_timeout=1)
    assert {(check["name"], check["status"]) for check in answer["checks"]} == {
        ("certificate.expiry", "unknown")
    }
    summaries = [check["summary"] for check in answer["checks"]]
    assert summaries[0] == f"connection refused: nothing listens on 127.0.0.1:{port}"
    assert "does not speak TLS" in summaries[1]
    assert "closed the connection" in summaries[2] or "broke off the connection" in summaries[2]
    assert summaries[3] == f"127.0.0.1:{mute} showed no certificate within 1 s"
    assert "no-such-host.invalid" in summaries[4]
    assert all(check["remedy"] for check in answer["checks"])


def test_the_time_limit_holds_over_all_endpoints(
    look: Looker, authority: Authority, tmp_path: Path
) -> None:
    good = server_context(tmp_path, authority.server(), authority.intermediate.pem)

    def trickle(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"\x16\x03\x03\x40\x00")
        while True:
            connection.sendall(b"\x02")
            time.sleep(0.05)

    with listening(trickle) as slow, listening(silent) as mute, listening(tls(good)) as port:
        endpoints = [
            *({"host": "127.0.0.1", "port": one} for one in [slow, mute] * 20),
            {"host": "127.0.0.1", "port": port},
        ]
        started = time.monotonic()
        answer = look.run(endpoints=endpoints, timeout=2, connect_timeout=1)
        took = time.monotonic() - started
    assert took < 2 + 1 + 5, (
        "the time limit, the guard's grace, and the start of Python on a busy machine"
    )
    late = [check["summary"] for check in answer["checks"] if check["status"] == "unknown"]
    assert len(late) >= 40
    assert any("not seen within the 1.7" in summary for summary in late)


def test_a_server_with_old_tls_alone(look: Looker, authority: Authority, tmp_path: Path) -> None:
    context = server_context(tmp_path, authority.server(), authority.intermediate.pem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with listening(tls(context)) as port:
        checks = {
            check["name"]: check
            for check in look.run(endpoints=[{"host": "127.0.0.1", "port": port}])["checks"]
        }
    if list(checks) == ["certificate.expiry"]:
        pytest.skip("this machine's OpenSSL was built without TLS 1.1")
    assert checks["certificate.expiry"]["status"] == "ok"
    assert checks["certificate.chain"]["status"] == "unknown"
    assert "TLS" in checks["certificate.chain"]["summary"]


def test_each_address_of_a_name_is_looked_at(
    look: Looker, authority: Authority, tmp_path: Path
) -> None:
    found = dict.fromkeys(
        entry[4][0] for entry in socket.getaddrinfo("localhost", 443, type=socket.SOCK_STREAM)
    )
    with listening(
        tls(server_context(tmp_path, authority.server(), authority.intermediate.pem))
    ) as port:
        answer = look.run(
            endpoints=[{"host": "localhost", "port": port}, {"host": "no-such-host.invalid"}],
            all_addresses=True,
        )
    expiry = {
        check["subject"]: check["status"]
        for check in answer["checks"]
        if check["name"] == "certificate.expiry"
    }
    assert expiry == {
        **{
            f"localhost:{port} at {address}": "ok" if address == "127.0.0.1" else "unknown"
            for address in found
        },
        "no-such-host.invalid:443": "unknown",
    }


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def test_postgres_that_offers_no_tls(look: Looker, stack: Any) -> None:
    """The demo's PostgreSQL is built without TLS, so that its answer to the request is a real 'N'."""
    own = stack.settings["postgres"]
    answer = look.run(
        endpoints=[{"host": own["host"], "port": own["port"], "starttls": "postgres"}]
    )
    assert [said(check) for check in answer["checks"]] == [
        ("unknown", f"PostgreSQL on {own['host']}:{own['port']} does not offer TLS (ssl is off)")
    ]


def test_postgres_behind_starttls(run_module: RunModule, stack: Any) -> None:
    certificates = stack.settings["certificates"]
    with PostgresTls(stack.settings) as front:
        endpoint = {
            "host": "localhost",
            "port": front.port,
            "starttls": "postgres",
            "address": front.host,
            "file": certificates["fullchain"],
        }
        answer = run_module("cert_check", {"endpoints": [endpoint], "ca_file": certificates["ca"]})
    assert {check["status"] for check in answer["checks"]} == {"ok"}, answer["checks"]
    assert len(answer["checks"]) == 5


def test_what_is_not_postgres(look: Looker) -> None:
    def http(connection: socket.socket) -> None:
        connection.recv(8)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def gone(connection: socket.socket) -> None:
        connection.recv(8)

    with listening(http) as first, listening(gone) as second:
        answer = look.run(
            endpoints=[
                {"host": "127.0.0.1", "port": port, "starttls": "postgres"}
                for port in (first, second)
            ]
        )
    assert [said(check) for check in answer["checks"]] == [
        ("unknown", f"what listens on 127.0.0.1:{first} is not PostgreSQL"),
        ("unknown", f"127.0.0.1:{second} closed the connection when asked for TLS"),
    ]


def test_postgres_with_direct_tls_is_asked_for_its_protocol(
    look: Looker, authority: Authority, tmp_path: Path
) -> None:
    chosen: list[str | None] = []
    context = server_context(tmp_path, authority.server(), authority.intermediate.pem)
    context.set_alpn_protocols(["postgresql"])

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            chosen.append(wrapped.selected_alpn_protocol())
            wrapped.recv(1)

    with listening(serve) as port:
        one = {"host": "127.0.0.1", "port": port}
        answer = look.run(endpoints=[{**one, "starttls": "postgres_direct"}, one])
    assert {check["status"] for check in answer["checks"]} == {"ok"}
    assert sorted(map(str, chosen)) == ["None", "postgresql"]


# --- misuse -----------------------------------------------------------------------------------------------------------


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
            "endpoints[0].host: 'a b' is neither a host name nor an address",
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
        ({"files": [{"path": "cert.pem"}]}, "files[0].path: 'cert.pem' has to be a full path"),
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


# --- the demo stack's nginx -------------------------------------------------------------------------------------------


@contextmanager
def installed(stack: Any, fault: str) -> Iterator[None]:
    """Let nginx serve a bad certificate for a while."""
    certificates = stack.settings["certificates"]
    authority = DemoAuthority(Path(certificates["ca"]).parent)
    getattr(authority, fault)().install(certificates)
    stack.reload("nginx")
    try:
        yield
    finally:
        authority.issue().install(certificates)
        stack.reload("nginx")


@pytest.fixture
def nginx(run_module: RunModule, stack: Any) -> Any:
    """The checks of what the demo's nginx serves, by name."""
    own, certificates = stack.settings["nginx"], stack.settings["certificates"]
    endpoint = {
        "host": own["host"],
        "port": own["https_port"],
        "server_name": certificates["name"],
        "file": certificates["fullchain"],
        "key_file": certificates["key"],
    }

    def seen() -> dict[str, dict[str, Any]]:
        answer = run_module("cert_check", {"endpoints": [endpoint], "ca_file": certificates["ca"]})
        return {check["name"]: check for check in answer["checks"]}

    return seen


HEALTHY = dict.fromkeys(
    (
        "certificate.expiry",
        "certificate.chain",
        "certificate.hostname",
        "certificate.key",
        "certificate.served_is_file",
    ),
    "ok",
)


def statuses(checks: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: check["status"] for name, check in checks.items()}


def test_nginx_serves_a_good_certificate(nginx: Any) -> None:
    assert statuses(nginx()) == HEALTHY


@pytest.mark.parametrize(
    ("fault", "check", "words"),
    [
        ("expired", "certificate.expiry", "expired 24 hours ago"),
        ("not_yet_valid", "certificate.expiry", "not valid before"),
        ("other_name", "certificate.hostname", "made out for other.example, not for 'localhost'"),
        (
            "missing_intermediate",
            "certificate.chain",
            "the intermediate 'GPT Agent demo intermediate' is missing",
        ),
    ],
)
def test_nginx_serves_a_bad_certificate_and_recovers(
    stack: Any, nginx: Any, fault: str, check: str, words: str
) -> None:
    with installed(stack, fault):
        checks = nginx()
    assert statuses(checks) == {**HEALTHY, check: "critical"}
    assert checks[check]["summary"].startswith(words)
    assert statuses(nginx()) == HEALTHY


def test_nginx_is_not_reloaded_after_a_renewal(stack: Any, nginx: Any) -> None:
    certificates = stack.settings["certificates"]
    DemoAuthority(Path(certificates["ca"]).parent).renewed().install(certificates)
    try:
        checks = nginx()
        assert statuses(checks) == {**HEALTHY, "certificate.served_is_file": "critical"}
        assert "not reloaded" in checks["certificate.served_is_file"]["summary"]
    finally:
        stack.reload("nginx")
    assert statuses(nginx()) == HEALTHY


def test_nginx_is_stopped(stack: Any, nginx: Any) -> None:
    stack.stop("nginx")
    try:
        checks = nginx()
    finally:
        stack.start("nginx")
    assert statuses(checks) == {"certificate.expiry": "unknown"}
    assert "connection refused" in checks["certificate.expiry"]["summary"]
