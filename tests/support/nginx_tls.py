"""nginx with a certificate: whether it loads one, and served by it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from tests.support.chains import run
from tests.support.nginx_server import nginx, nginx_command


def _server(file: str, key_file: str) -> str:
    return f"""
        ssl_certificate {file};
        ssl_certificate_key {key_file};
        location / {{ default_type text/html; return 200 "<html>home</html>"; }}
    """


def nginx_accepts(folder: Path, file: str, key_file: str) -> tuple[bool, str]:
    """``nginx -t``."""
    done = run(*nginx_command(folder, 1, _server(file, key_file), tls=True), "-t")
    return done.returncode == 0, done.stderr


def nginx_with(folder: Path, file: str, key_file: str) -> AbstractContextManager[int]:
    """nginx that serves this certificate on loopback; yields its port."""
    return nginx(folder, _server(file, key_file), tls=True)
