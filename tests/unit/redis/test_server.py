"""What refusals mean that a server seldom makes."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import Refused
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import Endpoint
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.server import Server


@pytest.mark.parametrize("kind", [redis.exceptions.MovedError, redis.exceptions.AskError])
def test_keys_that_another_node_has(kind: type[Exception]) -> None:
    def refuse(raw: Any) -> None:
        raise kind("12182 127.0.0.1:7002")

    with pytest.raises(Refused, match="one node of a cluster, and another one has the keys"):
        Server(Endpoint("127.0.0.1", 7001), 1).ask_keys("UNLINK", refuse)
