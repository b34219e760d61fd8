#!/usr/bin/env python3
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the images of the staging hosts, unless they are there already: ``python
molecule/image/build.py``.

The base comes from a registry, or from debootstrap where none can be reached. How this machine
reaches its package mirror and whom it trusts goes into the images, so that hosts can install
packages where this machine can. Node.js and PM2 are those of the demo stack, fetched here. An
image's tag says what it was made of; one made of something else is removed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))
from demo import packages  # noqa: E402

REPOSITORY = "gpt-agent-runbook-staging"
HOSTS = ("app", "database")
RELEASE = "bookworm"
BASE = "debian:12"
#: More than the engine's own limits would allow where it may not raise them.
LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")


class BuildError(Exception):
    """An image could not be built; the text says why."""


def run(*command: str | Path) -> str:
    """Run a program to its end; its output is returned, and shown where it fails."""
    done = subprocess.run(
        command,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise BuildError(
            f"{done.stdout[-4000:]}\n'{' '.join(map(str, command))}' ended with exit code "
            f"{done.returncode}"
        )
    return str(done.stdout)


def succeeds(*command: str, timeout: float = 60) -> bool:
    try:
        return (
            subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
            ).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def say(text: str) -> None:
    print(f"image: {text}", flush=True)


# --- what this machine knows ----------------------------------------------------------------------


def apt_sources() -> list[str]:
    """This machine's own sources of the images' release, as lines of a sources.list; none if it
    has another system.
    """
    if not shutil.which("apt-get"):
        return []
    found = run(
        "apt-get",
        "indextargets",
        "--format",
        "$(ORIGIN)|deb $(SITE) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages",
    )
    lines = {
        line.removeprefix("Debian|") for line in found.splitlines() if line.startswith("Debian|")
    }
    return sorted(line for line in lines if line.split()[2].partition("-")[0] == RELEASE)


def apt_settings() -> str:
    """How this machine's apt gets through to its mirror: proxies, and what a frozen mirror asks
    for.
    """
    if not shutil.which("apt-config"):
        return ""
    wanted = re.compile(r'Acquire::(https?::(\S+::)?Proxy|Check-Date|Check-Valid-Until) ".+";')
    return "".join(
        f"{line}\n" for line in run("apt-config", "dump").splitlines() if wanted.fullmatch(line)
    )


def trusted() -> str:
    """The certificates that this machine trusts."""
    default = ssl.get_default_verify_paths()
    for file in (
        os.environ.get("SSL_CERT_FILE"),
        default.cafile,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
    ):
        if file and Path(file).is_file():
            return Path(file).read_text()
    return ""


def programs() -> packages.Programs:
    """The demo stack's programs, where they lie."""
    return packages.programs(lambda folder: folder)


# --- the images -----------------------------------------------------------------------------------


def lay_out(context: Path) -> str:
    """Everything the Dockerfile copies, except Node.js; returns the tag of what is made of it."""
    shutil.copytree(
        HERE, context, dirs_exist_ok=True, ignore=shutil.ignore_patterns("build.py", "__pycache__")
    )
    machine = context / "machine"
    machine.mkdir()
    shutil.move(context / "trust.py", machine)
    (machine / "sources.list").write_text("".join(f"{line}\n" for line in apt_sources()))
    (machine / "apt.conf").write_text(apt_settings())
    (machine / "ca.crt").write_text(trusted())
    digest = hashlib.sha256()
    for file in sorted(path for path in context.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(context)}\0".encode() + file.read_bytes() + b"\0")
    digest.update((packages.HERE / "package-lock.json").read_bytes())
    digest.update(run(programs().node, "--version").encode())
    return digest.hexdigest()[:12]


def add_node(context: Path) -> None:
    """Node.js, npm and PM2 as /usr/local of the app's host will have them."""
    target = context / "node" / "bin"
    target.mkdir(parents=True)
    shutil.copy2(programs().node, target / "node")
    packages.link_tree(programs().npm.parents[1], context / "node" / "lib" / "node_modules" / "npm")
    packages.link_tree(
        packages.npm_install(packages.HERE, say), context / "node" / "lib" / "pm2" / "node_modules"
    )
    (target / "npm").symlink_to("../lib/node_modules/npm/bin/npm-cli.js")
    (target / "pm2").symlink_to("../lib/pm2/node_modules/pm2/bin/pm2")


def base_image() -> str:
    """The base image's name; it is fetched, or made where no registry can be reached."""
    if succeeds("docker", "image", "inspect", BASE) or succeeds(
        "docker", "pull", "--quiet", BASE, timeout=180
    ):
        return BASE
    made = f"{REPOSITORY}:base-{RELEASE}"
    if not succeeds("docker", "image", "inspect", made):
        say(f"no registry has an answer for {BASE}; making a base with debootstrap")
        bootstrap(made)
    return made


def bootstrap(name: str) -> None:
    if os.geteuid() != 0:
        raise BuildError(
            f"{BASE} cannot be pulled, and only root can make a base image with debootstrap: "
            "connect a registry, or run this as root"
        )
    if not shutil.which("debootstrap"):
        run("apt-get", "-qq", "install", "--yes", "--no-install-recommends", "debootstrap")
    mirrors = [line.split()[1] for line in apt_sources() if line.split()[2] == RELEASE]
    with tempfile.TemporaryDirectory(prefix="gpt-agent-runbook-base-") as parent:
        root = Path(parent) / "root"
        # Without a mirror of our own, debootstrap's own default.
        run("debootstrap", "--variant=minbase", RELEASE, root, *mirrors[:1])
        shutil.rmtree(root / "var" / "cache" / "apt" / "archives", ignore_errors=True)
        archive = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
        try:
            subprocess.run(
                ["docker", "import", "-", name],
                stdin=archive.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        finally:
            archive.wait()


def remove_others(names: Sequence[str]) -> None:
    """Remove the images of earlier checkouts, except those that a container needs."""
    listed = run(
        "docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY
    ).split()
    for old in set(listed) - {*names, f"{REPOSITORY}:base-{RELEASE}"}:
        succeeds("docker", "image", "rm", old)


def build() -> None:
    with tempfile.TemporaryDirectory(prefix="gpt-agent-runbook-image-") as directory:
        context = Path(directory)
        tag = lay_out(context)
        names = {host: f"{REPOSITORY}:{host}-{tag}" for host in HOSTS}
        missing = [
            host for host, name in names.items() if not succeeds("docker", "image", "inspect", name)
        ]
        if missing:
            base = base_image()
            add_node(context)
            for host in missing:
                say(f"building {names[host]}")
                run(
                    "docker",
                    "build",
                    "--network",
                    "host",
                    *LIMITS,
                    "--build-arg",
                    f"BASE={base}",
                    "--target",
                    host,
                    "--tag",
                    names[host],
                    directory,
                )
        for host, name in names.items():
            run("docker", "tag", name, f"{REPOSITORY}:{host}")
        remove_others([*names.values(), *(f"{REPOSITORY}:{host}" for host in HOSTS)])


if __name__ == "__main__":
    try:
        build()
    except (BuildError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"image: {error}")
