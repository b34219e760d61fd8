"""The verdicts on disks, from plain data."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.disks import assess_disks
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.mounts import Mount


def disk(**more: Any) -> list[Check]:
    mounts = [Mount("/data", "xfs", "/dev/vdb", **more)]
    thresholds = Thresholds(CHECKS, {"host.disk_used /data": {"warning": 50}})
    return list(assess_disks(mounts, thresholds))


def test_disk_verdicts() -> None:
    (check,) = disk(size=200, used=101, free=99)
    assert (check.status, check.value, check.subject) == ("warning", 50.5, "/data")
    assert "mounted read-only" in disk(size=200, used=1, free=199, read_only=True)[0].summary
    _, inodes = disk(size=200, used=1, free=199, inodes=1000, inodes_free=50)
    assert (inodes.name, inodes.status, inodes.value) == ("host.inodes_used", "critical", 95)
    (dead,) = disk(problem="No answer in time", remedy="Check the server.")
    assert (dead.status, dead.summary, dead.remedy) == (
        "unknown",
        "No answer in time",
        "Check the server.",
    )
    assert disk(problem="Cannot be used", unusable=True)[0].status == "critical"
