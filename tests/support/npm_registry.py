"""A small npm registry on loopback that the real npm talks to, and that can be told to fail.

It serves the requests that npm makes to install, compare and audit packages, and refuses others.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

BULK = "/-/npm/v1/security/advisories/bulk"


@functools.cache  # its time is part of it, and of its checksum
def tarball(name: str, version: str) -> bytes:
    """A package that holds nothing but its package.json."""
    content = json.dumps({"name": name, "version": version}).encode()
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        member = tarfile.TarInfo("package/package.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


@dataclass
class Registry:
    """What the registry has, and how it behaves."""

    packages: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    """Dependencies by name and version; the last version is the latest."""
    advisories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    """Status by path, for requests that are to fail."""
    url: str = ""
    unexpected: list[str] = field(default_factory=list)
    """Requests that npm is not known to make."""

    def packument(self, name: str) -> dict[str, Any]:
        versions = {
            version: {
                "name": name,
                "version": version,
                "dependencies": dependencies,
                "dist": self._dist(name, version),
            }
            for version, dependencies in self.packages[name].items()
        }
        return {"name": name, "dist-tags": {"latest": list(versions)[-1]}, "versions": versions}

    def _dist(self, name: str, version: str) -> dict[str, str]:
        digest = base64.b64encode(hashlib.sha512(tarball(name, version)).digest()).decode()
        base = name.rpartition("/")[2]
        return {
            "tarball": f"{self.url}{name}/-/{base}-{version}.tgz",
            "integrity": f"sha512-{digest}",
        }


def advisory(identity: str, severity: str, versions: str, title: str) -> dict[str, Any]:
    """As the registry words an advisory."""
    return {
        "id": abs(hash(identity)) % 10**7,
        "url": f"https://github.com/advisories/{identity}",
        "title": title,
        "severity": severity,
        "vulnerable_versions": versions,
        "cwe": ["CWE-79"],
        "cvss": {"score": 9.8, "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
    }


class _Handler(BaseHTTPRequestHandler):
    """Answers from the state of its server."""

    state: Registry

    def do_GET(self) -> None:
        path = unquote(self.path)
        name, _slash, file = path.strip("/").partition("/-/")
        if path in self.state.failures:
            self._answer(self.state.failures[path], b"{}")
        elif name not in self.state.packages:
            self._answer(404, b'{"error": "not found"}')
        elif not file:
            self._answer(200, json.dumps(self.state.packument(name)).encode())
        else:
            version = file.rpartition(".")[0].rpartition("-")[2]
            self._answer(200, tarball(name, version), "application/octet-stream")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != BULK:
            self.state.unexpected.append(f"POST {self.path}")
            self._answer(404, b"{}")
        elif self.path in self.state.failures:
            self._answer(self.state.failures[self.path], b'{"error": "out of order"}')
        else:
            asked = json.loads(gzip.decompress(body))
            found = {
                name: self.state.advisories[name] for name in asked if name in self.state.advisories
            }
            self._answer(200, json.dumps(found).encode())

    def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # npm asks for many packages at once


@contextmanager
def registry() -> Iterator[Registry]:
    """A registry that is served until the block ends."""
    state = Registry()
    handler = type("Handler", (_Handler,), {"state": state})
    server = _Server(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
