# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parallel calls in daemon threads, so that a call that never returns does not block the exit."""

from __future__ import annotations

import queue
import threading
from typing import Any, Callable, Generic, TypeVar

Key = TypeVar("Key")


class ParallelCalls(Generic[Key]):
    """Starts calls and hands back their results in the order in which they finish.

    Python waits for the threads of `concurrent.futures` when it exits, so a name server that never
    answers would keep the module from ending. It does not wait for these.
    """

    def __init__(self) -> None:
        self._done: queue.SimpleQueue[tuple[Key, Any, BaseException | None]] = queue.SimpleQueue()

    def start(self, key: Key, call: Callable[[], Any]) -> None:
        """Start a call; `next` returns its result with this key."""
        threading.Thread(target=self._run, args=(key, call), daemon=True).start()

    def next(self, seconds: float) -> tuple[Key, Any] | None:
        """Key and result of the next call that finishes; none if none does within the seconds.

        Raises what the call raised.
        """
        try:
            key, result, error = self._done.get(timeout=max(seconds, 0.001))
        except queue.Empty:
            return None
        if error is not None:
            raise error
        return key, result

    def _run(self, key: Key, call: Callable[[], Any]) -> None:
        try:
            self._done.put((key, call(), None))
        except BaseException as error:
            self._done.put((key, None, error))
