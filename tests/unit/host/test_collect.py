"""What the text of files in /proc is read as."""

from __future__ import annotations

import os

from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.collect import (
    parse_cpu,
    parse_meminfo,
)

STAT = """cpu  100 0 100 600 100 0 0 100 50 0
cpu0 100 0 0 0 0 0 0 0 50 0
cpu1 0 0 100 600 100 0 0 100 0 0
intr 12345
"""


def test_only_usable_processors_count() -> None:
    tick = os.sysconf("SC_CLK_TCK")
    every, first = parse_cpu(STAT, {0, 1}), parse_cpu(STAT, {0})
    assert (every.total, every.idle, every.iowait, every.steal) == tuple(
        number / tick for number in (1000, 600, 100, 100)
    )
    assert (every.processors, every.all_processors) == (2, 2)
    assert (first.total, first.idle, first.processors, first.all_processors) == (
        100 / tick,
        0,
        1,
        2,
    )
    assert parse_cpu(STAT, {7}) == every, "a container engine that renumbers processors"


def test_meminfo_is_in_bytes() -> None:
    assert parse_meminfo("MemTotal:       2048 kB\nHugePages_Total:       3\n") == {
        "MemTotal": 2048 * 1024,
        "HugePages_Total": 3072,
    }
