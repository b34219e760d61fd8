# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's client programs on this host: where they are, their version, how they log in."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ..core.errors import NotCollected
from ..core.processes import Command
from .url import Target

with suppress(ImportError):  # modules report that it is missing
    from psycopg2.extensions import make_dsn

#: Where packages put the programs of each version. Debian's own in PATH are a wrapper, which picks
#: a version by the clusters of the host.
FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*")
#: Seconds for a program to say its version.
SECONDS = 10
#: Section of the service file; only there can libpq take the password of a client's key from.
_SERVICE = "gpt_agent_runbook"


@dataclass(frozen=True)
class Programs:
    """The client programs of one version."""

    folder: str
    version: str
    """``15.19``."""

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def path(self, program: str) -> str:
        return os.path.join(self.folder, program)


def find_programs(server_version: int, bin_dir: str | None = None) -> Programs:
    """The oldest installed programs that are not older than the server.

    An archive can only be restored by programs that are not older than those that wrote it, so the
    server's own version is the best one. ``server_version`` is as PostgreSQL counts it: 150019.
    ``bin_dir`` is the only folder that is searched, if given. Raises `NotCollected`.
    """
    found = [programs for folder in _folders(bin_dir) if (programs := _programs(folder))]
    major = server_version // 10000
    usable = [one for one in found if one.major >= major]
    if usable:
        oldest = min(one.major for one in usable)
        # The first of several that are alike: a wrapper in PATH does not have every program.
        return max((one for one in usable if one.major == oldest), key=_parts)
    if not found:
        where = bin_dir or "PATH and the folders of the packages"
        raise NotCollected(
            f"pg_dump is not installed: there is none in {where}",
            _install(major),
        )
    newest_version = max(found, key=lambda one: one.major).version
    raise NotCollected(
        f"pg_dump {newest_version} is older than the server, which is PostgreSQL {major}",
        _install(major),
    )


def _parts(programs: Programs) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", programs.version)]


def _install(major: int) -> str:
    package = f"Debian: postgresql-client-{major}"
    return f"Install the client programs of PostgreSQL {major} ({package}), or set bin_dir."


def _folders(bin_dir: str | None) -> list[str]:
    if bin_dir:
        return [bin_dir]
    in_path = shutil.which("pg_dump")
    folders = [folder for pattern in FOLDERS for folder in glob.glob(pattern)]
    return folders + ([os.path.dirname(in_path)] if in_path else [])


def _programs(folder: str) -> Programs | None:
    program = os.path.join(folder, "pg_dump")
    if not os.access(program, os.X_OK):
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - no shell
            [program, "--version"], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"\b(\d+(?:\.\d+)?)", answer.stdout)
    return Programs(folder, version[1]) if version and not answer.returncode else None


class Login:
    """How a program logs in to a target: by libpq's own means, without a secret in its argv."""

    def __init__(self, target: Target, folder: str) -> None:
        self.target = target
        self._folder = folder

    def command(
        self,
        program: str,
        *arguments: str,
        database: str = "",
        application: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> Command:
        """A program with its connection; ``database`` is another one of the same server.

        ``settings`` are those of its sessions; their values hold no spaces.
        """
        params = {
            key: value
            for key, value in self.target.params.items()
            if key not in ("password", "sslpassword")
        }
        params["application_name"] = application or "gpt_agent.runbook"
        if database:
            params["dbname"] = database
        given = [f"-c {name}={value}" for name, value in (settings or {}).items()]
        if given:
            params["options"] = " ".join([params.get("options", ""), *given]).strip()
        environment = {}
        if "password" in self.target.params:
            environment["PGPASSWORD"] = self.target.params["password"]
        if "sslpassword" in self.target.params:
            params["service"] = _SERVICE
            environment["PGSERVICEFILE"] = os.path.join(self._folder, "service")
        return Command([program, f"--dbname={make_dsn(**params)}", *arguments], environment)


@contextmanager
def login(target: Target) -> Iterator[Login]:
    """A `Login` until the block ends; its folder is private and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="gpt-agent-runbook-") as folder:
        if "sslpassword" in target.params:
            handle = os.open(os.path.join(folder, "service"), os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(handle, "w") as stream:
                stream.write(f"[{_SERVICE}]\nsslpassword={target.params['sslpassword']}\n")
        yield Login(target, folder)
