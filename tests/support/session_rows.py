"""Sessions of PostgreSQL as plain data, for tests of what is decided from them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.snapshot import (
    Slots,
)

FLAGS = ("superuser", "replication", "listens", "locks", "prepared")


FACTS = {"max_connections": 100, "reserved": 3, "role": "operator", "sees_all": True}


def session(pid: int = 1, **more: Any) -> dict[str, Any]:
    row = {
        "pid": pid,
        "application": "worker",
        "user": "app",
        "role": "app",
        "database": "shop",
        "client": "10.0.0.7",
        "state": "idle",
        "seconds": 600.0,
    }
    return {
        **row,
        **dict.fromkeys(FLAGS, False),
        "started": f"started {pid}",
        "since": "since",
        "mine": True,
        **more,
    }


def options(**more: Any) -> Options:
    given = {
        "usage": 70,
        "idle_age": 300,
        "idle_in_transaction_age": 300,
        "keep_per_application": 0,
        "max_ended": 1000,
    }
    return Options(**{**given, **more})


def slots(limit: int) -> list[Slots]:
    return [Slots(limit, "usable connections")]


def pids(rows: list[Any]) -> list[int]:
    return [row["pid"] for row in rows]


SESSIONS = st.lists(
    st.builds(
        session,
        pid=st.integers(1, 10**6),
        application=st.sampled_from(
            ["worker", "web", "", None, "PgBouncer", "gpt_agent.runbook/pg_health"]
        ),
        user=st.sampled_from(["app", "rival"]),
        database=st.sampled_from(["shop", "other"]),
        client=st.sampled_from(["10.0.0.7", "192.168.1.1", "::1", None]),
        state=st.sampled_from(
            [
                "idle",
                "idle in transaction",
                "idle in transaction (aborted)",
                "active",
                "hidden",
                "starting",
                "fastpath function call",
            ]
        ),
        seconds=st.none() | st.floats(-5, 10_000),
        **dict.fromkeys(FLAGS, st.sampled_from([False, False, False, True])),
    ),
    unique_by=lambda row: row["pid"],
    max_size=60,
)


OPTIONS = st.builds(
    options,
    usage=st.floats(0.5, 100),
    idle_age=st.sampled_from([0, 10, 300]),
    idle_in_transaction_age=st.sampled_from([0, 10, 300]),
    keep_per_application=st.integers(0, 5),
    max_ended=st.integers(0, 20),
    poolers=st.just(("pgbouncer*",)),
    protect_users=st.sampled_from([(), ("rival",)]),
    protect_databases=st.sampled_from([(), ("other",)]),
    protect_addresses=st.sampled_from([(), ("10.0.0.0/8", "local"), ("::/0",)]),
)
