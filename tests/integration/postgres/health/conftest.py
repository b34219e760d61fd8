"""pg_health against the stack's server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.postgres import Server
from tests.support.postgres_probe import Ask


@pytest.fixture
def server(stack: Any) -> Server:
    return Server(stack)


@pytest.fixture
def ask(server: Server, run_module: RunModule, tmp_path: Path) -> Ask:
    """Run the module as the app's user, with a state folder of the test's own."""

    def run(url: str | None = None, *, check: bool = False, **options: Any) -> dict[str, Any]:
        answer = run_module(
            "pg_health",
            {"database_url": url or server.url(), "state_dir": str(tmp_path / "state"), **options},
            check=check,
        )
        assert answer.get("changed") is False, answer
        assert "warnings" not in answer, answer["warnings"]
        said = json.dumps(answer)
        assert server.own["password"] not in said
        assert server.own["admin_password"] not in said
        return answer

    return run
