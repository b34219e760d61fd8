"""What the text of files in /proc is read as."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.collect import (
    parse_meminfo,
    reclaimable_by_zfs,
)


def test_meminfo_is_in_bytes() -> None:
    assert parse_meminfo("MemTotal:       2048 kB\nHugePages_Total:       3\n") == {
        "MemTotal": 2048 * 1024,
        "HugePages_Total": 3072,
    }


def test_the_cache_of_zfs_is_available() -> None:
    text = "13 1 0x01 123 33456 1 2\nname type data\nsize 4 9000\nc_min 4 1000\n"
    assert reclaimable_by_zfs(text) == 8000
