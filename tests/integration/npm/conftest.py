"""What the tests of npm_check share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunModule
from tests.support.demo import npm_program
from tests.support.npm_app import App
from tests.support.npm_registry import registry


@pytest.fixture
def app(run_module: RunModule, tmp_path: Path) -> Iterator[App]:
    with registry() as served:
        folder = tmp_path / "app"
        folder.mkdir()
        yield App(folder, npm_program(tmp_path), served, run_module)
        assert served.unexpected == []
