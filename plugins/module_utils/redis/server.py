# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that operations work on: one connection, and every failure as one of our errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Callable, TypeVar

from ..core.errors import Refused, RunbookError
from .commands import quoted, refusal
from .connection import Endpoint, connect, redis
from .errors import error_of_exception, error_of_reply

Answer = TypeVar("Answer")


class Server:
    """A connection that stays the same one, so that its name can serve as a lock."""

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self._pool = connect(endpoint, timeout)
        self._bytes: dict[int, Any] = {}
        self._client: Any = None

    def ask(self, command: str, run: Callable[[redis.Redis], Answer]) -> Answer:
        """The answer to a command; raises `Refused` and what `error_of_exception` makes."""
        try:
            if self._client is None:
                self._client = self._pool.client()
            return run(self._client)
        except (redis.RedisError, OSError) as exception:
            raise self._explained(exception, command) from None

    def ask_keys(
        self, command: str, run: Callable[[redis.Redis], Answer], database: int | None = None
    ) -> Answer:
        """Like `ask`, for commands with keys, which are bytes; by default in the URL's database."""
        number = self.endpoint.database if database is None else database
        try:
            if number not in self._bytes:
                endpoint = replace(self.endpoint, database=number)
                self._bytes[number] = connect(endpoint, self.timeout, decode=False)
            return run(self._bytes[number])
        except (redis.RedisError, OSError) as exception:
            raise self._explained(exception, command) from None

    def info(self) -> Mapping[str, Any]:
        """INFO, with everything that modules and operations inspect."""
        return self.ask("INFO", lambda client: dict(client.info()))

    def explained(self, reply: object, command: str) -> RunbookError:
        """The error that a reply within a pipeline means."""
        error = reply if isinstance(reply, Exception) else redis.ResponseError(str(reply))
        return self._explained(error, command)

    def close(self) -> None:
        """Give the connections back; nothing is asked any more."""
        if self._client is not None:
            self._client.close()
        self._pool.close()
        for client in self._bytes.values():
            client.close()

    def _explained(self, exception: Exception, command: str) -> RunbookError:
        text, where = str(exception), self.endpoint.address
        refused = refusal(text, command, self.endpoint)
        if refused:
            return refused
        if "read only replica" in text:
            return Refused(
                f"{where} is a replica, which takes no writes",
                "Use the address of its primary in redis_url; 'INFO replication' names it.",
            )
        if isinstance(exception, redis.exceptions.AskError):  # MovedError is one
            return Refused(
                f"{where} is one node of a cluster, and another one has the keys of this {command}",
                "Slots have moved, or this needs the address of that node. Run it again once "
                "'redis-cli --cluster check HOST:PORT' finds nothing wrong.",
            )
        if isinstance(exception, redis.ResponseError) and not error_of_reply(text, self.endpoint):
            return Refused(f"{where} refuses {command}: {quoted(text, self.endpoint)}", "")
        return error_of_exception(exception, self.endpoint, self.timeout)
