"""A healthy PostgreSQL server as plain data, and the checks of one that differs from it."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Delta, Sample
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.assess import assess
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.snapshot import (
    Databases,
    Sessions,
    Snapshot,
    Statements,
    Wal,
)

FACTS: dict[str, Any] = {
    "version": "18.6 (Debian 18.6-1)",
    "role": "app",
    "sees_all": True,
    "standby": False,
    "started": 0,
    "now": 9 * 86400,
    "max_connections": 100,
    "reserved": 3,
    "archive_mode": "off",
    "archive_command": "(disabled)",
    "archive_library": "",
    "sync_names": "",
    "sync_commit": "on",
    "read_only": False,
    "prepared_limit": 0,
}
SAMPLE = Sample(0, "", {})
NOTHING = {
    "archived": 0,
    "failed": 0,
    "last_archived_wal": None,
    "last_failed_wal": None,
    "archived_seconds": None,
    "failed_seconds": None,
    "position": 0x0A_00000010,
    "segment": 16 * 1024**2,
}


def counted(
    hit: float = 0,
    read: float = 0,
    deadlocks: float = 0,
    since_last_run: bool = True,
    seconds: float = 86400,
) -> Delta:
    return Delta(
        {"hit": hit, "read": read, "deadlocks": deadlocks}, "the window", seconds, since_last_run
    )


def group(
    count: int,
    application: str = "worker",
    state: str = "idle",
    user: str = "app",
    database: str = "shop",
) -> dict[str, Any]:
    return {
        "application": application,
        "user": user,
        "database": database,
        "state": state,
        "count": count,
    }


def session(**more: Any) -> dict[str, Any]:
    row = {
        "pid": 7,
        "application": "worker",
        "user": "app",
        "database": "shop",
        "client": None,
        "state": "active",
        "statement": "SELECT 'hunter2'",
    }
    return {**row, "state_seconds": 1.0, "transaction_seconds": 1.0, **more}


def database(name: str | None = "shop", **more: Any) -> dict[str, Any]:
    return {
        "oid": 5,
        "name": name,
        "connection_limit": -1,
        "allows": True,
        "xid_age": 20,
        "mxid_age": 1,
        "hit": 0,
        "read": 0,
        "deadlocks": 0,
        "reset": None,
        "checksum_failures": 0,
        "checksum_seconds": None,
        "read_only": False,
        **more,
    }


SESSIONS = Sessions([], [], [], 0, None, None, {})
DATABASES = Databases(
    [database()], counted(9990, 10), counted(9990, 10, since_last_run=False), SAMPLE
)
WAL = Wal([], [], None, NOTHING, None)
STATEMENTS = Statements(1000, 2.0, "the window", [], SAMPLE)
SNAPSHOT = Snapshot("db:5432", 0.004, FACTS, SESSIONS, DATABASES, WAL, STATEMENTS)


def checks(
    replicas: int = 0,
    thresholds: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
    options: Options | None = None,
    **parts: Any,
) -> list[Check]:
    snapshot = SNAPSHOT._replace(facts={**FACTS, **(facts or {})}, **parts)
    return list(assess(snapshot, options or Options(replicas), Thresholds(CHECKS, thresholds)))


def one(name: str, subject: str = "", **more: Any) -> Check:
    found = [
        check
        for check in checks(**more)
        if check.name == f"postgres.{name}" and check.subject == subject
    ]
    assert len(found) == 1, found
    return found[0]


REPLAY = {
    "receiving": True,
    "visible": True,
    "message_seconds": 1.0,
    "receiver_timeout": 60.0,
    "sender_timeout": 60.0,
    "streams": True,
    "restores": False,
    "delay": 0.0,
    "target": "",
    "caught_up": True,
    "paused": False,
    "replayed_seconds": 86400.0,
}


def standby(
    name: str = "s1",
    behind: int | None = 0,
    lag: float | None = None,
    state: str | None = "streaming",
    **more: Any,
) -> dict[str, Any]:
    return {
        "pid": 5,
        "application": name,
        "client": "10.0.0.9",
        "state": state,
        "sync": "async",
        "behind_bytes": behind,
        "lag_seconds": lag,
        "replays": True,
        **more,
    }


def slot(name: str = "s1", **more: Any) -> dict[str, Any]:
    row = {
        "slot_name": name,
        "slot_type": "physical",
        "active": False,
        "active_pid": None,
        "wal_status": "reserved",
        "kept_bytes": 3 << 30,
        "xmin_age": None,
    }
    return {**row, **more}
