"""Calls maintenance_run as the role does, in a folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.maintenance_runs import HERE

Step = Callable[..., dict[str, Any]]


@pytest.fixture
def step(run_module: RunModule, tmp_path: Path) -> Step:
    """``step("part", "r1", part="logs", observed={...})``"""

    def call(
        state: str, run: str = "", *, check: bool = False, observed: Any = (), **given: Any
    ) -> dict[str, Any]:
        seen = {"host": "app1", "run": run, "alone": True, **dict(observed)}
        args = {"controller": HERE, **given, "state": state, "observed": seen}
        return run_module("maintenance_run", {"state_dir": str(tmp_path), **args}, check=check)

    return call
