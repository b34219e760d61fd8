"""The verdicts on a host, from plain data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.assess import assess, no_answer
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.clock import Clock
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.snapshot import Snapshot
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.systemd import FailedUnits
from tests.support.host_samples import HEALTHY, verdicts


def test_a_healthy_host() -> None:
    checks = verdicts(HEALTHY)
    assert {name: check.status for name, check in checks.items()} == {
        f"host.{what}": "ok"
        for what in (
            "cpu",
            "memory",
            "disk_used",
            "filesystem_writable",
            "inodes_used",
            "load",
            "swap",
            "oom_kills",
            "clock",
        )
    }
    assert checks["host.cpu"].value == 25
    assert checks["host.cpu"].evidence == (
        {"what": "node (pid 7)", "of one processor": "50 %"},
        {"what": "tasks waiting for a processor", "of the last minute": "12.5 %"},
    )
    assert checks["host.memory"].value == 25
    assert checks["host.memory"].evidence == ({"what": "node", "memory": "1 GiB"},)
    assert checks["host.load"].value == 0.5
    assert checks["host.clock"].summary == "Synchronised, at most 20 ms off"


def test_load_is_per_processor_of_the_machine() -> None:
    check = verdicts(replace(HEALTHY, load=17.0))["host.load"]
    assert (check.status, check.value, check.summary) == (
        "critical",
        4.25,
        "Load 17.00 on 4 processors",
    )
    assert (
        verdicts(replace(HEALTHY, load=None, missing={"load": "gone"}))["host.load"].status
        == "unknown"
    )


def test_failed_units() -> None:
    check = verdicts(replace(HEALTHY, units=FailedUnits([f"{n}.service" for n in range(7)])))[
        "host.failed_units"
    ]
    assert check.status == "warning"
    assert (
        check.summary
        == "7 units failed: 0.service, 1.service, 2.service, 3.service, 4.service and 2 more"
    )
    assert len(check.evidence) == 7
    assert verdicts(replace(HEALTHY, units=FailedUnits([])))["host.failed_units"].status == "ok"
    refused = verdicts(replace(HEALTHY, units=FailedUnits((), "no bus")))["host.failed_units"]
    assert (refused.status, refused.summary) == (
        "unknown",
        "systemd did not list its failed units: no bus",
    )


@pytest.mark.parametrize(
    ("clock", "container", "status", "said"),
    [
        (Clock(True, 0.5), False, "ok", "at most 500 ms off"),
        (Clock(True, 3), False, "warning", "at most 3 s off"),
        (Clock(False, 16), False, "warning", "no time service"),
        (Clock(False, 16), True, "ok", "not judged: the host machine of this container sets it"),
        (None, True, "ok", "not judged: the host machine of this container sets it"),
        (None, False, "unknown", "Operation not permitted"),
    ],
)
def test_the_clock(clock: Clock | None, container: bool, status: str, said: str) -> None:
    check = verdicts(
        replace(
            HEALTHY,
            clock=clock,
            in_container=container,
            missing={"clock": "Operation not permitted"},
        )
    )["host.clock"]
    assert check.status == status
    assert said in check.summary
    assert bool(check.remedy) == (status != "ok")


def test_nothing_seen_is_nothing_judged() -> None:
    assert {check.status for check in assess(Snapshot(), Thresholds(CHECKS))} == {"unknown"}


def test_a_host_without_an_answer_is_critical() -> None:
    assert no_answer(Options(timeout=10), Thresholds(CHECKS)).status == "critical"
