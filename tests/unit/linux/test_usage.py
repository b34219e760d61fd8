"""What a process uses, this one and one that computes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.usage import (
    busy_share,
    read_usage,
)


def test_own_figures() -> None:
    usage = read_usage(os.getpid())
    assert usage
    assert usage.resident > 1 << 20
    assert usage.main_thread
    assert usage.main_thread.tid == os.getpid()
    assert usage.files
    assert usage.file_limit
    assert usage.cpu > 0


def test_a_process_that_computes_reads_nothing() -> None:
    """However little of a processor it gets."""
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            began, first = time.monotonic(), read_usage(process.pid)
            time.sleep(0.5)
            last = read_usage(process.pid)
            assert first
            assert last
            assert busy_share(first, last, time.monotonic() - began) > 60
            assert last.reads == first.reads
        finally:
            process.kill()
    assert read_usage(process.pid) is None


def test_one_that_waits() -> None:
    first = read_usage(os.getpid())
    assert first
    assert busy_share(first, first, 1.0) == 0
    assert busy_share(first, first, 0.0) == 0
