"""Redis: writes to the append-only file that fail, and commands under other names."""

from __future__ import annotations

from contextlib import suppress

from redis import RedisError

from tests.support.mounts import mounted, mounts_of_its_own, require_mounts
from tests.support.redis_truth import PERSISTENCE, REACHABLE, WRITABLE, Start, ask, on_each, until
from tests.support.truth import Answer, Bed

APPENDING = ("--appendonly", "yes", "--save", "")


@on_each(
    "a full disk under the append-only file",
    {REACHABLE: "critical", WRITABLE: "critical", PERSISTENCE: "critical"},
    says="tries again each second",
    never="BGSAVE|next snapshot that succeeds clears",
)
def full_disk(bed: Bed, start: Start) -> Answer:
    require_mounts()
    bed.enter(mounts_of_its_own())
    bed.enter(mounted(bed.folder / "disk", "tmpfs", options="size=1m"))
    own = start(*APPENDING, folder="disk/server")
    with suppress(RedisError):
        for number in range(2000):
            own.client.set(f"key-{number}", "x" * 10_000)
    until(lambda: own.client.info("persistence")["aof_last_write_status"] == "err")
    return ask(bed, own.url)


@on_each(
    "an append-only file that is written",
    {REACHABLE: "ok", WRITABLE: "ok", PERSISTENCE: "ok"},
    says="(?i)append-only file on",
)
def appends(bed: Bed, start: Start) -> Answer:
    own = start(*APPENDING)
    own.client.set("key", "value")
    return ask(bed, own.url)


@on_each(
    "PING is renamed",
    {REACHABLE: "unknown"},
    says="does not know the command PING",
)
def renamed_ping(bed: Bed, start: Start) -> Answer:
    return ask(bed, start("--rename-command", "PING", "hidden").url)
