"""An app with packages from a registry of the tests' own, installed by the real npm."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import RunModule
from tests.support.npm_registry import Registry


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
