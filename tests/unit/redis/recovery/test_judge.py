"""Causes that need systemd, another host or the past; the others are tried on real servers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.files import Room
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.programs import Program
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.units import Unit
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.errors import (
    CommandRefused,
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
NEVER = replace(FAILED, never_ready=True)
OLD = ("1:M * Redis is starting", "Ready to accept connections", "Received SIGTERM", "bye bye")
NO_FILE = ("Fatal error, can't open config file '/etc/redis/redis.conf': Permission denied",)
BIND = (
    "1:M # Could not create server TCP listening socket 192.0.2.9:6379: bind: Cannot assign "
    "requested address",
    "1:M # Failed listening on port 6379 (TCP), aborting.",
)
TLS = (
    "1:M # Failed to load certificate: /etc/redis/tls/cert.pem: error:80000002:system library",
    "1:M # Failed to configure TLS. Check logs for more info.",
)
ACL = ("1:M # Aborting Redis startup because of ACL errors: users.acl:1: Syntax error. ",)
OTHER = ("process 5, on 127.0.0.1:6380",)
FULL = ("1:M * Redis is starting", "1:M # write error: No space left on device")


@pytest.mark.parametrize(
    ("seen", "cure", "text"),
    [
        (replace(DOWN, unit=FAILED), "restart", "redis-server.service is failed"),
        (replace(DOWN, unit=replace(FAILED, load="masked")), "other", "masked"),
        (replace(DOWN, unit=replace(FAILED, result="oom-kill")), "restart", "the kernel killed it"),
        (replace(DOWN, unit=replace(FAILED, active="activating")), "wait", "systemd is working"),
        (replace(DOWN, unit=FAILED, log=FULL), "other", "its disk was full"),
        (replace(DOWN, unit=FAILED, log=FULL, room=Room(1 << 30)), "restart", "has 1 GiB free now"),
        (replace(DOWN, unit=FAILED, room=Room(0), folder="/data"), "other", "is full"),
        (replace(DOWN, room=Room(1 << 30, files=0), folder="/data"), "other", "no more files"),
        (replace(DOWN, room=Room(1 << 30, 9, True), folder="/data"), "other", "is read-only"),
        (replace(DOWN, unit=FAILED, log=OLD), "restart", "it was stopped"),
        (replace(DOWN, unit=NEVER, log=OLD), "other", "does not start"),
        (replace(DOWN, unit=NEVER, log=OLD, corrected=True), "restart", "is down"),
        (replace(DOWN, unit=replace(NEVER, result="oom-kill")), "other", "while it starts"),
        (replace(DOWN, unit=replace(FAILED, unmet=True)), "other", "a condition of"),
        (replace(DOWN, unit=FAILED, log=ACL, corrected=True), "restart", "were changed since"),
        (replace(DOWN, unit=FAILED, log=OLD, said=NO_FILE), "other", "lacks permission"),
        (replace(DOWN, unit=FAILED, log=TLS), "other", "certificate or key cannot be loaded"),
        (replace(DOWN, unit=FAILED, log=ACL), "other", "its users (ACL) have an error"),
        (replace(DOWN, unit=FAILED, log=BIND, absent="192.0.2.9"), "other", ": 192.0.2.9"),
        (replace(DOWN, unit=FAILED, log=BIND), "restart", "and has now"),
        (replace(DOWN, unit=NEVER), "other", "Redis does not start: redis-server.service is"),
        (replace(DOWN, unit=replace(NEVER, result="timeout")), "other", "TimeoutStartSec"),
        (
            replace(DOWN, unit=replace(NEVER, active="activating", sub="auto-restart", restarts=4)),
            "other",
            "started again 4 times",
        ),
        (replace(DOWN, unit=replace(FAILED, load="bad-setting")), "other", "unit file"),
        (
            replace(
                DOWN,
                unit=Unit(NAME, active="active", sub="running"),
                running=["process 5, on 127.0.0.1:6380"],
            ),
            "other",
            "but Redis runs: process 5, on 127.0.0.1:6380",
        ),
        (replace(DOWN, running=OTHER), "restart", "another Redis runs here)"),
        (replace(DOWN, running=OTHER, kills=["redis-server"]), "restart", "Redis is down (nothing"),
        (replace(DOWN, kills=["redis-server"]), "restart", "the kernel killed it"),
        (replace(DOWN, running=OTHER, configured=True), "restart", "Redis is down"),
        (replace(DOWN, running=OTHER, configured=False), "other", "but Redis runs"),
        (replace(DOWN, running=OTHER, similar=OTHER), "other", "but Redis runs"),
        (replace(DOWN, running=OTHER, similar=OTHER, configured=True), "other", "but Redis runs"),
        (replace(DOWN, running=OTHER, unclear=OTHER), "other", "but Redis runs"),
        (replace(DOWN, running=OTHER, unclear=OTHER, configured=True), "restart", "Redis is down"),
        (replace(DOWN, running=OTHER, unit=FAILED), "restart", "redis-server.service is failed"),
        (replace(DOWN, room=Room(9 << 20), folder="/data"), "other", "is full (9 MiB left)"),
        (replace(DOWN, room=Room(9 << 20), folder="/data", needed=8 << 20), "restart", "is down"),
        (replace(DOWN, error=CommandRefused("no INFO")), "nothing", "is not known: no INFO"),
        (replace(DOWN, error=CommandRefused("no"), local=False), "nothing", "is not known"),
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
    program = Program(5, "redis-server", state, "")
    silent = replace(DOWN, error=NoAnswer("no answer"), serving=program, running=OTHER)
    assert judge(silent).cure == cure
    assert judge(replace(silent, serving=None)).cure == "other", "a container, or a tunnel"


def test_others_on_this_host_are_listed_once() -> None:
    cause = judge(replace(DOWN, running=OTHER))
    assert "process 5" not in cause.text, "the action repeats it"
    assert "name what runs (process 5, on 127.0.0.1:6380)" in cause.remedy


def test_what_cannot_be_seen_is_unknown() -> None:
    writable = Check("redis.writable", "unknown", "Whether the cluster is up is not known")
    for error in (None, CommandRefused("no INFO"), NotCollected("no permission for the socket")):
        assert judge(replace(DOWN, error=error, writable=writable)).unknown


def test_the_evidence_has_no_secret() -> None:
    log = (
        ">>> 'requirepass Zq7tOp'",
        "password=Zq7tOp",
        "Error in user declaration 'Zq7tOp's own': Syntax error",
        "users.acl:1: Error in applying operation '+foo>Zq7tOp': Unknown command. ",
    )
    for seen in (replace(DOWN, unit=FAILED, log=log), replace(DOWN, unit=FAILED, said=log)):
        assert "Zq7tOp" not in str(evidence(seen))
        assert "Syntax error" in str(evidence(seen))
