"""What is removed, and what is said, if the server or others behave otherwise than expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import Unreachable
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.operation import Outcome
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import Endpoint
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.flush.apply import remove
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.flush.inventory import (
    Inventory,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.flush.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.flush.plan import Snapshot
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.server import Server


@dataclass
class Fake:
    """A server with so many keys, which SCAN names in steps; FLUSHDB gets no answer."""

    keys: int
    carried_out: bool = False
    endpoint: Endpoint = field(default_factory=Endpoint)
    steps: int = 0
    silent: bool = False

    def info(self) -> dict[str, Any]:
        if self.silent:
            raise Unreachable("no answer")
        return {"role": "master", "used_memory": 1, "db0": {"keys": self.keys}}

    def ask(self, command: str, run: Callable[[Any], Any]) -> Any:
        assert command == "FLUSHDB"
        self.keys = 0 if self.carried_out else self.keys
        self.silent = not self.carried_out
        raise Unreachable("no answer")

    def ask_keys(self, command: str, run: Callable[[Any], Any], database: int = 0) -> Any:
        return run(self)

    def scan(self, cursor: int, match: str, count: int) -> tuple[int, list[bytes]]:
        return 0, [b"cart:%d" % number for number in range(self.keys)]

    def unlink(self, *keys: bytes) -> int:
        self.keys -= len(keys)
        return len(keys)


def removal(server: Fake, confirm: int, **options: Any) -> Outcome:
    outcome = Outcome(results={})
    snapshot = Snapshot({}, Inventory(), confirm, used=1)
    given = Options(server.endpoint, "flushed", confirm=confirm, pause=0, **options)
    thresholds = Thresholds(CHECKS, {})
    remove([cast("Server", server)], snapshot, given, thresholds, lambda done: None, outcome)
    return outcome


@pytest.mark.parametrize("batch", [7, 500])
def test_never_more_than_confirmed(batch: int) -> None:
    server = Fake(keys=5000)
    outcome = removal(server, 100, prefix="cart:", batch=batch)
    assert outcome.results["removed"] <= 110
    assert server.keys >= 5000 - 110
    assert "more such keys than the 100 that were confirmed" in outcome.problem


def test_a_flush_without_an_answer() -> None:
    done = removal(Fake(keys=100, carried_out=True), 100)
    assert (done.results["removed"], done.actions[0].after) == (100, {"keys": 0})
    assert "100 of 100 keys removed" in done.problem
    unknown = removal(Fake(keys=100), 100)
    assert "whether 100 keys were removed is not known" in unknown.problem
