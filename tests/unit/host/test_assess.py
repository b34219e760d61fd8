"""The verdicts on a host, from plain data; and what its files are read as."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Delta
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host import system as host_system
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.assess import (
    CpuTimes,
    Process,
    Reading,
    Snapshot,
    assess,
    parse_cpu,
    parse_meminfo,
    silent,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.mounts import (
    IGNORED,
    Mount,
    assess_mounts,
    measure,
    real_mounts,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.system import (
    Clock,
    FailedUnits,
    UnitQuery,
    parse_units,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.cgroup import (
    CpuGroup,
    MemoryGroup,
)

GIB = 1024**3


def cpu(
    total: float, idle: float, waiting: float = 0, stolen: float = 0, processors: int = 2
) -> CpuTimes:
    return CpuTimes(total, idle, waiting, stolen, processors, 4)


def reading(
    at: float, times: CpuTimes, group: CpuGroup | None = None, **processes: tuple[int, float, int]
) -> Reading:
    """``name=(pid, processor seconds, own bytes)``"""
    return Reading(
        at,
        times,
        group,
        {(pid, "1"): Process(name, spent, own, 0) for name, (pid, spent, own) in processes.items()},
    )


WELL = Snapshot(
    first=reading(10, cpu(100, 50), node=(7, 1, GIB)),
    last=reading(11, cpu(102, 51.5), node=(7, 1.5, GIB)),
    meminfo={"MemTotal": 8 * GIB, "MemAvailable": 6 * GIB, "SwapTotal": 0, "SwapFree": 0},
    pressure={"cpu": 12.5},
    mounts=[
        Mount(
            "/",
            "ext4",
            "/dev/sda1",
            size=100 * GIB,
            used=10 * GIB,
            free=90 * GIB,
            inodes=1000,
            inodes_free=900,
        )
    ],
    load=2.0,
    oom=Delta({"oom_kill": 0}, "since boot 9 days ago", 800000, False),
    clock=Clock(True, 0.02),
)


def verdicts(snapshot: Snapshot, **thresholds: Any) -> dict[str, Check]:
    return {check.name: check for check in assess(snapshot, Thresholds(CHECKS, thresholds))}


def test_a_host_that_is_well() -> None:
    checks = verdicts(WELL)
    assert {name: check.status for name, check in checks.items()} == {
        f"host.{what}": "ok"
        for what in (
            "cpu",
            "memory",
            "disk_used",
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
        {"what": "some waited for a processor", "of the last minute": "12.5 %"},
    )
    assert checks["host.memory"].value == 25
    assert checks["host.memory"].evidence == ({"what": "node", "memory": "1 GiB"},)
    assert checks["host.load"].value == 0.5
    assert checks["host.clock"].summary == "Synchronised, at most 20 ms off"


# --- processors -------------------------------------------------------------------------------------------------------


def processor_check(
    first: CpuTimes,
    last: CpuTimes,
    groups: tuple[CpuGroup, CpuGroup] | tuple[None, None] = (None, None),
    load: float = 2,
) -> Check:
    return verdicts(
        replace(
            WELL, first=reading(0, first, groups[0]), last=reading(1, last, groups[1]), load=load
        )
    )["host.cpu"]


def test_waiting_for_a_disk_is_not_busy_but_said() -> None:
    check = processor_check(cpu(0, 0, 0), cpu(2, 0.4, 1.2))
    assert check.value == 20
    assert "60 % idle waiting for a disk" in check.summary


def test_stolen_time_is_busy_and_said() -> None:
    check = processor_check(cpu(0, 0), cpu(2, 0.1, stolen=0.8))
    assert check.value == 95
    assert check.status == "warning"
    assert "40 % taken by other virtual machines" in check.summary


def test_a_container_is_judged_by_its_own_limit_unless_the_machine_is_worse() -> None:
    groups = CpuGroup(0.5, 10, 3), CpuGroup(0.5, 10.49, 5)
    check = processor_check(cpu(0, 0), cpu(2, 1.5), groups)
    assert (check.status, check.value) == ("critical", 98)
    assert (
        check.summary
        == "98 % of the 0.5 processors that this container may use, over 1.0 s, held back 2 times"
    )
    idle = CpuGroup(0.5, 10, 0), CpuGroup(0.5, 10, 0)
    assert "this container" in processor_check(cpu(0, 0), cpu(2, 1.5), idle).summary
    assert "of 2 processors busy" in processor_check(cpu(0, 0), cpu(2, 0), idle).summary


def test_a_peak_that_does_not_show_in_the_load_is_no_alarm() -> None:
    times = cpu(0, 0), cpu(2, 0)
    assert processor_check(*times, load=1.1).status == "critical"
    moment = processor_check(*times, load=0.9)
    assert (moment.status, moment.value, moment.warning) == ("ok", 100, None)
    assert moment.summary.endswith("but only for the moment: the load over five minutes is 0.90")
    groups = CpuGroup(0.5, 0, 0), CpuGroup(0.5, 0.5, 0)
    assert processor_check(cpu(0, 0), cpu(2, 2), groups, load=0.3).status == "critical"
    assert processor_check(cpu(0, 0), cpu(2, 2), groups, load=0.2).status == "ok"


def test_processor_times_that_stand_still_are_unknown() -> None:
    assert processor_check(cpu(5, 5), cpu(5, 5)).status == "unknown"
    assert (
        verdicts(replace(WELL, last=None, missing={"cpu": "no /proc"}))["host.cpu"].summary
        == "Could not be looked at: no /proc"
    )


@given(st.lists(st.floats(0, 1e6), min_size=6, max_size=6))
def test_the_share_of_processors_is_a_share(numbers: list[float]) -> None:
    check = processor_check(cpu(0, 0), cpu(sum(numbers), *numbers[:3]))
    assert check.value is None or 0 <= check.value <= 100


STAT = """cpu  100 0 100 600 100 0 0 100 50 0
cpu0 100 0 0 0 0 0 0 0 50 0
cpu1 0 0 100 600 100 0 0 100 0 0
intr 12345
"""


def test_only_usable_processors_count() -> None:
    tick = os.sysconf("SC_CLK_TCK")
    every, first = parse_cpu(STAT, {0, 1}), parse_cpu(STAT, {0})
    assert (every.total, every.idle, every.waiting, every.stolen) == tuple(
        number / tick for number in (1000, 600, 100, 100)
    )
    assert (every.processors, every.machine) == (2, 2)
    assert (first.total, first.idle, first.processors, first.machine) == (100 / tick, 0, 1, 2)
    assert parse_cpu(STAT, {7}) == every, "a container engine that renumbers processors"


# --- memory -----------------------------------------------------------------------------------------------------------


def memory(**more: Any) -> Check:
    return verdicts(replace(WELL, **more))["host.memory"]


def test_memory_is_what_programs_cannot_get() -> None:
    check = memory(meminfo={"MemTotal": 100 * GIB, "MemAvailable": 3 * GIB, "MemFree": GIB})
    assert (check.status, check.value) == ("critical", 97)
    assert check.summary == "97 % in use, 3 GiB of 100 GiB available"
    assert memory(meminfo={"MemTotal": 1, "MemFree": 1}).status == "unknown"


def test_a_container_is_judged_by_its_own_memory_unless_the_machine_is_worse() -> None:
    check = memory(memory_group=MemoryGroup(GIB, int(0.9 * GIB), 0))
    assert (check.status, check.value) == ("warning", 90)
    assert "922 MiB of the 1 GiB this container may use" in check.summary
    low = {"MemTotal": 100 * GIB, "MemAvailable": GIB}
    assert (
        "of 100 GiB available" in memory(memory_group=MemoryGroup(GIB, 1, 0), meminfo=low).summary
    )
    assert "of 8 GiB available" in memory(memory_group=MemoryGroup(9 * GIB, 1, 0)).summary


def test_memory_is_listed_by_name_and_what_processes_share_counts_once() -> None:
    processes = {(pid, "1"): Process("postgres", 0, 10 * 1024**2, GIB) for pid in range(20)}
    check = memory(last=Reading(1, cpu(9, 9), None, processes), pressure={})
    assert check.evidence == ({"what": "postgres, 20 processes", "memory": "1.2 GiB"},)


def test_meminfo_is_in_bytes() -> None:
    assert parse_meminfo("MemTotal:       2048 kB\nHugePages_Total:       3\n") == {
        "MemTotal": 2048 * 1024,
        "HugePages_Total": 3072,
    }


@pytest.mark.parametrize(("free", "status"), [(60, "ok"), (49, "warning"), (9, "critical")])
def test_swap(free: int, status: str) -> None:
    assert (
        verdicts(replace(WELL, meminfo={"SwapTotal": 100, "SwapFree": free}))["host.swap"].status
        == status
    )


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_load_is_for_each_processor_of_the_machine() -> None:
    check = verdicts(replace(WELL, load=17.0))["host.load"]
    assert (check.status, check.value, check.summary) == (
        "critical",
        4.25,
        "Load 17.00 on 4 processors",
    )
    assert (
        verdicts(replace(WELL, load=None, missing={"load": "gone"}))["host.load"].status
        == "unknown"
    )


@pytest.mark.parametrize(
    ("count", "status", "said"),
    [
        (0, "ok", "No process was"),
        (1, "warning", "1 process was"),
        (6, "critical", "6 processes were"),
    ],
)
def test_oom_kills(count: int, status: str, said: str) -> None:
    check = verdicts(
        replace(WELL, oom=Delta({"oom_kill": count}, "2026-11-23T06:00Z/PT24H", 86400, True))
    )["host.oom_kills"]
    assert check.status == status
    assert check.summary == f"{said} killed for lack of memory"
    assert check.window == "2026-11-23T06:00Z/PT24H"
    assert verdicts(replace(WELL, oom=None))["host.oom_kills"].status == "unknown"


def test_failed_units() -> None:
    check = verdicts(replace(WELL, units=FailedUnits([f"{n}.service" for n in range(7)])))[
        "host.failed_units"
    ]
    assert check.status == "warning"
    assert (
        check.summary
        == "7 units failed: 0.service, 1.service, 2.service, 3.service, 4.service and 2 more"
    )
    assert len(check.evidence) == 7
    assert verdicts(replace(WELL, units=FailedUnits([])))["host.failed_units"].status == "ok"
    refused = verdicts(replace(WELL, units=FailedUnits((), "no bus")))["host.failed_units"]
    assert (refused.status, refused.summary) == (
        "unknown",
        "systemd was not willing to list its units: no bus",
    )


def test_units_are_read_with_and_without_marks() -> None:
    assert parse_units(
        "ssh.service  loaded failed failed OpenBSD Secure Shell server\n● a@b.service loaded failed failed A\n\n"
    ) == [
        "ssh.service",
        "a@b.service",
    ]
    assert parse_units("") == []


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'x.service loaded failed failed X'", FailedUnits(["x.service"])),
        (
            "echo 'Failed to connect to bus: token=abc' >&2; exit 1",
            FailedUnits((), "Failed to connect to bus: token=***"),
        ),
        ("exit 3", FailedUnits((), "systemctl ended with code 3")),
        ("exec sleep 30", FailedUnits((), "systemctl gave no answer within 0.3 s")),
    ],
)
def test_systemctl_is_asked_and_never_waited_for(
    script: str, expected: FailedUnits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(host_system.os.path, "isdir", lambda path: True)
    query = UnitQuery.start()
    assert query
    started = time.monotonic()
    assert query.answer(Deadline(1)) == expected
    assert time.monotonic() - started < 5


def test_without_systemd_there_is_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_system.os.path, "isdir", lambda path: False)
    assert UnitQuery.start() is None
    assert "host.failed_units" not in verdicts(WELL)


@pytest.mark.parametrize(
    ("clock", "container", "status", "said"),
    [
        (Clock(True, 0.5), False, "ok", "at most 500 ms off"),
        (Clock(True, 3), False, "warning", "at most 3 s off"),
        (Clock(False, 16), False, "warning", "no time service"),
        (Clock(False, 16), True, "unknown", "machine below this container"),
        (None, False, "unknown", "Operation not permitted"),
    ],
)
def test_the_clock(clock: Clock | None, container: bool, status: str, said: str) -> None:
    check = verdicts(
        replace(
            WELL, clock=clock, container=container, missing={"clock": "Operation not permitted"}
        )
    )["host.clock"]
    assert check.status == status
    assert said in check.summary
    assert bool(check.remedy) == (status != "ok")


def test_the_kernel_tells_of_its_clock() -> None:
    assert host_system.clock().max_error >= 0


def test_nothing_seen_is_nothing_judged() -> None:
    assert {check.status for check in assess(Snapshot(), Thresholds(CHECKS))} == {"unknown"}


def test_a_host_without_an_answer_is_critical() -> None:
    assert silent(Thresholds(CHECKS), 10).status == "critical"


# --- mounts -----------------------------------------------------------------------------------------------------------

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
    mounts = real_mounts(MOUNTINFO, IGNORED, [])
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
    assert [(mount.point, mount.trouble, mount.broken) for mount in named] == [
        ("/", "", False),
        ("/var/lib/docker/overlay2/x/merged", "", False),
        ("/backup", "Not mounted", True),
        ("/proc", "Nothing is stored in a file system of type proc", False),
    ]


def test_a_container_sees_its_root_and_its_volumes_but_not_the_files_that_the_engine_mounts() -> (
    None
):
    engine = """1 0 0:70 / / rw - overlay overlay rw,lowerdir=x
