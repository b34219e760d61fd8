"""Redis: who can get in, what is slow, and keys that are too large."""

from __future__ import annotations

from tests.support.redis_truth import SECRET, Start, ask, on_each
from tests.support.truth import NOT_JUDGED, Answer, Bed

SECURITY, SLOW, BIG = "redis.security", "redis.slow_commands", "redis.big_keys"
CLIENTS, BUFFERS = "redis.clients", "redis.client_buffers"
#: Binds beyond the loopback; the address of the test comes after it, so both are used.
OPEN = ("--bind", "0.0.0.0", "--protected-mode", "no")


@on_each(
    "no password, and it listens on all addresses",
    {SECURITY: "warning"},
    says="listens on all addresses: whoever reaches it can read, change and delete everything",
)
def open_to_all(bed: Bed, start: Start) -> Answer:
    return ask(bed, start(*OPEN).url)


@on_each("a password, and it listens on all addresses", {SECURITY: "ok"}, says="needs a password")
def with_password(bed: Bed, start: Start) -> Answer:
    own = start(*OPEN)
    own.lock(SECRET)
    return ask(bed, f"redis://:{SECRET}@127.0.0.1:{own.port}")


@on_each(
    "no password, and protected mode refuses other hosts",
    {SECURITY: "ok"},
    says="protected mode refuses clients of other hosts",
)
def protected(bed: Bed, start: Start) -> Answer:
    return ask(bed, start("--bind", "0.0.0.0").url)


@on_each("no password, on the loopback only", {SECURITY: "ok"}, says="only clients of its own host")
def on_loopback(bed: Bed, start: Start) -> Answer:
    return ask(bed, start().url)


@on_each(
    "a command that took longer than a second",
    {SLOW: "critical"},
    says="the slowest DEBUG for",
    never=SECRET,
)
def slow_command(bed: Bed, start: Start) -> Answer:
    own = start("--enable-debug-command", "yes") if "7" in _version(start) else start()
    own.client.execute_command("DEBUG", "SLEEP", "1.05")
    own.client.get(f"sess:{SECRET}")
    answer = ask(bed, own.url)
    assert SECRET not in str(answer)
    return answer


def _version(start: Start) -> str:
    """Redis 6.2 has no such option, and needs none."""
    own = start(folder="asked")
    return str(own.client.info("server")["redis_version"])[:1]


@on_each("commands that are fast", {SLOW: "ok"}, says="No slow command in the last hour")
def fast_commands(bed: Bed, start: Start) -> Answer:
    own = start()
    own.client.set("key", "value")
    return ask(bed, own.url)


@on_each("the slow log is off", {SLOW: NOT_JUDGED}, says="switches it off")
def no_slow_log(bed: Bed, start: Start) -> Answer:
    return ask(bed, start("--slowlog-log-slower-than", "-1").url)


@on_each(
    "a key of 20 MB among small ones",
    {BIG: "warning"},
    says=r"is 2\d(\.\d)? MiB, a string session:\*",
)
def large_key(bed: Bed, start: Start) -> Answer:
    own = start()
    own.client.mset({f"cart:{number}": "x" for number in range(100)})
    own.client.set(f"session:{SECRET}", "x" * 20 * 1024**2)
    answer = ask(bed, own.url, key_samples=1000)
    assert SECRET not in str(answer)
    return answer


@on_each("small keys only", {BIG: "ok"}, says="The largest of 100 keys")
def small_keys(bed: Bed, start: Start) -> Answer:
    own = start()
    own.client.mset({f"cart:{number}": "x" for number in range(100)})
    return ask(bed, own.url, key_samples=1000)


@on_each("a client runs MONITOR", {CLIENTS: "warning"}, says="1 client with MONITOR")
def monitored(bed: Bed, start: Start) -> Answer:
    own = start()
    monitor = own.client.monitor()
    bed.enter(monitor)
    return ask(bed, own.url)


@on_each("no client runs MONITOR", {CLIENTS: "ok"}, never="MONITOR")
def not_monitored(bed: Bed, start: Start) -> Answer:
    return ask(bed, start().url)


@on_each(
    "a client that was disconnected because its buffer was full",
    {BUFFERS: "warning"},
    says="1 client disconnected",
    programs=("valkey",),
)
def full_buffer(bed: Bed, start: Start) -> Answer:
    own = start("--client-output-buffer-limit", "normal 1mb 0 0")
    own.client.set("key", "x" * 4 * 1024**2)
    slow = own.client.client()
    slow.connection.send_command("GET", "key")
    slow.connection.send_command("GET", "key")
    reader = own.client
    while not reader.info("stats")["client_output_buffer_limit_disconnections"]:
        reader.ping()
    return ask(bed, own.url)


@on_each(
    "no client was disconnected",
    {BUFFERS: "ok"},
    says="No client disconnected",
    programs=("valkey",),
)
def no_full_buffer(bed: Bed, start: Start) -> Answer:
    return ask(bed, start().url)


@on_each("Redis 6.2 does not count full buffers", {BUFFERS: NOT_JUDGED}, programs=("redis-6.2",))
def uncounted(bed: Bed, start: Start) -> Answer:
    return ask(bed, start().url)
