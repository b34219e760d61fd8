"""Causes that need systemd, another host or the past; the others are tried on real servers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.programs import Program
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.units import Unit
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.errors import (
    NoAnswer,
    NotListening,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.recovery.judge import (
    evidence,
    judge,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.recovery.snapshot import (
    Snapshot,
)

DOWN = Snapshot("127.0.0.1:6379", 6379, local=True, error=NotListening("Nothing listens"))
NAME = "redis-server.service"
FAILED = Unit(NAME, active="failed", sub="failed", result="exit-code")
FULL = ("1:M * Redis is starting", "1:M # write error: No space left on device")


@pytest.mark.parametrize(
    ("seen", "cure", "text"),
    [
        (replace(DOWN, unit=FAILED), "restart", "redis-server.service is failed"),
        (replace(DOWN, unit=replace(FAILED, load="masked")), "other", "masked"),
        (replace(DOWN, unit=replace(FAILED, result="oom-kill")), "restart", "the kernel killed it"),
        (replace(DOWN, unit=replace(FAILED, active="activating")), "wait", "systemd is working"),
        (replace(DOWN, unit=FAILED, log=FULL), "other", "its disk was full"),
        (replace(DOWN, unit=FAILED, log=FULL, free=1 << 30), "restart", "has 1 GiB free now"),
        (replace(DOWN, unit=FAILED, free=0, folder="/data"), "other", "is full"),
        (
            replace(
                DOWN,
                unit=Unit(NAME, active="active", sub="running"),
                programs=[Program(5, "redis-server", "S", "")],
                ports=[6380],
            ),
            "other",
            "listens on 6380",
        ),
        (replace(DOWN, local=False), "other", "Nothing listens"),
    ],
)
def test_the_cure(seen: Snapshot, cure: str, text: str) -> None:
    cause = judge(seen)
    assert cause.cure == cure
    assert text in cause.text


@pytest.mark.parametrize(
    ("state", "cure"), [("T", "other"), ("D", "other"), ("R", "wait"), ("S", "restart")]
)
def test_one_that_does_not_answer(state: str, cure: str) -> None:
    silent = replace(
        DOWN, error=NoAnswer("no answer"), programs=[Program(5, "redis-server", state, "")]
    )
    assert judge(silent).cure == cure
    assert judge(replace(silent, programs=[])).cure == "other", "perhaps in a container"
    tunnel = replace(silent, listener="process 9 (ssh)")
    assert judge(tunnel).cure == "other", "the Redis of this host has nothing to do with it"


def test_the_evidence_has_no_secret() -> None:
    log = (">>> 'requirepass Zq7tOp'", "password=Zq7tOp", "Redis is starting")
    assert "Zq7tOp" not in str(evidence(replace(DOWN, unit=FAILED, log=log)))
