"""Redis: alive, and whether it does its work."""

from __future__ import annotations

from pathlib import Path

from tests.support.redis_server import PROGRAMS, Server
from tests.support.truth import NOT_JUDGED, Answer, Bed, situation


def server(bed: Bed, *options: str) -> Server:
    program = PROGRAMS["valkey"]
    assert program
    own = Server(bed.folder / "server", Path(program), *options)
    bed.afterwards(own.stop)
    return own


def ask(bed: Bed, url: str, **options: object) -> Answer:
    return bed.run(
        "redis_health", {"redis_url": url, "state_dir": str(bed.folder / "state"), **options}
    )


@situation(
    "redis",
    "a healthy server that nobody has used yet",
    {"redis.reachable": "ok", "redis.hit_rate": NOT_JUDGED},
)
def unused(bed: Bed) -> Answer:
    return ask(bed, server(bed).url)
