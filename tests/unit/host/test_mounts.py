"""Which mounts are measured, from the text of mountinfo, and how."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.fstab import (
    Declared,
    parse_fstab,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.mounts import (
    Mount,
    measure,
    real_mounts,
)

MOUNTINFO = r"""22 27 0:21 / /proc rw - proc proc rw
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
28 27 254:2 / /var/lib/postgresql rw master:2 - xfs /dev/vdb rw
29 27 254:1 /srv/data /mnt/data rw - ext4 /dev/vda1 rw
30 27 0:40 /@ /srv/a rw - btrfs /dev/vdc rw
31 27 0:41 /@home /srv/b rw - btrfs /dev/vdc rw
32 27 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
33 27 7:2 / /media/cd ro - iso9660 /dev/loop2 ro
34 27 0:50 / /mnt/with\040space rw - nfs4 server:/export\040x rw
35 27 0:60 / /run rw - tmpfs tmpfs rw
36 27 0:61 / /run/user/1000 rw - tmpfs tmpfs rw
37 27 0:62 / /sys/fs/cgroup ro - tmpfs tmpfs ro
38 27 0:63 / /dev/shm rw - tmpfs tmpfs rw
39 27 0:64 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
40 27 0:65 / /somewhere/merged rw - overlay overlay rw
41 27 0:66 / /auto rw - autofs systemd-1 rw
42 27 254:9 / /hidden rw - ext4 /dev/vdd rw
43 27 254:10 / /hidden rw - ext4 /dev/vde rw
44 27 0:67 / /mnt/share rw - cifs //user:Zq7@server/x rw
45 27 0:68 / /dev rw - tmpfs tmpfs rw
"""


def test_real_mounts_each_file_system_once() -> None:
    mounts = real_mounts(MOUNTINFO, [], [])
    assert [mount.point for mount in mounts] == [
        "/",
        "/dev/shm",
        "/hidden",
        "/mnt/share",
        "/mnt/with space",
        "/run",
        "/srv/a",
        "/var/lib/postgresql",
    ]
    assert {mount.point: mount.source for mount in mounts}["/hidden"] == "/dev/vde", (
        "the later mount is the one to be seen"
    )
    assert {mount.point: mount.source for mount in mounts}["/mnt/with space"] == "server:/export x"


def test_mounts_can_be_left_out_and_named() -> None:
    assert [
        mount.point
        for mount in real_mounts(MOUNTINFO, ["/mnt/*", "/run*", "/srv/?", "/dev/*", "/hidden"], [])
    ] == ["/", "/var/lib/postgresql"]
    named = real_mounts(
        MOUNTINFO, ["*"], ["/", "/var/lib/docker/overlay2/x/merged/", "/backup", "/proc"]
    )
    assert [(mount.point, mount.problem, mount.unusable) for mount in named] == [
        ("/", "", False),
        ("/var/lib/docker/overlay2/x/merged", "", False),
        ("/backup", "Not mounted", True),
        ("/proc", "A file system of type proc stores no data", False),
    ]


def test_a_container_sees_its_root_and_its_volumes_but_not_the_files_that_the_engine_mounts() -> (
    None
):
    engine = """1 0 0:70 / / rw - overlay overlay rw,lowerdir=x
