"""cert_check and PostgreSQL's way into TLS."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from demo.tls import PostgresTls
from tests.conftest import RunModule
from tests.support.certificates import CertCheck, said
from tests.support.throwaway import Authority, listening, server_context


def test_postgres_that_offers_no_tls(cert_check: CertCheck, stack: Any) -> None:
    """The demo's PostgreSQL is built without TLS, so its answer to the request is a real 'N'."""
    own = stack.settings["postgres"]
    answer = cert_check.run(
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


def test_what_is_not_postgres(cert_check: CertCheck) -> None:
    def http(connection: socket.socket) -> None:
        connection.recv(8)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def gone(connection: socket.socket) -> None:
        connection.recv(8)

    with listening(http) as first, listening(gone) as second:
        answer = cert_check.run(
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
    cert_check: CertCheck, authority: Authority, tmp_path: Path
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
        answer = cert_check.run(endpoints=[{**one, "starttls": "postgres_direct"}, one])
    assert {check["status"] for check in answer["checks"]} == {"ok"}
    assert sorted(map(str, chosen)) == ["None", "postgresql"]
