"""nginx with a certificate: whether it loads one, and served by it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo import packages
from tests.support.chains import run
from tests.support.throwaway import unused_port, write

_CONFIGURATION = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr; events {{}}
http {{
  access_log off;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {file};
    ssl_certificate_key {key_file};
    location / {{ default_type text/html; return 200 "<html>home</html>"; }}
  }}
}}
"""


def _command(folder: Path, file: str, key_file: str, port: int) -> list[str]:
    program = packages.programs(lambda package: package).nginx
    (folder / "logs").mkdir(exist_ok=True)
    text = _CONFIGURATION.format(folder=folder, port=port, file=file, key_file=key_file)
    configuration = write(folder / "nginx.conf", text.encode())
    return [str(program), "-p", str(folder), "-c", configuration]


def nginx_accepts(folder: Path, file: str, key_file: str) -> tuple[bool, str]:
    """``nginx -t``."""
    done = run(*_command(folder, file, key_file, 1), "-t")
    return done.returncode == 0, done.stderr


@contextmanager
def nginx_with(folder: Path, file: str, key_file: str) -> Iterator[int]:
    """nginx that serves this certificate on loopback; yields its port."""
    port = unused_port()
    command = _command(folder, file, key_file, port)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait(process, folder / "nginx.pid")
            yield port
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[str], pid_file: Path) -> None:
    """nginx listens before it writes its pid."""
    end = time.monotonic() + 10
    while not pid_file.exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < end, "nginx did not start within 10 s"
        time.sleep(0.01)
