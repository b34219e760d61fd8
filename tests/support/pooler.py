"""PgBouncer before a server; and anything that refuses connections with an error of its own."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg2
import pytest

from demo.processes import Identity, wait_until
from tests.conftest import ROOT
from tests.support.postgres import Server
from tests.support.throwaway import listening, unused_port

#: Where Debian's package is unpacked if PgBouncer is not installed; that needs no root.
UNPACKED = ROOT / ".cache" / "pgbouncer"
LIBRARIES = ("libevent-2.1-7", "libevent-2.1-7t64", "libcares2", "libc-ares2")


def find_pgbouncer() -> Path:
    """The program, downloaded with apt-get if need be; skips the test where that fails."""
    for name in ("pgbouncer", "/usr/sbin/pgbouncer"):
        if found := shutil.which(name):
            return Path(found)
    program = UNPACKED / "usr" / "sbin" / "pgbouncer"
    if not program.exists():
        _unpack()
    if not program.exists():
        pytest.skip("PgBouncer is not installed, and apt-get cannot download it")
    return program


def _unpack() -> None:
    packages = UNPACKED.with_name(f"pgbouncer-{os.getpid()}")
    packages.mkdir(parents=True)
    try:
        for name in ("pgbouncer", *LIBRARIES):
            command = ["apt-get", "download", "-o", "APT::Sandbox::User=", name]
            subprocess.run(command, cwd=packages, capture_output=True, timeout=60, check=False)
        for package in packages.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, packages / "root"], timeout=60, check=False)
        if (packages / "root").exists() and not UNPACKED.exists():
            (packages / "root").rename(UNPACKED)
    except (OSError, subprocess.TimeoutExpired):
        pass
    finally:
        shutil.rmtree(packages, ignore_errors=True)


class Pooler:
    """PgBouncer in transaction mode, before a server that need not be there."""

    def __init__(self, server: Server, folder: Path, behind: int, **settings: str | int) -> None:
        self.server, self.folder, self.port = server, folder, unused_port()
        own = server.own
        given = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "pidfile": folder / "pid",
            "logfile": folder / "log",
            "auth_type": "scram-sha-256",
            "auth_file": folder / "users",
            "pool_mode": "transaction",
            "server_login_retry": 1,
            "admin_users": own["user"],
            **settings,
        }
        database = f"{own['database']} = host={own['host']} port={behind} dbname={own['database']}"
        lines = ["[databases]", database, "[pgbouncer]", *(f"{k} = {v}" for k, v in given.items())]
        folder.mkdir()
        (folder / "ini").write_text("\n".join(lines) + "\n")
        (folder / "users").write_text(f'"{own["user"]}" "{own["password"]}"\n')
        self.identity = Identity.choose()

    def start(self) -> None:
        program = find_pgbouncer()
        libraries = program.parents[1] / "lib"
        env = {
            "PATH": os.defpath,
            "LD_LIBRARY_PATH": ":".join(map(str, sorted(libraries.glob("*-linux-gnu*"))))
            if UNPACKED in program.parents
            else "",
        }
        self.identity.own(self.folder)
        command = [program, "-d", "-q", self.folder / "ini"]
        self.identity.launch(command, env=env, log=self.folder / "out", cwd=self.folder)
        assert wait_until(self._listens, 10), (self.folder / "log").read_text()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        pid = (self.folder / "pid").read_text().strip()
        self.identity.run(["kill", pid], env={"PATH": os.defpath}, check=False)

    def url(self, user: str = "", password: str = "", database: str = "", **params: str) -> str:
        own = self.server.own
        login = f"{quote(user or own['user'])}:{quote(password or own['password'])}"
        where = f"127.0.0.1:{self.port}/{quote(database or own['database'])}"
        return f"postgresql://{login}@{where}" + (f"?{urlencode(params)}" if params else "")

    @contextmanager
    def client(self) -> Iterator[object]:
        """A client in the middle of a transaction."""
        connection = psycopg2.connect(self.url())
        try:
            connection.cursor().execute("SELECT 1")
            yield connection
        finally:
            connection.close()


@contextmanager
def pooler(
    server: Server, folder: Path, behind: int = 0, **settings: str | int
) -> Iterator[Pooler]:
    """PgBouncer before a server, or before a port where nothing listens."""
    made = Pooler(server, folder, behind or server.own["port"], **settings)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def error_packet(
    state: str,
    text: str,
    severity: str = "FATAL",
    encoding: str = "utf-8",
    routine: str = "",
    hint: str = "",
) -> bytes:
    """An error as PostgreSQL's protocol has it, without the place in the source by default."""
    fields = {"S": severity, "V": "FATAL", "C": state, "M": text}
    if hint:
        fields["H"] = hint
    if routine:
        fields.update(F="file.c", L="1", R=routine)
    body = b"".join(key.encode() + value.encode(encoding) + b"\0" for key, value in fields.items())
    return b"E" + struct.pack("!I", len(body) + 5) + body + b"\0"


@contextmanager
def refusing(packet: bytes) -> Iterator[int]:
    """A port that answers every request for a session with an error; offers no TLS."""

    def serve(connection: socket.socket) -> None:
        while len(size := connection.recv(4)) == 4:
            request = connection.recv(struct.unpack("!I", size)[0] - 4)
            if request[:4] in (struct.pack("!I", 80877103), struct.pack("!I", 80877104)):
                connection.sendall(b"N")
                continue
            connection.sendall(packet)
            connection.shutdown(socket.SHUT_WR)
            time.sleep(0.05)
            return

    with listening(serve) as port:
        yield port
