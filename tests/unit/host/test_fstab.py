"""What /etc/fstab and systemd's mount units say."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.fstab import (
    not_mounted,
    parse_fstab,
    parse_unit,
)

FSTAB = r"""# a comment
UUID=1 / ext4 defaults,errors=remount-ro 0 1
UUID=2 /boot ext4 ro,nosuid 0 2
UUID=3 none swap sw 0 0
UUID=4 /with\040space xfs defaults,nofail 0 2
/dev/sr0 /media/cd udf,iso9660 user,noauto 0 0
server:/x /share nfs defaults,x-systemd.automount 0 0
/data/x /bind none rw,bind 0 0
UUID=5 /data/ btrfs noatime,subvol=@data
damaged
"""


def test_fstab() -> None:
    declared = parse_fstab(FSTAB)
    assert {point: entry.read_only for point, entry in declared.items()} == {
        "/": False,
        "/boot": True,
        "/with space": False,
        "/media/cd": False,
        "/share": False,
        "/data": False,
    }
    assert {point for point, entry in declared.items() if not entry.at_boot} == {
        "/media/cd",
        "/share",
    }
    assert {point for point, entry in declared.items() if entry.optional} == {"/with space"}


def test_an_immutable_root_is_not_what_fstab_means() -> None:
    root = parse_fstab(FSTAB)["/"]
    assert root.means("ext4")
    assert not root.means("overlay")
    assert parse_fstab("x /mnt nfs rw")["/mnt"].means("nfs4")


def test_a_mount_unit() -> None:
    text = "[Mount]\nWhat=/dev/vdb\nWhere=/data\nType=ext4\n#Options=ro\nOptions=rw,noatime\n"
    entry = parse_unit(text, "/etc/systemd/system/data.mount")["/data"]
    assert (entry.read_only, entry.at_boot, entry.fs_type) == (False, False, "ext4")
    assert not parse_unit("[Unit]\nDescription=x\n", "x.mount")


def test_what_is_not_mounted(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    declared = parse_fstab(f"{FSTAB}\nx {tmp_path}/link ext4 rw 0 0")
    assert set(not_mounted(declared, {"/": 1, "/boot": 1, str(tmp_path): 1})) == {
        "/data",
        "/with space",
    }
