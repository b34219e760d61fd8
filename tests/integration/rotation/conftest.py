"""A place with logs for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import RunModule
from tests.support.rotation import Place


@pytest.fixture
def place(tmp_path: Path, run_module: RunModule) -> Place:
    return Place(tmp_path, run_module)
