"""The demo's app as images: its versions, and the demo's Node.js with the libraries it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from demo import packages
from demo.repository import ensure_repository
from tests.support.compose_app import BUSYBOX, Registry, docker

PATH = "/api/health"
_NODE = """FROM scratch
COPY . /
"""
_APP = f"""FROM runbook-test-node
COPY . /srv/app/
WORKDIR /srv/app
ENV HOST=0.0.0.0
EXPOSE 3000
HEALTHCHECK --interval=1s --timeout=3s --retries=3 CMD ["/bin/busybox", "wget", "-q", "-O", \\
  "/dev/null", "http://127.0.0.1:3000{PATH}"]
CMD ["/bin/node", "server.js"]
"""
COMPOSE = """services:
  app:
    image: {image}
    environment:
      DATABASE_URL: postgresql://app:swordfish-and-chips@127.0.0.1:1/app
      REDIS_URL: redis://127.0.0.1:1
      APP_URL: http://localhost
      PORT: "3000"
    ports: ["127.0.0.1:{port}:3000"]
    restart: unless-stopped
    ulimits: {{nofile: 4096, nproc: 4096}}
"""


class DemoImages:
    """Each version in a registry, and nowhere else."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        self._folder, self._git = folder, folder / "repository"
        self.repository = f"127.0.0.1:{registry.port}/demo"
        ensure_repository(self._git)
        root = folder / "root"
        (root / "bin").mkdir(parents=True)
        node, _npm = packages.node_and_npm()
        shutil.copy(node, root / "bin" / "node")
        shutil.copy(BUSYBOX, root / "bin" / "busybox")
        for library in _libraries(node):
            target = root / library.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)  # what a link leads to
        _build("runbook-test-node", _NODE, root)

    def make(self, version: str) -> None:
        """Build the image of a tag in the app's repository, and push it."""
        app = self._folder / "app"
        shutil.rmtree(app, ignore_errors=True)
        app.mkdir()
        archive = subprocess.run(
            ["git", "archive", version], cwd=self._git, check=True, capture_output=True
        )
        subprocess.run(["tar", "-x"], cwd=app, input=archive.stdout, check=True)
        modules = packages.npm_install(packages.HERE / "app", lambda words: None)
        shutil.copytree(modules, app / "node_modules", symlinks=True)
        node, _npm = packages.node_and_npm()
        subprocess.run([node, "scripts/build.js"], cwd=app, check=True, capture_output=True)
        name = f"{self.repository}:{version}"
        _build(name, _APP, app)
        docker("push", "--quiet", name)
        docker("image", "rm", "--force", name)

    def remove(self) -> None:
        names = docker("images", "--quiet", "--no-trunc", self.repository).split()
        names = [*dict.fromkeys(names), "runbook-test-node"]
        docker("image", "rm", "--force", *names, check=False)


def _build(name: str, recipe: str, folder: Path) -> None:
    """An image of the files in a folder."""
    file = folder.with_suffix(".dockerfile")
    file.write_text(recipe)
    docker("build", "--quiet", "--tag", name, "--file", str(file), str(folder))


def _libraries(program: Path) -> list[Path]:
    """The shared libraries of a program, and its loader."""
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]
