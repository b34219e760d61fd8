"""The clock, as the kernel of this machine reports it."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.clock import read_clock


def test_the_kernel_reports_its_clock() -> None:
    assert read_clock().max_error >= 0
