# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls side by side in daemon threads, so that one that never returns holds up neither the probe nor its end."""

from __future__ import annotations

import queue
import threading
from typing import Any, Callable, Generic, TypeVar

Key = TypeVar("Key")


class ParallelCalls(Generic[Key]):
    """Starts calls and hands back what they return, in the order in which they end.

    Threads of `concurrent.futures` are waited for when Python exits; a name server that never answers would then keep the
    module from ending. These are left behind.
    """

    def __init__(self) -> None:
        self._done: queue.SimpleQueue[tuple[Key, Any, BaseException | None]] = queue.SimpleQueue()

    def start(self, key: Key, call: Callable[[], Any]) -> None:
        threading.Thread(target=self._run, args=(key, call), daemon=True).start()

    def next(self, seconds: float) -> tuple[Key, Any] | None:
        """The next call that has ended and what it returned, or none within the seconds; what a call raised is raised here."""
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
