"""An app under Docker Compose that every test leaves as it found it: v1.1.0 after v1.0.0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunModule
from tests.support import compose_app
from tests.support.compose_app import ComposeApp, Images, Registry


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    reason = compose_app.missing()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("docker")
    compose_app.use_plugin(folder / "config")
    registry = Registry(folder / "registry")
    registry.start()
    found = Images(folder / "images", registry)
    try:
        for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
            found.make(version)
        yield found
    finally:
        found.remove()
        registry.stop()


@pytest.fixture
def app(images: Images, run_module: RunModule, tmp_path: Path) -> Iterator[ComposeApp]:
    found = ComposeApp(tmp_path, images, run_module)
    found.write(APP_IMAGE=f"{images.repository}:v1.0.0")
    try:
        found.up()
        yield found
    finally:
        found.remove()
