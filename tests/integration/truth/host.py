"""Hosts: would a write succeed now, whose disk is full, and how busy were the last minutes?"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.container import (
    in_container,
)
from tests.support.disks import (
    bound,
    break_ext4,
    frozen,
    fstab,
    mounted_disk,
    remount,
    shut_down,
)
from tests.support.mounts import (
    MS_RDONLY,
    mounted,
    mounts_of_its_own,
    require_mounts,
)
from tests.support.truth import NOT_JUDGED, Answer, Bed, situation

WRITABLE = "host.filesystem_writable"


def ask(bed: Bed, **options: Any) -> Answer:
    return bed.run("host_health", {"state_dir": str(bed.folder / "state"), **options})


def about(answer: Answer, point: Path | str) -> Answer:
    """The checks of one mount, called DISK, as its place differs from run to run."""
    checks = [
        {**check, "subject": "DISK"} for check in answer["checks"] if check["subject"] == str(point)
    ]
    return {"checks": checks}


def own_mounts(bed: Bed) -> None:
    require_mounts()
    bed.enter(mounts_of_its_own())


def ext4(bed: Bed, options: str = "") -> Path:
    own_mounts(bed)
    return bed.enter(mounted_disk(bed.folder, "ext4", options))


def no_container() -> None:
    if in_container():
        pytest.skip("in a container, the engine decides what is mounted, and not /etc/fstab")


def tmpfs(bed: Bed, name: str = "data", options: str = "size=1m", flags: int = 0) -> Path:
    own_mounts(bed)
    return bed.enter(mounted(bed.folder / name, "tmpfs", options=options, flags=flags))


@situation("host", "a healthy ext4 disk", {f"{WRITABLE} DISK": "ok", "host.disk_used DISK": "ok"})
def healthy_disk(bed: Bed) -> Answer:
    point = ext4(bed, "errors=remount-ro")
    return about(ask(bed), point)


@situation(
    "host",
    "ext4 stopped itself after an error and is still mounted rw",
    {f"{WRITABLE} DISK": "critical"},
    says="(?s)Every write fails.*fsck -f",
    never="Clean logs",
)
def stopped_ext4(bed: Bed) -> Answer:
    point = ext4(bed, "errors=remount-ro")
    break_ext4(point)
    return about(ask(bed), point)


@situation(
    "host",
    "ext4 recorded an error and goes on (errors=continue)",
    {f"{WRITABLE} DISK": "warning"},
    says="Writes succeed, but files may be damaged; 1 error recorded",
)
def damaged_ext4(bed: Bed) -> Answer:
    point = ext4(bed, "errors=continue")
    break_ext4(point)
    return about(ask(bed), point)


@situation(
    "host",
    "ext4 was shut down",
    {f"{WRITABLE} DISK": "critical"},
    says="Every write fails",
)
def shut_down_ext4(bed: Bed) -> Answer:
    point = ext4(bed)
    shut_down(point)
    return about(ask(bed), point)


@situation(
    "host",
    "XFS shut itself down",
    {f"{WRITABLE} DISK": "critical"},
    says="(?s)Every write fails.*xfs_repair",
)
def shut_down_xfs(bed: Bed) -> Answer:
    own_mounts(bed)
    point = bed.enter(mounted_disk(bed.folder, "xfs"))
    shut_down(point)
    return about(ask(bed), point)


@situation(
    "host",
    "a disk that /etc/fstab mounts read-write is read-only",
    {f"{WRITABLE} DISK": "critical", "host.disk_used DISK": NOT_JUDGED},
    says="mounted read-only, but /etc/fstab says read-write",
    never="Clean logs",
)
def read_only_against_fstab(bed: Bed) -> Answer:
    point = tmpfs(bed)
    (point / "file").write_bytes(bytes(1000 << 10))
    bed.enter(fstab(bed.folder, f"none {point} tmpfs size=1m 0 0\n"))
    remount(point, "ro")
    return about(ask(bed), point)


@situation(
    "host",
    "a disk that /etc/fstab mounts read-only is read-only",
    {f"{WRITABLE} DISK": "ok"},
    says="Mounted read-only, as /etc/fstab says",
)
def read_only_as_fstab_says(bed: Bed) -> Answer:
    point = ext4(bed)
    bed.enter(fstab(bed.folder, f"/dev/sdz {point} ext4 defaults,ro 0 2\n"))
    remount(point, "ro")
    return about(ask(bed), point)


@situation(
    "host",
    "a full disk was mounted read-only by hand",
    {f"{WRITABLE} DISK": NOT_JUDGED, "host.disk_used DISK": NOT_JUDGED},
    says="nothing says that it should be writable",
)
def read_only_by_hand(bed: Bed) -> Answer:
    point = ext4(bed)
    (point / "file").write_bytes(bytes(11 << 20))
    remount(point, "ro")
    return about(ask(bed), point)


@situation(
    "host",
    "a disk in /etc/fstab is not mounted",
    {f"{WRITABLE} DISK": "critical"},
    says="Not mounted, although /etc/fstab says so",
)
def not_mounted(bed: Bed) -> Answer:
    own_mounts(bed)
    no_container()
    point = bed.folder / "data"
    bed.enter(fstab(bed.folder, f"/dev/sdz {point} ext4 defaults 0 2\n"))
    return about(ask(bed), point)


@situation(
    "host",
    "disks in /etc/fstab that nobody asked for are not mounted, a link leads to another",
    {"host.disk_used DISK": "ok"},
)
def not_mounted_on_purpose(bed: Bed) -> Answer:
    point = tmpfs(bed)
    no_container()
    link = bed.folder / "link"
    link.symlink_to(point)
    entries = [
        f"/dev/sdz {bed.folder}/usb ext4 noauto 0 0",
        f"server:/x {bed.folder}/nfs nfs x-systemd.automount 0 0",
        "/dev/sdy none swap sw 0 0",
        f"none {link} tmpfs size=1m 0 0",
    ]
    bed.enter(fstab(bed.folder, "\n".join(entries)))
    answer = ask(bed)
    absent = [check["subject"] for check in answer["checks"] if "Not mounted" in check["summary"]]
    assert not absent
    return about(answer, point)


@situation(
    "host",
    "nothing is left for programs that do not run as root",
    {f"{WRITABLE} DISK": "critical", "host.disk_used DISK": "critical"},
    says="no space is left for programs that do not run as root",
)
def full_for_the_app(bed: Bed) -> Answer:
    point = ext4(bed)
    with (point / "file").open("wb", buffering=0) as file:
        while _free(point):
            file.write(bytes(4096))
    return about(ask(bed), point)


def _free(point: Path) -> int:
    os.sync()
    return os.statvfs(point).f_bavail


@situation(
    "host",
    "a real write to a healthy disk",
    {f"{WRITABLE} DISK": "ok"},
    says="A file was written, flushed to disk and deleted in",
)
def canary(bed: Bed) -> Answer:
    point = ext4(bed)
    answer = ask(bed, canary=True, mounts=[str(point)])
    assert [path.name for path in point.iterdir()] == ["lost+found"]
    return about(answer, point)


@situation(
    "host",
    "a frozen disk, asked by a real write",
    {f"{WRITABLE} DISK": "critical"},
    says="(?s)A write did not finish.*fsfreeze --unfreeze",
)
def frozen_disk(bed: Bed) -> Answer:
    point = ext4(bed)
    with frozen(point):
        return about(ask(bed, canary=True, mounts=[str(point)]), point)


@situation(
    "host",
    "the full shm of a k3s sandbox, beside a full disk of the operator's",
    {"host.disk_used DISK": "critical"},
)
def full_sandbox(bed: Bed) -> Answer:
    own = tmpfs(bed)
    (own / "file").write_bytes(bytes(1000 << 10))
    sandbox = "/run/k3s/containerd/io.containerd.grpc.v1.cri/sandboxes/" + "0a" * 32 + "/shm"
    bed.enter(mounted(Path("/run"), "tmpfs", options="size=1m"))
    Path(sandbox).mkdir(parents=True)
    shm = bed.enter(mounted(Path(sandbox), "tmpfs", "shm", "size=64k"))
    (shm / "file").write_bytes(bytes(60 << 10))
    answer = ask(bed)
    assert not about(answer, shm)["checks"]
    return about(answer, own)


@situation(
    "host",
    "a full disk of its own at /var/lib/docker",
    {"host.disk_used DISK": "critical", f"{WRITABLE} DISK": "ok"},
    says="Clean logs",
)
def docker_disk(bed: Bed) -> Answer:
    own_mounts(bed)
    bed.enter(mounted(Path("/var/lib"), "tmpfs", options="size=1m"))
    Path("/var/lib/docker").mkdir()
    bed.enter(mounted_disk(bed.folder, "ext4", at=Path("/var/lib/docker")))
    Path("/var/lib/docker/file").write_bytes(bytes(12 << 20))
    return about(ask(bed), "/var/lib/docker")


@situation(
    "host",
    "a read-only tmpfs that an engine mounted for a secret",
    {"host.disk_used DISK": "ok"},
)
def read_only_tmpfs(bed: Bed) -> Answer:
    point = tmpfs(bed)
    secret = bed.enter(mounted(bed.folder / "secret", "tmpfs", options="size=4k", flags=MS_RDONLY))
    answer = ask(bed)
    assert not about(answer, secret)["checks"]
    return about(answer, point)


def burn(bed: Bed) -> None:
    """Keep all processors busy, at the lowest priority."""
    command = ["nice", "-n", "19", sys.executable, "-c", "while True: pass"]
    for _processor in os.sched_getaffinity(0):
        bed.enter(killed(subprocess.Popen(command)))


@contextmanager
def killed(child: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        child.kill()
        child.wait()


def averages(bed: Bed, minute: float, five_minutes: float) -> None:
    """The load for each processor so far, and as many tasks that waited.

    Replaced like LXCFS does, or other tests on this machine would decide on the verdict.
    """
    own_mounts(bed)
    processors = len(os.sched_getaffinity(0))
    load = f"{minute * processors:.2f} {five_minutes * processors:.2f} 0.10 1/99 999\n"
    waits = f"some avg10=0.00 avg60={50 * minute:.2f} avg300={50 * five_minutes:.2f} total=9\n"
    for path, text in (("/proc/loadavg", load), ("/proc/pressure/cpu", waits)):
        if os.path.exists(path):
            file = bed.folder / os.path.basename(path)
            file.write_text(text)
            bed.enter(bound(str(file).encode(), path.encode()))


def busy(bed: Bed, minute: float, five_minutes: float) -> Answer:
    """What the probe says while all processors are busy."""
    averages(bed, minute, five_minutes)
    burn(bed)
    time.sleep(0.3)
    return ask(bed, mounts=["/"])


@situation(
    "host",
    "all processors are busy for a second",
    {"host.cpu": "ok"},
    says="processors busy over",
)
def busy_second(bed: Bed) -> Answer:
    return busy(bed, 0.1, 0.05)


@situation(
    "host",
    "all processors have been busy for a minute",
    {"host.cpu": "warning"},
    says="for about a minute",
)
def busy_minute(bed: Bed) -> Answer:
    return busy(bed, 0.7, 0.2)


@situation("host", "all processors have been busy for five minutes", {"host.cpu": "critical"})
def busy_five_minutes(bed: Bed) -> Answer:
    return busy(bed, 1.1, 0.8)
