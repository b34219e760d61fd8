"""The endpoint and the client."""

from __future__ import annotations

import pytest
import redis

from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import (
    Endpoint,
    connect,
)
from tests.support.throwaway import unused_port


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        (Endpoint("127.0.0.1"), True),
        (Endpoint("localhost"), True),
        (Endpoint(path="/s"), True),
        (Endpoint("db1"), False),
    ],
)
def test_local(endpoint: Endpoint, local: bool) -> None:
    assert endpoint.local is local


def test_a_client_tries_once_and_gives_up_in_time() -> None:
    client = connect(
        Endpoint("127.0.0.1", unused_port(), database=3, username="u", password="p"), 0.5
    )
    options = client.connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.5, 0.5)
    assert options["retry"].get_retries() == 0
    with pytest.raises(redis.ConnectionError):
        client.ping()
