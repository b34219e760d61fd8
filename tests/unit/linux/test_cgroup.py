"""The limits of a cgroup, read from the files of versions 1 and 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.cgroup import (
    CpuGroup,
    MemoryGroup,
    cpu_group,
    memory_group,
)


def tree(root: Path, files: dict[str, str]) -> str:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return str(root)


V1 = (
    "30 22 0:25 {top} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "31 22 0:26 {top} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
)
V2 = "30 22 0:25 {top} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


def test_version_1_as_a_container_without_its_own_namespace_sees_it(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/1/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n"
            "1:name=systemd:/docker/abc\n",
            "proc/self/mountinfo": V1.format(top="/docker/abc"),
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "900\n",
            "sys/fs/cgroup/memory/memory.stat": "cache 5\ntotal_inactive_file 300\n"
            "total_active_file 100\n",
            "sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n"
            "oom_kill 2\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 9\nnr_throttled 4\n",
            "sys/fs/cgroup/cpu,cpuacct/cpuacct.usage": "2500000000\n",
        },
    )
    assert memory_group(1, root) == MemoryGroup(1000, 500, 2)
    assert cpu_group(1, root) == CpuGroup(1.5, 2.5, 4)


def test_version_2_takes_the_tightest_limit_on_the_way_up(tmp_path: Path) -> None:
    service = "sys/fs/cgroup/system.slice/redis.service"
    root = tree(
        tmp_path,
        {
            "proc/7/cgroup": "0::/system.slice/redis.service\n",
            "proc/self/mountinfo": V2.format(top="/"),
            f"{service}/memory.max": "max\n",
            f"{service}/cpu.max": "max 100000\n",
            "sys/fs/cgroup/system.slice/memory.max": "1000\n",
            "sys/fs/cgroup/system.slice/memory.current": "800\n",
            "sys/fs/cgroup/system.slice/memory.stat": "anon 100\ninactive_file 200\n"
            "active_file 100\nslab_reclaimable 50\n",
            "sys/fs/cgroup/system.slice/memory.events": "low 0\noom 3\noom_kill 1\n",
            "sys/fs/cgroup/system.slice/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/system.slice/cpu.stat": "usage_usec 7000000\nnr_throttled 2\n",
            "sys/fs/cgroup/memory.max": "5000\n",
        },
    )
    assert memory_group(7, root) == MemoryGroup(1000, 450, 1)
    assert cpu_group(7, root) == CpuGroup(0.5, 7.0, 2)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/1/cgroup": "0::/\n", "proc/self/mountinfo": V2.format(top="/")},
        {"proc/1/cgroup": "0::/../../init.scope\n", "proc/self/mountinfo": V2.format(top="/../..")},
        {
            "proc/1/cgroup": "4:memory:/\n0::/\n",
            "proc/self/mountinfo": V1.format(top="/") + V2.format(top="/"),
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
    ],
)
def test_no_limit_is_none(tmp_path: Path, files: dict[str, str]) -> None:
    root = tree(tmp_path, files)
    assert memory_group(1, root) is None
    assert cpu_group(1, root) is None
