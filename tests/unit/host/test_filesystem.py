"""What sysfs says about a file system."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.filesystem import inspect
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.mounts import Mount


def test_errors_are_those_of_the_disk_by_its_number(tmp_path: Path) -> None:
    disk = tmp_path / "sys/devices/dm-0"
    recorded = tmp_path / "sys/fs/ext4/dm-0"
    for folder in (disk, recorded, tmp_path / "sys/dev/block"):
        folder.mkdir(parents=True)
    (tmp_path / "sys/dev/block/253:0").symlink_to(disk)
    (disk / "ro").write_text("1\n")
    (recorded / "errors_count").write_text("3\n")
    (recorded / "last_error_time").write_text("1700000000\n")
    mount = inspect(Mount("/", "ext4", "/dev/mapper/vg-root", "253:0"), str(tmp_path))
    assert (mount.device_read_only, mount.errors, mount.last_error) == (True, 3, 1700000000)
    other = Mount("/data", "xfs", "/dev/vdb", "254:0")
    assert inspect(other, str(tmp_path)) == other
