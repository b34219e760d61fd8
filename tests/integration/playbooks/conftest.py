"""The daily checklist for the tests of playbooks."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from demo.stack import Stack
from tests.support.checklist import Checklist, quiet, run_checklist


@pytest.fixture
def checklist(stack: Stack, tmp_path: Path) -> Checklist:
    """``checklist("-e", "...", inventory=..., cwd=...)``."""
    return functools.partial(run_checklist, stack, tmp_path)


@pytest.fixture
def healthy(stack: Stack) -> Stack:
    quiet(stack)
    return stack
