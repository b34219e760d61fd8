"""cert_check where no certificate is sent, or not in time; each address of a name."""

from __future__ import annotations

import socket
import ssl
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import by_name
from tests.support.certificates import CertCheck
from tests.support.throwaway import Authority, listening, server_context, silent, tls, unused_port


def test_endpoints_that_show_no_certificate_are_unknown_with_the_reason(
    cert_check: CertCheck,
) -> None:
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
        answer = cert_check.run(
            endpoints=[*hosts, {"host": "no-such-host.invalid"}], connect_timeout=1
        )
    assert {(check["name"], check["status"]) for check in answer["checks"]} == {
        ("certificate.expiry", "unknown")
    }
    summaries = [check["summary"] for check in answer["checks"]]
    assert summaries[0] == f"connection refused: nothing listens on 127.0.0.1:{port}"
    assert "does not speak TLS" in summaries[1]
    assert "closed the connection" in summaries[2] or "dropped the connection" in summaries[2]
    assert summaries[3] == f"127.0.0.1:{mute} sent no certificate within 1 s"
    assert "no-such-host.invalid" in summaries[4]
    assert all(check["remedy"] for check in answer["checks"])


def test_the_time_limit_holds_over_all_endpoints(
    cert_check: CertCheck, authority: Authority, tmp_path: Path
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
        answer = cert_check.run(endpoints=endpoints, timeout=2, connect_timeout=1)
        took = time.monotonic() - started
    assert took < 2 + 1 + 5, (
        "the time limit, the guard's grace, and the start of Python on a busy machine"
    )
    late = [check["summary"] for check in answer["checks"] if check["status"] == "unknown"]
    assert len(late) >= 40
    assert any("not checked within the probe's 1.7" in summary for summary in late)


def test_a_server_with_old_tls_alone(
    cert_check: CertCheck, authority: Authority, tmp_path: Path
) -> None:
    context = server_context(tmp_path, authority.server(), authority.intermediate.pem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with listening(tls(context)) as port:
        checks = {
            check["name"]: check
            for check in cert_check.run(endpoints=[{"host": "127.0.0.1", "port": port}])["checks"]
        }
    if list(checks) == ["certificate.expiry"]:
        pytest.skip("this machine's OpenSSL was built without TLS 1.1")
    assert checks["certificate.expiry"]["status"] == "ok"
    assert checks["certificate.chain"]["status"] == "unknown"
    assert "TLS" in checks["certificate.chain"]["summary"]


def test_each_address_of_a_name_is_looked_at(
    cert_check: CertCheck, authority: Authority, tmp_path: Path
) -> None:
    found = dict.fromkeys(
        entry[4][0] for entry in socket.getaddrinfo("localhost", 443, type=socket.SOCK_STREAM)
    )
    with listening(
        tls(server_context(tmp_path, authority.server(), authority.intermediate.pem))
    ) as port:
        answer = cert_check.run(
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


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_requires_a_client_certificate_shows_its_own(
    cert_check: CertCheck, authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = server_context(tmp_path, authority.server(), authority.intermediate.pem)
    context.verify_mode, context.maximum_version = ssl.CERT_REQUIRED, version
    context.load_verify_locations(cert_check.ca_file)
    with listening(tls(context)) as port:
        answer = cert_check.run(
            endpoints=[{"host": "127.0.0.1", "server_name": "localhost", "port": port}]
        )
    assert {check["name"]: check["status"] for check in answer["checks"]} == dict.fromkeys(
        ("certificate.expiry", "certificate.chain", "certificate.hostname", "certificate.key"), "ok"
    )


def test_a_server_that_needs_a_name_says_so(
    cert_check: CertCheck, authority: Authority, tmp_path: Path
) -> None:
    context = server_context(tmp_path, authority.server(), authority.intermediate.pem)
    context.sni_callback = lambda _connection, name, _context: (
        None if name else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    )
    with listening(tls(context)) as port:
        one = {"host": "127.0.0.1", "port": port}
        answer = cert_check.run(endpoints=[one, {**one, "server_name": "localhost"}])
    check = by_name(answer, "certificate.expiry", f"127.0.0.1:{port}")
    assert check["status"] == "unknown"
    assert "server_name" in check["remedy"]
    check = by_name(answer, "certificate.expiry", f"localhost:{port} at 127.0.0.1")
    assert check["status"] == "ok"
