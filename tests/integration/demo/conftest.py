"""A stack that a test may maltreat."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stack import Stack
from tests.support.demo import traces


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stack]:
    """A stack that a test may maltreat; not up yet."""
    stack = Stack(tmp_path / "own")
    yield stack
    stack.down(purge=True)
    assert traces(tmp_path) == []
