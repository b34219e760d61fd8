"""A simulated Vercel, and the module asked of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.vercel import TOKEN, VALUE, Vercel, simulator
from tests.support.vercel_answers import NAME, SLUG
from tests.support.web import DIRECT

#: Runs vercel_deployment: ``deployment("rolled_back", rollback_to="…", check=True)``.
Deployment = Callable[..., dict[str, Any]]


@pytest.fixture
def vercel() -> Iterator[Vercel]:
    with simulator() as service:
        yield service
        assert service.violations == []


@pytest.fixture
def deployment(vercel: Vercel, run_module: RunModule, tmp_path: Path) -> Deployment:
    """Neither the token nor a variable's value may be in what it answers, whatever happens."""

    def run(state: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        given: dict[str, Any] = {
            "project": NAME,
            "team": SLUG,
            "token": TOKEN,
            "api_url": vercel.address,
            "record_dir": str(tmp_path / "state"),
            "bake": 0,
            "start_within": 0.3,
            "state": state,
            "_ansible_diff": True,
            "_ansible_verbosity": 4,
            **options,
        }
        answer = run_module("vercel_deployment", given, check=check, env=DIRECT)
        assert TOKEN not in json.dumps(answer)
        assert VALUE not in json.dumps(answer)
        return answer

    return run
