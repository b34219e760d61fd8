"""Throw-away certificates and servers on loopback: real TLS and HTTP, with whatever faults."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


# --- certificates


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        return self.key_as(serialization.NoEncryption())

    def key_as(self, encryption: Any) -> bytes:
        encoded: bytes = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
        return encoded


def new_key(kind: str = "ec") -> Any:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    return ec.generate_private_key({"ec": ec.SECP256R1(), "p192": ec.SECP192R1()}[kind])


def issue(
    name: str,
    issuer: Pair | None = None,
    *,
    names: Sequence[str] = (),
    starts: datetime | None = None,
    lifetime: timedelta = 90 * DAY,
    authority: bool = False,
    key: Any = "ec",
    digest: Any = None,
    path_length: int | None = None,
    extensions: Sequence[x509.ExtensionType] = (),
) -> Pair:
    """A certificate, signed by the issuer or by itself; further extensions are critical."""
    own = new_key(key) if isinstance(key, str) else key
    starts = starts or now() - DAY
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.key if issuer else own
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(starts + lifetime)
    )
    constraints = x509.BasicConstraints(authority, path_length)
    builder = _with_extensions(builder, own.public_key(), signer.public_key(), constraints, names)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else digest or hashes.SHA256()
    return Pair(builder.sign(signer, algorithm), own)


def _with_extensions(
    builder: x509.CertificateBuilder,
    own_key: Any,
    issuer_key: Any,
    constraints: x509.BasicConstraints,
    names: Sequence[str],
) -> x509.CertificateBuilder:
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)
    builder = (
        builder.add_extension(constraints, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own_key), critical=False)
        .add_extension(issuer_id, critical=False)
    )
    if not names:
        return builder
    alternative = x509.SubjectAlternativeName([_alternative(one) for one in names])
    return builder.add_extension(alternative, critical=False)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass(frozen=True)
class Authority:
    """A root, and the intermediate that issues."""

    root: Pair
    intermediate: Pair

    @classmethod
    def create(cls, name: str = "Test", **intermediate: Any) -> Authority:
        root = issue(f"{name} root", authority=True, lifetime=3650 * DAY)
        return cls(
            root,
            issue(
                f"{name} intermediate",
                root,
                authority=True,
                **{"lifetime": 1825 * DAY, **intermediate},
            ),
        )

    def server(self, *names: str, **more: Any) -> Pair:
        names = names or ("localhost", "127.0.0.1")
        return issue(names[0], self.intermediate, names=names, **more)


def write(path: Path, *contents: bytes) -> str:
    path.write_bytes(b"".join(contents))
    return str(path)


# --- servers


def server_context(directory: Path, pair: Pair, *chain: bytes) -> ssl.SSLContext:
    """A server's context that sends the certificate and the given others, whatever these are."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    stem = directory / f"{pair.certificate.serial_number:x}"
    context.load_cert_chain(
        write(stem.with_suffix(".pem"), pair.pem, *chain),
        write(stem.with_suffix(".key"), pair.key_pem),
    )
    return context


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server that hands each connection to a thread; yields its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        stopped = threading.Event()

        def accept() -> None:
            while not stopped.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection: socket.socket) -> None:
            with (
                connection,
                suppress(OSError),
            ):  # the client may go at any moment; what it makes of the server is what is tested
                serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            stopped.set()
            server.shutdown(socket.SHUT_RDWR)


def tls(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    """Shows its certificate, and waits for the client to go."""

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(1)

    return serve


def silent(connection: socket.socket) -> None:
    """Accepts, and says nothing."""
    while connection.recv(4096):
        pass


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Http(BaseHTTPRequestHandler):
    """Answers from the server's table: path → (status, headers, body), or a function."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        answer = self.server.table.get(path, (404, {}, b"nothing here"))
        if callable(answer):
            answer(self)
            return
        status, headers, body = answer
        self.answer(status, headers, body)

    do_HEAD = do_GET  # noqa: N815 - http.server's names
    do_CONNECT = do_GET  # noqa: N815

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "text/html",
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Tests are quiet."""


@dataclass
class Site:
    port: int
    seen: list[tuple[str, str, dict[str, str]]]
    table: dict[str, Any]

    def url(self, path: str = "/", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes in the middle of an answer is part of the test."""


@contextmanager
def site(table: dict[str, Any], context: ssl.SSLContext | None = None) -> Iterator[Site]:
    """An HTTP server on loopback."""
    with _Server(("127.0.0.1", 0), Http) as server:
        server.seen = []  # type: ignore[attr-defined]
        server.table = table  # type: ignore[attr-defined]
        if context:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        try:
            yield Site(server.server_address[1], server.seen, table)  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()
