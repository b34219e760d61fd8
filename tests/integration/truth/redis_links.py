"""Redis: what replication and connections are worth."""

from __future__ import annotations

import signal
import socket
import ssl

import pytest

from tests.support.redis_server import relay
from tests.support.redis_truth import (
    REACHABLE,
    REPLICATION,
    SECRET,
    WRITABLE,
    Start,
    ask,
    on_each,
    pair,
    until,
)
from tests.support.throwaway import Authority, listening, server_context, write
from tests.support.truth import NOT_JUDGED, Answer, Bed, situation

# What was heard last has an age.


@on_each(
    "a replica that is frozen",
    {WRITABLE: "ok", REPLICATION: "warning"},
    says="nothing was heard from 127.0.0.1",
    never="-1 s",
)
def frozen_replica(bed: Bed, start: Start) -> Answer:
    primary, replica = pair(start, "--min-replicas-max-lag", "2")
    replica.process.send_signal(signal.SIGSTOP)
    until(lambda: primary.client.info("replication")["slave0"]["lag"] > 2)
    return ask(bed, primary.url)


@on_each(
    "the frozen replica is needed for writes",
    {WRITABLE: "critical", REPLICATION: "critical"},
    says="nothing was heard from 127.0.0.1",
)
def frozen_and_needed(bed: Bed, start: Start) -> Answer:
    primary, replica = pair(start, "--min-replicas-max-lag", "2", "--min-replicas-to-write", "1")
    replica.process.send_signal(signal.SIGSTOP)
    until(lambda: not primary.client.info("replication")["min_slaves_good_slaves"])
    return ask(bed, primary.url)


@on_each("a replica that is not frozen", {REPLICATION: "ok"}, says="1 replica linked")
def awake_replica(bed: Bed, start: Start) -> Answer:
    return ask(bed, pair(start)[0].url)


@on_each(
    "a frozen replica that the primary has given up",
    {REPLICATION: NOT_JUDGED},
    says="linked until lately",
)
def lost_replica(bed: Bed, start: Start) -> Answer:
    primary, replica = pair(start, "--repl-timeout", "2", "--repl-ping-replica-period", "1")
    replica.process.send_signal(signal.SIGSTOP)
    until(lambda: not primary.client.info("replication")["connected_slaves"])
    return ask(bed, primary.url)


@on_each(
    "a replica whose primary is frozen",
    {REACHABLE: "ok", REPLICATION: "critical"},
    says="heard nothing from its primary",
    never="last heard from|-1 s",
)
def frozen_primary(bed: Bed, start: Start) -> Answer:
    primary, replica = pair(start, "--repl-ping-replica-period", "1")
    primary.process.send_signal(signal.SIGSTOP)
    until(lambda: replica.client.info("replication")["master_last_io_seconds_ago"] > 10)
    return ask(bed, replica.url)


@on_each(
    "a replica that has never reached its primary and does not serve old data",
    {REACHABLE: "critical"},
    says="down since its start",
    never="-1 s",
)
def never_linked(bed: Bed, start: Start) -> Answer:
    own = start("--replicaof", "127.0.0.1", "1", "--replica-serve-stale-data", "no")
    return ask(bed, own.url)


# The remedy follows the cause.


@on_each(
    "rediss:// to a port that does not encrypt and wants a password",
    {REACHABLE: "critical"},
    says="does not encrypt",
    never="(?i)password|restart",
)
def tls_to_plain(bed: Bed, start: Start) -> Answer:
    own = start("--requirepass", SECRET)
    return ask(bed, f"rediss://:{SECRET}@127.0.0.1:{own.port}", timeout=4)


@on_each(
    "redis:// to a port that encrypts and wants a password",
    {REACHABLE: "critical"},
    says="needs an encrypted connection",
    never="(?i)password|restart",
)
def plain_to_tls(bed: Bed, start: Start) -> Answer:
    return ask(bed, f"redis://:{SECRET}@127.0.0.1:{encrypted(bed, start)[0]}", timeout=4)


