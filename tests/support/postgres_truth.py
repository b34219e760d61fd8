"""Servers of a situation's own, their standbys and subscribers, and pg_health's answer."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace

from tests.support.postgres import Server, Throwaway, eventually, throwaway
from tests.support.throwaway import unused_port
from tests.support.truth import Answer, Bed


def own_server(bed: Bed, **settings: str | int) -> Server:
    programs = Path(bed.fixture("stack").settings["bin"]["postgres"])
    return Server(bed.enter(throwaway(programs, **settings)))


def ask(bed: Bed, server: Server, url: str = "", **options: object) -> Answer:
    return bed.run(
        "pg_health",
        {
            "database_url": url or server.admin_url,
            "state_dir": str(bed.folder / "state"),
            **options,
        },
    )


class Follower:
    """A standby of a server of a test's own."""

    def __init__(self, bed: Bed, server: Server, archive: Path | None = None) -> None:
        self.primary: Throwaway = server.stack
        self.own = {**server.own, "port": unused_port()}
        self.data = self.primary.home / f"standby-{self.own['port']}"
        copy = ["-D", self.data, "-h", self.own["socket_dir"], "-p", server.own["port"]]
        how = ["-U", self.own["admin_user"], "--checkpoint", "fast", "--no-sync"]
        self._run("pg_basebackup", *copy, *how, "--write-recovery-conf")
        if archive:
            (self.data / "postgresql.auto.conf").write_text("")
        self.server = Server(SimpleNamespace(settings={"postgres": self.own}))
        bed.afterwards(self._run, "pg_ctl", "stop", "-D", self.data, "-m", "immediate")

    def _run(self, program: str, *arguments: object) -> None:
        options = dict(self.primary.options)
        options["env"] = {**options["env"], "PGPASSWORD": self.own["admin_password"]}
        self.primary.identity.run([self.primary.programs / program, *arguments], **options)

    def start(self, **settings: str | int) -> None:
        given = {"port": self.own["port"], "listen_addresses": "127.0.0.1", "fsync": "off"}
        given.update(unix_socket_directories=self.primary.home, cluster_name="follower", **settings)
        text = " ".join(f"-c {name}='{value}'" for name, value in given.items())
        self._run("pg_ctl", "start", "-w", "-D", self.data, "-l", self.data / "log", "-o", text)

    def freeze(self, bed: Bed) -> None:
        """Stop the process that receives, without an end of its connection."""
        [(pid,)] = self.server.admin("SELECT pid FROM pg_stat_wal_receiver")
        os.kill(pid, signal.SIGSTOP)
        bed.afterwards(os.kill, pid, signal.SIGCONT)


def follower(bed: Bed, server: Server, **settings: str | int) -> Follower:
    made = Follower(bed, server)
    made.start(**settings)
    streaming = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"
    eventually(lambda: server.admin(streaming))
    return made


def until_delay_known(server: Server) -> None:
    """Write until the standby has told how long it takes; once idle, that is forgotten again."""
    told = "SELECT 1 FROM pg_stat_replication WHERE replay_lag IS NOT NULL"
    eventually(lambda: server.admin("SELECT txid_current()") and server.admin(told))


ITEMS = "CREATE TABLE items (id int PRIMARY KEY)"


def subscriber(bed: Bed, publisher: Server, *before: str, with_: str = "") -> Server:
    """A server that has subscribed to `items`, and keeps its statistics for two minutes."""
    publisher.admin(ITEMS, "CREATE PUBLICATION p FOR TABLE items", database="shop")
    server = own_server(bed, wal_retrieve_retry_interval="1s")
    own = publisher.own
    where = f"host=127.0.0.1 port={own['port']} dbname=shop user={own['admin_user']}"
    given = f"WITH ({with_})" if with_ else ""
    server.admin(
        ITEMS,
        *before,
        f"CREATE SUBSCRIPTION s CONNECTION '{where} password={own['admin_password']}'"
        f" PUBLICATION p {given}",
        database="shop",
    )
    detach = (
        "ALTER SUBSCRIPTION s DISABLE",
        "ALTER SUBSCRIPTION s SET (slot_name = NONE)",
        "DROP SUBSCRIPTION s",
    )
    bed.afterwards(lambda: server.admin(*detach, database="shop"))
    return server


def conflicting(bed: Bed, with_: str = "") -> tuple[Server, Server]:
    """A publisher and a subscriber that has the published row already, so that it cannot apply."""
    publisher = own_server(bed, wal_level="logical")
    server = subscriber(bed, publisher, with_=with_)
    ready = "SELECT 1 FROM pg_subscription_rel WHERE srsubstate = 'r'"
    eventually(lambda: server.admin(ready, database="shop"))
    server.admin("INSERT INTO items VALUES (1)", database="shop")
    publisher.admin("INSERT INTO items VALUES (1)", database="shop")
    failed = "SELECT 1 FROM pg_stat_subscription_stats WHERE apply_error_count > 0"
    eventually(lambda: server.admin(failed, database="shop"))
    return publisher, server


def settled(server: Server) -> None:
    """Wait until the server has run long enough for the age of a worker to mean something."""
    eventually(
        lambda: server.admin("SELECT 1 WHERE now() > pg_postmaster_start_time() + interval '21 s'"),
        60,
    )


#: Transactions of one file of pg_xact, and its bytes.
TRANSACTIONS, BYTES = 32 * 8192 * 4, 32 * 8192


def use_up_transaction_ids(own: Throwaway, next_id: int) -> None:
    """Restart a server with the next transaction ID far ahead."""
    own.stop("fast")
    data = own.home / "data"
    reset = [own.programs / "pg_resetwal", "-x", str(next_id), "-D", data]
    own.identity.run(reset, **own.options)
    file = data / "pg_xact" / f"{next_id // TRANSACTIONS:04X}"
    file.write_bytes(bytes(BYTES))
    own.identity.own(file)
    own.start()
