"""Parallel calls: their results in the order in which they finish."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.parallel import (
    ParallelCalls,
)


def test_results_come_in_the_order_in_which_calls_finish() -> None:
    calls: ParallelCalls[str] = ParallelCalls()
    release = threading.Event()
    calls.start("slow", lambda: release.wait(30))
    calls.start("fast", lambda: 7)
    assert calls.next(30) == ("fast", 7)
    assert calls.next(0) is None
    release.set()
    assert calls.next(30) == ("slow", True)


def test_what_a_call_raises_is_raised() -> None:
    def fail() -> None:
        raise KeyError("x")

    calls: ParallelCalls[str] = ParallelCalls()
    calls.start("bad", fail)
    with pytest.raises(KeyError):
        calls.next(30)


def test_a_call_that_never_returns_does_not_keep_python_from_exiting() -> None:
    assert all(thread.daemon for thread in _threads_of_a_call())


def _threads_of_a_call() -> list[threading.Thread]:
    before = set(threading.enumerate())
    calls: ParallelCalls[str] = ParallelCalls()
    release = threading.Event()
    calls.start("blocked", release.wait)
    threads = [thread for thread in threading.enumerate() if thread not in before]
    release.set()
    assert threads
    return threads
