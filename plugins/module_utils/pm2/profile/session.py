# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session with the inspector: the Chrome DevTools protocol, as far as it is needed here."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Callable

from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import Refused, Unreachable
from ...net.websocket import WebSocket
from .inspector import Target

Event = Callable[[str, Mapping[str, Any]], None]


class NoReply(Unreachable):
    """The process does not answer: it computes outside JavaScript, or is suspended."""


def _ignore(method: str, params: Mapping[str, Any]) -> None:
    """For calls whose events are of no interest."""


class Session:
    """One connection to an inspector. Raises `Unreachable`, and `Refused` for a failed call."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self._socket = WebSocket("127.0.0.1", target.port, target.path, deadline)
        self._calls = 0

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        seconds: float = 5.0,
        event: Event = _ignore,
    ) -> dict[str, Any]:
        """The result of a method; events that arrive before it are passed on.

        ``seconds`` is the longest silence.
        """
        self._calls += 1
        number = self._calls
        self._socket.send(json.dumps({"id": number, "method": method, "params": params or {}}))
        while True:
            message = self._message(method, seconds)
            if message.get("id") == number:
                return _result(method, message)
            if "method" in message:
                event(str(message["method"]), message.get("params") or {})

    def wait(self, name: str, seconds: float) -> Mapping[str, Any]:
        """The parameters of the next event of this name."""
        until = time.monotonic() + seconds
        while True:
            message = self._message(name, until - time.monotonic())
            if message.get("method") == name:
                return message.get("params") or {}

    def evaluate(self, expression: str, seconds: float = 5.0) -> Any:
        """The value of a JavaScript expression, which may use ``require``."""
        answer = self.call(
            "Runtime.evaluate",
            {"expression": expression, "returnByValue": True, "includeCommandLineAPI": True},
            seconds,
        )
        if "exceptionDetails" in answer:
            raise Refused(f"Runtime.evaluate: {answer['exceptionDetails'].get('text', '')}")
        return answer.get("result", {}).get("value")

    def _message(self, method: str, seconds: float) -> dict[str, Any]:
        until = time.monotonic() + seconds
        try:
            message = json.loads(self._socket.receive(until))
        except DeadlineExceeded:
            raise NoReply(f"the process does not answer {method} within {seconds:g} s") from None
        except ValueError:
            raise Unreachable("the inspector sent something that is not JSON") from None
        return message if isinstance(message, dict) else {}


def _result(method: str, message: Mapping[str, Any]) -> dict[str, Any]:
    if "error" in message:
        error = message["error"]
        text = error.get("message", "") if isinstance(error, dict) else ""
        raise Refused(f"{method}: {text}")
    result = message.get("result")
    return result if isinstance(result, dict) else {}
