"""An app with packages from a registry of the tests' own, installed by the real npm."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import RunModule
from tests.support.npm_registry import Registry

#: The packages of an app whose lockfile nothing has installed.
PACKAGES = ("parser", "router", "tool")


@dataclass
class App:
    """A folder with package.json, lockfile and node_modules."""

    path: Path
    npm: Path
    registry: Registry
    run_module: RunModule

    def install(self, **sections: Any) -> None:
        """Write package.json with these sections, and install what it asks for."""
        content = {"name": "shop", "version": "1.0.0", **sections}
        (self.path / "package.json").write_text(json.dumps(content))
        self.install_again()

    def install_again(self, *options: str) -> None:
        """Install what package.json asks for."""
        command = [str(self.npm), "install", "--no-audit", "--no-fund", "--prefer-online", *options]
        command += [f"--registry={self.registry.url}", f"--cache={self.path / '.cache'}"]
        environment = {**os.environ, "NODE_ENV": ""}
        done = subprocess.run(
            command, cwd=self.path, env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def check(self, **options: Any) -> dict[str, dict[str, Any]]:
        """The checks of the module by name."""
        given = {
            "path": str(self.path),
            "npm": str(self.npm),
            "registry": self.registry.url,
            "timeout": 120,
            **options,
        }
        return {check["name"]: check for check in self.run_module("npm_check", given)["checks"]}

    def seed(self, test: str = "", newer: Iterable[str] = PACKAGES) -> None:
        """An app with a lockfile; some of its packages have a newer version within its range."""
        ranges = dict.fromkeys(PACKAGES, "^1.0.0")
        for name in PACKAGES:
            self.registry.packages[name] = {"1.0.0": {}}
            if name in newer:
                self.registry.packages[name].update({"1.1.0": {}, "2.0.0": {}})
        own = {"name": "shop", "version": "1.0.0", "dependencies": ranges}
        entries = {"": own, **{f"node_modules/{name}": self._locked(name) for name in PACKAGES}}
        lock = {"name": "shop", "version": "1.0.0", "lockfileVersion": 3, "packages": entries}
        (self.path / "package.json").write_text(json.dumps(own))
        (self.path / "package-lock.json").write_text(json.dumps(lock, indent=2))
        (self.path / "test.js").write_text(test)

    def _locked(self, name: str) -> dict[str, str]:
        dist = self.registry.packument(name)["versions"]["1.0.0"]["dist"]
        return {"version": "1.0.0", "resolved": dist["tarball"], "integrity": dist["integrity"]}

    @property
    def place(self) -> Path:
        """Where updates of this app are made and kept."""
        return self.path.parent / "updates"

    def update_options(self, **options: Any) -> dict[str, Any]:
        """Options of npm_update, for an app that a script ``test.js`` tests."""
        return {
            "path": str(self.path),
            "dest": str(self.place),
            "npm": str(self.npm),
            "registry": self.registry.url,
            "free_disk": 0,
            "commands": ["npm ci --no-audit --no-fund", "node test.js"],
            **options,
        }

    def update(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run npm_update; whatever happens, the live app must be as it was."""
        before = checksums(self.path)
        answer = self.run_module("npm_update", self.update_options(**options), check=check)
        assert checksums(self.path) == before
        assert not (self.place / "work").exists()
        return answer


def checksums(folder: Path) -> dict[str, str]:
    """What is in a folder, by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
