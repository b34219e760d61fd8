"""The demo app's releases, which every test leaves as it found them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.stack import Stack
from tests.conftest import RunModule
from tests.support.releases import Releases


@pytest.fixture(scope="session")
def all_releases(
    stack: Stack, run_module: RunModule, tmp_path_factory: pytest.TempPathFactory
) -> Releases:
    return Releases(stack, run_module, tmp_path_factory.mktemp("releases"))


@pytest.fixture
def releases(all_releases: Releases) -> Iterator[Releases]:
    yield all_releases
    all_releases.reset()
