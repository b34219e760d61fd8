"""A small ACME authority on loopback that the real certbot talks to, and that can be told to fail.

It checks the signature, the nonce and the address of every request (RFC 8555), fetches the proof of
each challenge over HTTP, and refuses what certbot is not known to send.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.throwaway import DAY, Authority, issue, now

_ERROR = "urn:ietf:params:acme:error:"
_SECONDS = 5


class Problem(Exception):
    """What the authority answers instead."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"type": _ERROR + kind, "detail": detail, "status": status}


@dataclass
class Acme:
    """The authority: what it knows, and how it behaves."""

    authority: Authority
    port: int = 0
    http_port: int = 0
    """Where it fetches the proofs."""
    failures: dict[str, Problem] = field(default_factory=dict)
    """By resource: ``order``, ``account``, ``finalize``."""
    starts: datetime | None = None
    lifetime: Any = 90 * DAY
    issuer: Any = None
    """Who signs, if it is not the authority's intermediate."""
    issued: list[str] = field(default_factory=list)
    """Names of the certificates, in order."""
    unexpected: list[str] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)
    accounts: dict[str, dict[str, str]] = field(default_factory=dict)
    orders: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def directory(self) -> str:
        return f"{self.url}/directory"

    def nonce(self) -> str:
        made = secrets.token_urlsafe(12)
        self.nonces.add(made)
        return made

    # --- resources: each gets the number in its path, the account and the payload ---------------

    def account(self, number: int, key: dict[str, str], payload: Any) -> Any:
        url = next((url for url, known in self.accounts.items() if known == key), "")
        status = 200 if url else 201
        url = url or f"{self.url}/account/{len(self.accounts)}"
        self.accounts[url] = key
        return status, {"status": "valid", "contact": payload.get("contact", [])}, {"Location": url}

    def order(self, number: int, key: dict[str, str], payload: Any) -> Any:
        status, headers = 200, {}
        if payload is not None:
            (identifier,) = payload["identifiers"]
            number = len(self.orders)
            self.orders.append(
                {
                    "status": "pending",
                    "identifiers": [identifier],
                    "authorizations": [f"{self.url}/authorization/{number}"],
                    "finalize": f"{self.url}/finalize/{number}",
                    "token": secrets.token_urlsafe(16),
                    "challenge": "pending",
                }
            )
            status, headers = 201, {"Location": f"{self.url}/order/{number}"}
        return status, _shown(self.orders[number]), headers

    def authorization(self, number: int, key: dict[str, str], payload: Any) -> Any:
        order = self.orders[number]
        body = {
            "status": order["challenge"],
            "identifier": order["identifiers"][0],
            "challenges": [self._challenge(number)],
        }
        return 200, body, {}

    def challenge(self, number: int, key: dict[str, str], payload: Any) -> Any:
        order = self.orders[number]
        order["challenge"] = "valid"
        url = f"http://127.0.0.1:{self.http_port}/.well-known/acme-challenge/{order['token']}"
        try:
            with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
                proof = answer.read(1000).decode().strip()
            if proof != f"{order['token']}.{_thumbprint(key)}":
                raise ValueError("the key authorization file does not match")
        except (OSError, ValueError) as error:
            order["challenge"], order["status"] = "invalid", "invalid"
            order["problem"] = Problem(403, "unauthorized", f"Invalid response: {error}").body
        else:
            order["status"] = "ready"
        return (
            200,
            self._challenge(number),
            {"Link": f'<{self.url}/authorization/{number}>;rel="up"'},
        )

    def _challenge(self, number: int) -> dict[str, Any]:
        order = self.orders[number]
        body = {
            "type": "http-01",
            "status": order["challenge"],
            "url": f"{self.url}/challenge/{number}",
            "token": order["token"],
        }
        return {**body, "error": order["problem"]} if "problem" in order else body

    def finalize(self, number: int, key: dict[str, str], payload: Any) -> Any:
        order = self.orders[number]
        if order["status"] != "ready":
            raise Problem(403, "orderNotReady", f"the order is {order['status']}")
        csr = x509.load_der_x509_csr(_decode(payload["csr"]))
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        wanted = names.get_values_for_type(x509.DNSName)
        if wanted != [order["identifiers"][0]["value"]] or not csr.is_signature_valid:
            raise Problem(400, "badCSR", f"the request is for {wanted}")
        issuer = self.issuer or self.authority.intermediate
        starts = self.starts or now()
        pair = issue(
            wanted[0], issuer, names=wanted, starts=starts, lifetime=self.lifetime, key=csr
        )
        order["pem"] = pair.pem + issuer.pem
        order.update(status="valid", certificate=f"{self.url}/certificate/{number}")
        self.issued.append(wanted[0])
        return 200, _shown(order), {}

    def certificate(self, number: int, key: dict[str, str], payload: Any) -> Any:
        return 200, self.orders[number]["pem"], {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        acme: Acme = self.server.acme
        if self.path == "/directory":
            urls = {f"new{name}": f"{acme.url}/{name.lower()}" for name in ("Nonce", "Account")}
            self._answer(200, {**urls, "newOrder": f"{acme.url}/order"}, {})
        elif self.path == "/nonce":
            self._answer(200, {}, {})
        else:
            acme.unexpected.append(f"GET {self.path}")
            self._answer(404, {}, {})

    do_HEAD = do_GET  # noqa: N815 - http.server's names

    def do_POST(self) -> None:
        acme: Acme = self.server.acme
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name, _, number = self.path.strip("/").partition("/")
        try:
            key, payload = self._verified(json.loads(body))
            if name in acme.failures and payload is not None:
                raise acme.failures[name]
            answer: Callable[..., Any] = getattr(acme, name)
            if name == "account" and number:  # an account asks for itself
                payload = {}
            status, found, headers = answer(int(number or 0), key, payload)
            self._answer(status, found, headers)
        except Problem as problem:
            self._answer(problem.status, problem.body, {}, "application/problem+json")

    def _verified(self, request: dict[str, str]) -> tuple[dict[str, str], Any]:
        """The account's key, and what it signed; none for a mere question."""
        acme: Acme = self.server.acme
        header = json.loads(_decode(request["protected"]))
        if header["nonce"] not in acme.nonces:
            raise Problem(400, "badNonce", "this nonce is not known")
        acme.nonces.remove(header["nonce"])
        if header["url"] != f"{acme.url}{self.path}" or header["alg"] != "RS256":
            raise Problem(400, "malformed", f"{header['alg']} for {header['url']}")
        key = header.get("jwk") or acme.accounts.get(header["kid"])
        if key is None:
            raise Problem(400, "accountDoesNotExist", "there is no such account")
        numbers = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"]))
        signed = f"{request['protected']}.{request['payload']}".encode()
        signature = _decode(request["signature"])
        numbers.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        return key, json.loads(_decode(request["payload"])) if request["payload"] else None

    def _answer(
        self, status: int, found: Any, headers: dict[str, str], kind: str = "application/json"
    ) -> None:
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Replay-Nonce", self.server.acme.nonce())
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Tests are quiet."""


class _Server(ThreadingHTTPServer):
    acme: Acme


def _shown(order: dict[str, Any]) -> dict[str, Any]:
    """What a client sees of an order."""
    hidden = ("token", "challenge", "problem", "pem")
    return {name: value for name, value in order.items() if name not in hidden}


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: str) -> int:
    return int.from_bytes(_decode(text), "big")


def _thumbprint(key: dict[str, str]) -> str:
    """RFC 7638."""
    canonical = json.dumps({k: key[k] for k in ("e", "kty", "n")}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).decode().strip("=")


@contextmanager
def acme_server(authority: Authority) -> Iterator[Acme]:
    """The authority while it runs."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        acme = Acme(authority, server.server_address[1])
        server.acme = acme
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        try:
            yield acme
        finally:
            server.shutdown()
            thread.join()
    assert acme.unexpected == []
