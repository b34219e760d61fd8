"""A database of a test's own, for every file of tests whose `server` it lies on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import Server, Throwaway, database


@pytest.fixture
def server(own: Throwaway) -> Server:
    """The file's own server; a file that tests another one has a fixture of this name itself."""
    return Server(own)


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database that the app's user owns."""
    with database(server, f"db_{abs(hash(request.node.nodeid)) % 10**9}") as made:
        yield made
