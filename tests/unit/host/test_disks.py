"""The verdicts on disks, from plain data."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.disks import assess_disks
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.mounts import Mount


def disk(fs_type: str = "ext4", **more: Any) -> list[Check]:
    mounts = [Mount("/data", fs_type, "/dev/vdb", **more)]
    thresholds = Thresholds(CHECKS, {"host.disk_used /data": {"warning": 50}})
    return list(assess_disks(mounts, thresholds))


def test_disk_verdicts() -> None:
    (check,) = disk(size=200, used=101, free=99)
    assert (check.status, check.value, check.subject) == ("warning", 50.5, "/data")
    (full,) = disk(size=200, used=200, free=0, read_only=True, inodes=9, inodes_free=0)
    assert (full.status, full.value) == ("ok", 100)
    assert full.not_judged == "it is read-only, so it cannot fill up"
    _, inodes = disk(size=200, used=1, free=199, inodes=1000, inodes_free=50)
    assert (inodes.name, inodes.status, inodes.value) == ("host.inodes_used", "critical", 95)
    (dead,) = disk(problem="No answer in time", remedy="Check the server.")
    assert (dead.status, dead.summary, dead.remedy) == (
        "unknown",
        "No answer in time",
        "Check the server.",
    )
    assert disk(problem="Cannot be used", unusable=True)[0].status == "critical"


def test_the_remedy_suits_what_fills_up() -> None:
    full: dict[str, Any] = {"size": 100, "used": 95, "free": 5}
    assert "Clean logs" in disk(**full)[0].remedy
    assert "mount -o remount,size=SIZE /data" in disk("tmpfs", **full)[0].remedy
    boot = Mount("/boot", "ext4", "/dev/vda2", **full)
    assert "old kernels" in next(assess_disks([boot], Thresholds(CHECKS))).remedy


def test_inodes_that_follow_free_space_are_not_judged_twice() -> None:
    """XFS calls as many inodes free as fit into free space, and at most a share of the disk."""
    for used, checks in ((8996, 1), (1, 2)):
        sizes = {"size": 9000 * 1024, "used": used * 1024, "free": (9000 - used) * 1024}
        assert len(disk("xfs", **sizes, inodes=99, inodes_free=9)) == checks
