"""Would a write succeed? The verdicts, from plain data."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.fstab import Declared
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.mounts import Canary, Mount
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.writable import (
    assess_writable,
)

WRITABLE = Declared("/etc/fstab", "", read_only=False, at_boot=True, optional=False)
OPTIONAL = Declared("/etc/fstab", "", read_only=False, at_boot=True, optional=True)
READ_ONLY = Declared("/etc/fstab", "", read_only=True, at_boot=True, optional=False)


def judge(*, in_container: bool = False, **more: Any) -> Check:
    facts = {"fs_type": "ext4", "source": "/dev/vdb", "size": 9, "free": 5, **more}
    (check,) = assess_writable(
        [Mount("/data", **facts)], Thresholds(CHECKS), in_container=in_container
    )
    return check


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, "ok"),
        ({"stopped": "emergency_ro"}, "critical"),
        ({"read_only": True, "turned": True}, "critical"),
        ({"read_only": True, "turned": True, "device_read_only": True}, "ok"),
        (
            {"read_only": True, "turned": True, "device_read_only": True, "declared": WRITABLE},
            "critical",
        ),
        ({"read_only": True, "turned": True, "in_container": True, "whole": False}, "ok"),
        (
            {"read_only": True, "turned": True, "in_container": True, "whole": False, "errors": 1},
            "critical",
        ),
        ({"read_only": True, "declared": WRITABLE}, "critical"),
        ({"read_only": True, "declared": READ_ONLY}, "ok"),
        ({"read_only": True}, "ok"),
        ({"read_only": True, "free": 0}, "ok"),
        ({"free": 0}, "critical"),
        ({"inodes": 9, "inodes_free": 0}, "critical"),
        ({"inodes": 0, "inodes_free": 0}, "ok"),
        ({"errors": 3, "last_error": 1e9}, "warning"),
        ({"canary": Canary(problem="A write fails: x", failed=True)}, "critical"),
        ({"canary": Canary(problem="This user lacks permission")}, "unknown"),
        ({"canary": Canary(0.01)}, "ok"),
        ({"fs_type": "", "declared": WRITABLE, "problem": "Not mounted"}, "critical"),
        ({"fs_type": "", "declared": OPTIONAL, "problem": "Not mounted"}, "warning"),
        ({"problem": "Cannot be used"}, "critical"),
        ({"problem": "No answer in time", "hangs": True}, "warning"),
    ],
)
def test_the_verdict(facts: dict[str, Any], status: str) -> None:
    unusable = {"unusable": True} if "problem" in facts else {}
    assert judge(**facts, **unusable).status == status


def test_a_mount_that_could_not_be_asked_has_no_second_verdict() -> None:
    mount = Mount("/data", "nfs", "server:/x", problem="No answer in time")
    assert not list(assess_writable([mount], Thresholds(CHECKS)))


def test_the_remedy_suits_the_file_system() -> None:
    assert "fsck -f /dev/vdb" in judge(stopped="emergency_ro").remedy
    assert "xfs_repair" in judge(fs_type="xfs", stopped="Input/output error").remedy
    assert "btrfs check" in judge(fs_type="btrfs", read_only=True, turned=True).remedy
    text = judge(stopped="emergency_ro", errors=2, last_error=1e9).summary
    assert text.endswith("2 errors recorded since the last repair, the last at 2001-09-09 01:46Z")