@on_each(
    "rediss:// to a port that wants a certificate of the client",
    {REACHABLE: "critical"},
    says="requires a certificate of the client",
    never="(?i)password|restart",
)
def no_client_certificate(bed: Bed, start: Start) -> Answer:
    own, authority = start("--requirepass", SECRET), Authority.create()
    chain = authority.server("127.0.0.1"), authority.intermediate.pem
    roots = str(write(bed.folder / "roots.pem", authority.root.pem))
    context = server_context(bed.folder, *chain)
    context.load_verify_locations(roots)
    context.verify_mode = ssl.CERT_REQUIRED
    port = bed.enter(relay(own.port, context))
    return ask(bed, f"rediss://:{SECRET}@127.0.0.1:{port}", ca_file=roots)


@on_each("rediss:// to a port that encrypts", {REACHABLE: "ok"})
def tls_to_tls(bed: Bed, start: Start) -> Answer:
    port, roots = encrypted(bed, start)
    return ask(bed, f"rediss://:{SECRET}@127.0.0.1:{port}", ca_file=roots)


def encrypted(bed: Bed, start: Start) -> tuple[int, str]:
    """The port of a server that encrypts, and the file with its CA."""
    own, authority = start("--requirepass", SECRET), Authority.create()
    chain = authority.server("127.0.0.1"), authority.intermediate.pem
    port = bed.enter(relay(own.port, server_context(bed.folder, *chain)))
    return port, str(write(bed.folder / "roots.pem", authority.root.pem))


@on_each(
    "a password in the place of the user",
    {REACHABLE: "critical"},
    says="write a colon before it",
    never=SECRET,
)
def misplaced_password(bed: Bed, start: Start) -> Answer:
    own = start("--requirepass", SECRET)
    answer = ask(bed, f"redis://{SECRET}@127.0.0.1:{own.port}")
    assert SECRET not in str(answer)
    return answer


def own_address() -> str:
    """An address of this host that is not its loopback; skips the test if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this host has no network")
        address: str = probe.getsockname()[0]
    return address


@on_each(
    "a frozen server",
    {REACHABLE: "critical"},
    says="(?s)frozen.*kill -CONT",
    never="systemctl restart",
)
def frozen(bed: Bed, start: Start) -> Answer:
    own = start()
    own.process.send_signal(signal.SIGSTOP)
    return ask(bed, own.url, timeout=3)


@on_each(
    "all clients are paused",
    {REACHABLE: "critical"},
    says="CLIENT PAUSE",
    never="systemctl restart",
)
def all_paused(bed: Bed, start: Start) -> Answer:
    own = start()
    own.client.execute_command("CLIENT", "PAUSE", "60000", "ALL")
    return ask(bed, own.url, timeout=3)


@on_each(
    "the address of a Sentinel",
    {REACHABLE: "critical"},
    says="is a Sentinel.*",
    never="restart|INFO does not contain",
)
def sentinel(bed: Bed, start: Start) -> Answer:
    watched = start()
    settings = bed.folder / "sentinel.conf"
    settings.write_text(f"sentinel monitor main 127.0.0.1 {watched.port} 1\n")
    own = start(str(settings), "--sentinel", folder="sentinel")
    return ask(bed, own.url)


@on_each(
    "protected mode, asked from another address",
    {REACHABLE: "critical"},
    says="(?s)protected mode.*requirepass",
    never="restart|redis_url has one",
    programs=["valkey"],  # Redis 6.2 takes bind for permission
)
def protected(bed: Bed, start: Start) -> Answer:
    own = start("--bind", "0.0.0.0", "--protected-mode", "yes")
    return ask(bed, f"redis://{own_address()}:{own.port}")


@on_each("protected mode with a password, asked from another address", {REACHABLE: "ok"})
def protected_with_password(bed: Bed, start: Start) -> Answer:
    own = start("--bind", "0.0.0.0", "--protected-mode", "yes", "--requirepass", SECRET)
    return ask(bed, f"redis://:{SECRET}@{own_address()}:{own.port}")


@situation(
    "redis",
    "a proxy that refuses with words of its own",
    {REACHABLE: "critical"},
    says="upstream failure",
    never="(?i)restart",
)
def proxy(bed: Bed) -> Answer:
    def refuse(connection: object) -> None:
        while connection.recv(1000):  # type: ignore[attr-defined]
            connection.sendall(b"-ERR upstream failure\r\n")  # type: ignore[attr-defined]

    return ask(bed, f"redis://127.0.0.1:{bed.enter(listening(refuse))}")
