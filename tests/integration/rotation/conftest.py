"""A place with logs for each test."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunModule
from tests.support.rotation import Place


@pytest.fixture
def place(run_module: RunModule) -> Iterator[Place]:
    """Not below pytest's own folder, which each run of pytest closes to all other users."""
    with tempfile.TemporaryDirectory(prefix="runbook-logs-") as folder:
        yield Place(Path(folder), run_module)
