"""The probe of this host, with a state of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.host_probe import Ask


@pytest.fixture
def ask(run_module: RunModule, tmp_path: Path) -> Ask:
    def run(*, check: bool = False, **options: Any) -> dict[str, Any]:
        return run_module(
            "host_health",
            {"state_dir": str(tmp_path / "state"), "cpu_interval": 0.1, **options},
            check=check,
        )

    return run