2 1 254:1 /var/lib/docker/containers/c/hosts /etc/hosts rw - ext4 /dev/vda1 rw
3 1 254:1 /var/lib/docker/volumes/data/_data /var/lib/a/long/path rw - ext4 /dev/vda1 rw
4 1 254:2 /var/lib/docker/containers/c/resolv.conf /etc/resolv.conf rw - ext4 /dev/vdb rw
"""
    mounts = real_mounts(engine, [], [], is_file=lambda path: path.startswith("/etc/"))
    assert [mount.point for mount in mounts] == ["/", "/var/lib/a/long/path"]


def test_nothing_below_a_network_mount_is_touched() -> None:
    def touched(path: str) -> bool:
        raise AssertionError(path)

    info = (
        "1 0 0:50 / /mnt rw - nfs4 server:/x rw\n"
        "2 1 254:1 /folder /mnt/below rw - ext4 /dev/vda1 rw\n"
    )
    assert [mount.point for mount in real_mounts(info, [], [], is_file=touched)] == [
        "/mnt",
        "/mnt/below",
    ]


def test_a_mount_of_another_user_is_left_out() -> None:
    def found(options: str) -> int:
        return len(real_mounts(f"1 0 0:50 / /mnt rw - fuse.sshfs x: rw,{options}\n", [], []))

    assert not found("user_id=12345,group_id=0")
    assert found("user_id=12345,group_id=0,allow_other")
    assert found(f"user_id={os.geteuid()},group_id=0")


def one(info: str, **entries: Declared) -> Mount:
    declared = {f"/{name}": entry for name, entry in entries.items()}
    (mount,) = real_mounts(info, [], [], declared)
    return mount


def test_what_the_kernel_says_of_a_mount_that_cannot_be_written() -> None:
    stopped = one("1 0 7:0 / /data rw - ext4 /dev/x rw,errors=remount-ro,emergency_ro\n")
    assert (stopped.stopped, stopped.turned, stopped.read_only) == ("emergency_ro", False, False)
    turned = one("1 0 7:0 / /data rw - ext4 /dev/x ro,errors=remount-ro\n")
    assert (turned.stopped, turned.turned, turned.read_only) == ("", True, True)
    by_hand = one("1 0 7:0 / /data ro - ext4 /dev/x ro\n")
    assert (by_hand.turned, by_hand.read_only) == (False, True)
    image = one("1 0 0:7 / / rw - overlay overlay ro,lowerdir=/a:/b\n")
    assert (image.turned, image.read_only) == (False, True)


def test_of_several_mounts_the_one_that_can_be_written_is_reported() -> None:
    info = "1 0 7:0 / /ro ro - ext4 /dev/x rw\n2 0 7:0 / /somewhere/data rw - ext4 /dev/x rw\n"
    assert one(info).point == "/somewhere/data"
    entry = parse_fstab("/dev/x /ro ext4 defaults 0 0")["/ro"]
    assert one(info, ro=entry) == replace(one(info, ro=entry), point="/ro", declared=entry)


def test_what_fstab_declares_is_checked_wherever_it_is() -> None:
    entry = parse_fstab("tmpfs /data tmpfs size=1g 0 0")["/data"]
    info = "1 0 0:7 / /data ro - tmpfs tmpfs ro\n"
    assert not real_mounts(info, [], [])
    assert one(info, data=entry).declared == entry
    absent = one("", data=entry)
    assert (absent.point, absent.unusable) == ("/data", True)
    assert not real_mounts("", ["/data"], [], {"/data": entry})


def test_a_subvolume_that_is_read_only_against_fstab_is_reported_beside_its_disk() -> None:
    info = "1 0 0:7 /@ / rw - btrfs /dev/x rw\n2 0 0:8 /@home /home ro - btrfs /dev/x rw\n"
    declared = parse_fstab("/dev/x / btrfs subvol=@ 0 0\n/dev/x /home btrfs subvol=@home 0 0")
    assert [mount.point for mount in real_mounts(info, [], [], declared)] == ["/", "/home"]
    assert [mount.point for mount in real_mounts(info, [], [])] == ["/"]


def test_a_stopped_disk_shows_in_a_container_by_the_files_that_the_engine_mounts() -> None:
    info = "1 0 7:0 /x/hosts /etc/hosts rw - ext4 /dev/x rw"
    assert not real_mounts(info, [], [], is_file=lambda path: True)
    (mount,) = real_mounts(f"{info},emergency_ro", [], [], is_file=lambda path: True)
    assert mount.stopped


@given(st.text())
def test_any_mount_point_survives_the_escapes_of_the_kernel(point: str) -> None:
    name = "/" + point.replace("\0", "").encode("utf-8", "replace").decode()
    escaped = "".join(f"\\{ord(c):03o}" if c in " \t\n\\#" else c for c in name)
    (mount,) = real_mounts(f"1 0 1:1 / {escaped} rw - ext4 /dev/x rw\n", [], [])
    assert mount.point == name


def test_figures_agree_with_df(tmp_path: Path) -> None:
    for kind in ("ext4", "some-network-fs"):  # asked directly, and by a child
        (mount,) = measure([Mount(str(tmp_path), kind, "x")])
        size, used, free = (
            int(n)
            for n in subprocess.run(
                ["df", "-P", "-B1", tmp_path], capture_output=True, text=True, check=True
            ).stdout.split()[-5:-2]
        )
        assert mount.used == pytest.approx(used, rel=0.01)
        assert mount.free == pytest.approx(free, rel=0.01)
        assert mount.size <= size


def test_mounts_that_cannot_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = (
        Mount(str(tmp_path / "gone"), "nfs", "server:/x"),
        Mount(str(tmp_path / "gone"), "ext4", "/dev/x"),
    )
    assert measure(gone) == [], "unmounted since the list was read"
    program = tmp_path / "stat"
    program.write_text("#!/bin/sh\nexec sleep 30\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    hung = [Mount(f"/mnt/{number}", "nfs", "server:/x") for number in range(3)]
    started = time.monotonic()
    measured = measure(hung, 0.3)
    assert [mount.point for mount in measured] == ["/mnt/0", "/mnt/1", "/mnt/2"]
    for mount in measured:
        assert "No answer in time from server:/x" in mount.problem
        assert not mount.unusable
    assert time.monotonic() - started < 5, "all wait together"
    for text, unusable, said in (
        ("Stale file handle", True, "Stale file handle"),
        ("Permission denied", False, "lacks permission"),
    ):
        program.write_text(
            "#!/bin/sh\n"
            f"echo \"stat: cannot read file system information for 'x': {text}\" >&2\nexit 1\n"
        )
        (mount,) = measure(hung[:1])
        assert (mount.unusable, said in mount.problem) == (unusable, True)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert "stat could not be run" in measure(hung[:1])[0].problem
