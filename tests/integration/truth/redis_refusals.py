"""Redis: writes to the append-only file that fail, and commands under other names."""

from __future__ import annotations

from contextlib import suppress

from redis import RedisError

from tests.support.mounts import mounted, mounts_of_its_own, require_mounts
from tests.support.redis_truth import PERSISTENCE, REACHABLE, WRITABLE, Start, ask, on_each, until
from tests.support.truth import NOT_JUDGED, Answer, Bed

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
    client = own.client
    with suppress(RedisError):
        for number in range(2000):
            client.set(f"key-{number}", "x" * 10_000)
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


@on_each(
    "INFO is renamed",
    {
        REACHABLE: "ok",
        WRITABLE: "unknown",
        "redis.memory": "unknown",
        PERSISTENCE: "unknown",
        "redis.security": "ok",
        "redis.slow_commands": "ok",
    },
    says=r"without INFO: \S+ does not offer INFO\n.*remove the line of INFO and restart",
    never="ACL SETUSER default|INFO does not contain",
)
def renamed_info(bed: Bed, start: Start) -> Answer:
    return ask(bed, start("--rename-command", "INFO", "hidden").url)


@on_each(
    "CONFIG, SLOWLOG, ACL and MEMORY are disabled",
    {
        REACHABLE: "ok",
        WRITABLE: "ok",
        PERSISTENCE: "unknown",
        "redis.security": "unknown",
        "redis.slow_commands": "unknown",
        "redis.big_keys": "unknown",
    },
    says="does not offer SLOWLOG GET",
    never="ACL SETUSER (default|USER)",
)
def disabled_commands(bed: Bed, start: Start) -> Answer:
    names = ("CONFIG", "SLOWLOG", "ACL", "MEMORY")
    own = start(*(word for name in names for word in ("--rename-command", name, "")))
    own.client.set("key", "value")
    return ask(bed, own.url, purpose="session", key_samples=10)


@on_each(
    "CONFIG is disabled, so that it is not known if the slow log is on",
    {"redis.slow_commands": NOT_JUDGED},
    says="whether it is on is not known",
)
def unknown_slow_log(bed: Bed, start: Start) -> Answer:
    return ask(bed, start("--rename-command", "CONFIG", "").url)
