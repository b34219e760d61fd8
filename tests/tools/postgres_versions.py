"""Installs other major versions of PostgreSQL from npm, once, and prints their program folders.

The output is a value for POSTGRES_PROGRAMS.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from demo.packages import npm_install

ROOT = Path(__file__).resolve().parent.parent.parent


def complete(package: Path) -> Path:
    """A package's folder of programs, with the links between libraries that npm packages lack."""
    links = package / "native" / "pg-symlinks.json"
    for link in json.loads(links.read_text()) if links.exists() else ():
        source, target = package / link["source"], package / link["target"]
        if not target.is_symlink():
            target.symlink_to(os.path.relpath(source, target.parent))
    return package / "native" / "bin"


def open_to_all(modules: Path) -> Path:
    """The same, readable for every user, because the servers do not run as root."""
    if all(parent.stat().st_mode & 0o005 == 0o005 for parent in modules.parents):
        return modules
    copy = Path(tempfile.mkdtemp(prefix="postgres-versions-"))
    copy.chmod(0o755)
    return Path(shutil.copytree(modules, copy / "node_modules", symlinks=True))


def main() -> int:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        print(
            f"There are no servers of other versions for {sys.platform} on {platform.machine()}; "
            "they are tested on Linux on x86_64.",
            file=sys.stderr,
        )
        return 77
    modules = npm_install(ROOT / "tests" / "postgres", lambda words: print(words, file=sys.stderr))
    folders = [complete(package) for package in sorted(modules.glob("postgres-*"))]
    modules = open_to_all(modules)
    print(":".join(str(modules / folder.relative_to(folder.parents[2])) for folder in folders))
    return 0


if __name__ == "__main__":
    sys.exit(main())
