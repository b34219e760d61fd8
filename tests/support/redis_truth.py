"""What situations of Redis are arranged with."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from redis import ResponseError

from tests.support.redis_server import PROGRAMS, Server
from tests.support.truth import Answer, Bed, situation

NAMES = {"valkey": "Valkey", "redis-6.2": "Redis 6.2"}
SECRET = "Zq7tOpSeCrEt"

WRITABLE, REPLICATION, CLUSTER = "redis.writable", "redis.replication", "redis.cluster"
REACHABLE, PERSISTENCE = "redis.reachable", "redis.persistence"

#: Starts a server of the kind that the situation is about.
Start = Callable[..., Server]
Look = Callable[[Bed, Start], Answer]


def on_each(
    words: str,
    verdicts: Mapping[str, str],
    *,
    says: str = "",
    never: str = "",
    programs: Collection[str] = tuple(NAMES),
) -> Callable[[Look], Look]:
    """Enter a situation for each kind of server."""

    def enter(look: Look) -> Look:
        for program in programs:

            def on_this(bed: Bed, program: str = program) -> Answer:
                path = PROGRAMS[program]
                if not path:
                    pytest.skip(f"no server {program} is installed here")

                return look(bed, partial(server, bed, path))

            situation("redis", f"{NAMES[program]}: {words}", verdicts, says=says, never=never)(
                on_this
            )
        return look

    return enter


def server(bed: Bed, program: Path, *options: str, folder: str = "server") -> Server:
    own = Server(bed.folder / folder, program, *options)
    bed.afterwards(own.stop)
    return own


def ask(bed: Bed, url: str, **options: object) -> Answer:
    return bed.run(
        "redis_health", {"redis_url": url, "state_dir": str(bed.folder / "state"), **options}
    )


def until(happened: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.1)


def pair(start: Start, *options: str) -> tuple[Server, Server]:
    """A primary and its replica, linked."""
    primary = start("--repl-diskless-sync-delay", "0", *options)
    address = ("127.0.0.1", str(primary.port))
    replica = start("--replicaof", *address, *options, folder="replica")
    until(lambda: replica.client.info("replication")["master_link_status"] == "up")
    until(lambda: primary.client.info("replication").get("slave0", {}).get("state") == "online")
    return primary, replica


def fill(own: Server, seconds: int | None = None) -> None:
    """Write until it is full; with ``seconds``, keys that expire."""
    client = own.client
    with suppress(ResponseError):
        for number in range(4000):
            client.set(f"key-{number}", "x" * 1000, ex=seconds)


def saving(own: Server, points: str = "3600 1") -> Server:
    own.client.config_set("save", points)
    return own


def snapshot(own: Server, status: str) -> None:
    own.client.bgsave()
    until(lambda: own.client.info("persistence")["rdb_last_bgsave_status"] == status)
