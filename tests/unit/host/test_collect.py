"""What the text of files in /proc is read as."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.collect import parse_meminfo


def test_meminfo_is_in_bytes() -> None:
    assert parse_meminfo("MemTotal:       2048 kB\nHugePages_Total:       3\n") == {
        "MemTotal": 2048 * 1024,
        "HugePages_Total": 3072,
    }
