"""A host of a test's own: certbot with a certificate, and the nginx that serves it on loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from tests.conftest import RunModule
from tests.support.acme import Acme
from tests.support.nginx_server import nginx_program
from tests.support.throwaway import DAY, Pair, issue, now, unused_port

NAME = "app.example.test"
_NGINX = """
daemon off;
user {user};
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{http};
        location /.well-known/acme-challenge/ {{ root {folder}/webroot; }}
    }}
    server {{
        listen 127.0.0.1:{https} ssl;
        server_name {name};
        ssl_certificate {certificate}/fullchain.pem;
        ssl_certificate_key {certificate}/privkey.pem;
        {more}
    }}
}}
"""


def certbot_program() -> str:
    """Where certbot is; empty if it is not installed."""
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return shutil.which("certbot", path=folders) or ""


@dataclass
class CertbotHost:
    """Its folder, and its servers' ports."""

    folder: Path
    acme: Acme
    run_module: RunModule
    ca_file: str
    https: int = field(default_factory=unused_port)
    http: int = field(default_factory=unused_port)

    @property
    def config_dir(self) -> Path:
        return self.folder / "letsencrypt"

    @property
    def live(self) -> Path:
        return self.config_dir / "live" / NAME

    @property
    def archive(self) -> Path:
        return self.config_dir / "archive" / NAME

    @property
    def command(self) -> list[str]:
        return [
            certbot_program(),
            f"--work-dir={self.folder}/work",
            f"--logs-dir={self.folder}/logs",
        ]

    def nginx(self, *arguments: str) -> list[str]:
        own = ["-p", str(self.folder), "-e", f"{self.folder}/error.log"]
        return [nginx_program(), *own, "-c", f"{self.folder}/nginx.conf", *arguments]

    def configure(self, more: str = "", certificate: Path | None = None) -> None:
        """Write nginx's configuration, which takes effect with the next reload."""
        text = _NGINX.format(
            folder=self.folder,
            user=pwd.getpwuid(os.getuid()).pw_name,
            http=self.http,
            https=self.https,
            name=NAME,
            certificate=certificate or self.live,
            more=more,
        )
        (self.folder / "nginx.conf").write_text(text)

    def certbot(self, *arguments: str) -> str:
        command = [*self.command, *arguments, "--non-interactive"]
        command += ["--config-dir", str(self.config_dir)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def get_certificate(self) -> None:
        self.certbot(
            *("certonly", "--agree-tos", "--register-unsafely-without-email"),
            *("--server", self.acme.directory, "--webroot", "-w", f"{self.folder}/webroot"),
            *("--domain", NAME, "--cert-name", NAME),
        )

    def versions(self) -> set[str]:
        """Where the links lead to."""
        return {os.readlink(link).rpartition("/")[2] for link in self.live.glob("*.pem")}

    def served_version(self) -> int:
        """The version that nginx serves; 0 for none of them."""
        pem = ssl.get_server_certificate(("127.0.0.1", self.https), timeout=10)
        for path in self.archive.glob("cert*.pem"):
            if ssl.PEM_cert_to_DER_cert(path.read_text()) == ssl.PEM_cert_to_DER_cert(pem):
                return int(path.stem.removeprefix("cert"))
        return 0

    def age(self, left: float, version: int = 1, **more: Any) -> None:
        """Let a version have so many of its 90 days left."""
        key = serialization.load_pem_private_key(
            (self.archive / f"privkey{version}.pem").read_bytes(), None
        )
        starts = now() - (90 - left) * DAY
        issuer: Pair = self.acme.authority.intermediate
        pair = issue(NAME, issuer, **{"names": [NAME], "starts": starts, **more}, key=key)
        for kind, content in (
            ("cert", pair.pem),
            ("chain", issuer.pem),
            ("fullchain", pair.pem + issuer.pem),
        ):
            (self.archive / f"{kind}{version}.pem").write_bytes(content)

    def hook(self, name: str, text: str, kind: str = "deploy") -> None:
        path = self.config_dir / "renewal-hooks" / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def options(self, **more: Any) -> dict[str, Any]:
        endpoint = {"host": "127.0.0.1", "port": self.https, "server_name": NAME}
        return {
            "endpoints": [{**endpoint, "file": f"{self.live}/fullchain.pem"}],
            "ca_file": self.ca_file,
            "config_dir": str(self.config_dir),
            "command": self.command,
            "check_command": self.nginx("-t"),
            "reload_command": self.nginx("-s", "reload"),
            **more,
        }

    def renew(self, check: bool = False, **more: Any) -> dict[str, Any]:
        """Run the module."""
        answer = self.run_module("cert_renewal", self.options(**more), check=check)
        assert answer["__stderr"] == ""
        return answer

    @contextmanager
    def serving(self) -> Iterator[None]:
        """nginx while it runs."""
        command = self.nginx()
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                self._wait(process)
                yield
            finally:
                process.terminate()
                process.wait(10)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.https), 1).close()
                return
            except OSError:
                assert process.poll() is None, (self.folder / "error.log").read_text()
                assert time.monotonic() < end
            time.sleep(0.02)


def done(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and status of the actions."""
    return [(action["name"].partition(".")[2], action["status"]) for action in answer["actions"]]