2 1 254:1 /var/lib/docker/containers/c/hosts /etc/hosts rw - ext4 /dev/vda1 rw
3 1 254:1 /var/lib/docker/volumes/data/_data /var/lib/a/long/path rw - ext4 /dev/vda1 rw
4 1 254:2 /var/lib/docker/containers/c/resolv.conf /etc/resolv.conf rw - ext4 /dev/vdb rw
"""
    mounts = real_mounts(engine, IGNORED, [], is_file=lambda path: path.startswith("/etc/"))
    assert [mount.point for mount in mounts] == ["/", "/var/lib/a/long/path"]


def test_nothing_below_a_network_mount_is_touched() -> None:
    def touched(path: str) -> bool:
        raise AssertionError(path)

    info = "1 0 0:50 / /mnt rw - nfs4 server:/x rw\n2 1 254:1 /folder /mnt/below rw - ext4 /dev/vda1 rw\n"
    assert [mount.point for mount in real_mounts(info, [], [], is_file=touched)] == [
        "/mnt",
        "/mnt/below",
    ]


@given(st.text())
def test_any_mount_point_survives_the_escapes_of_the_kernel(point: str) -> None:
    name = "/" + point.replace("\0", "").encode("utf-8", "replace").decode()
    escaped = "".join(f"\\{ord(c):03o}" if c in " \t\n\\#" else c for c in name)
    (mount,) = real_mounts(f"1 0 1:1 / {escaped} rw - ext4 /dev/x rw\n", [], [])
    assert mount.point == name


def disk(**more: Any) -> list[Check]:
    return assess_mounts(
        [Mount("/data", "xfs", "/dev/vdb", **more)],
        Thresholds(CHECKS, {"host.disk_used /data": {"warning": 50}}),
    )


def test_disk_verdicts() -> None:
    (check,) = disk(size=200, used=101, free=99)
    assert (check.status, check.value, check.subject) == ("warning", 50.5, "/data")
    assert "mounted read-only" in disk(size=200, used=1, free=199, read_only=True)[0].summary
    _, inodes = disk(size=200, used=1, free=199, inodes=1000, inodes_free=50)
    assert (inodes.name, inodes.status, inodes.value) == ("host.inodes_used", "critical", 95)
    (dead,) = disk(trouble="No answer in time", remedy="Check the server.")
    assert (dead.status, dead.summary, dead.remedy) == (
        "unknown",
        "No answer in time",
        "Check the server.",
    )
    assert disk(trouble="Cannot be used", broken=True)[0].status == "critical"


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
    assert all(
        "No answer in time from server:/x" in mount.trouble and not mount.broken
        for mount in measure(hung, 0.3)
    )
    assert time.monotonic() - started < 5, "all wait together"
    for text, broken, said in (
        ("Stale file handle", True, "Stale file handle"),
        ("Permission denied", False, "not allowed"),
    ):
        program.write_text(
            f"#!/bin/sh\necho \"stat: cannot read file system information for 'x': {text}\" >&2\nexit 1\n"
        )
        (mount,) = measure(hung[:1])
        assert (mount.broken, said in mount.trouble) == (broken, True)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert "stat could not be run" in measure(hung[:1])[0].trouble
