# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real write: one key of its own, written and deleted, if the operator allows it."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from ..core.text import redact, shorten
from .connection import Endpoint, redis

PREFIX = "gpt-agent-runbook:canary:"
#: Milliseconds after which the key expires, should it not be deleted.
_TTL = 10_000
#: In a cluster, the slot of a random key may belong to another node.
_TRIES = 5

#: How it ended.
DONE = "done"
REFUSED = "refused"
DENIED = "denied"  # the probe's own user lacks the permission
SILENT = "silent"  # no answer
ELSEWHERE = "elsewhere"  # other nodes of the cluster have the slots of all keys that were tried


@dataclass(frozen=True)
class Canary:
    """How the write ended."""

    outcome: str
    text: str = ""
    """The server's refusal."""
    seconds: float = 0.0


def write_canary(client: redis.Redis, endpoint: Endpoint) -> Canary:
    """Write a key of a random name, and delete it; never raises because Redis fails."""
    start = time.perf_counter()
    try:
        for _try in range(_TRIES):
            if _write(client):
                return Canary(DONE, seconds=time.perf_counter() - start)
        return Canary(ELSEWHERE)
    except (redis.TimeoutError, TimeoutError):
        return Canary(SILENT, seconds=time.perf_counter() - start)
    except (redis.RedisError, OSError) as exception:
        text = shorten(redact(str(exception), endpoint.secrets), 160)
        denied = isinstance(exception, redis.exceptions.NoPermissionError)
        return Canary(DENIED if denied else REFUSED, text)


def _write(client: redis.Redis) -> bool:
    """Whether this node has the slot of the key."""
    key = PREFIX + secrets.token_hex(16)
    try:
        client.set(key, "written by redis_health", nx=True, px=_TTL)
        client.delete(key)
    except redis.exceptions.AskError:  # MovedError is one
        return False
    return True
