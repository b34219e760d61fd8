"""Results of steps, as a morning may bring them, and reports of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from typing import Any

from jsonschema import Draft202012Validator

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import (
    CRITICAL,
    OK,
    UNKNOWN,
    WARNING,
    Action,
    Check,
    as_dicts,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.document import Run, build
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.formats import schema

THRESHOLDS = Thresholds(CATALOG)
GIB = 2**30


def problems(report: Mapping[str, Any]) -> list[str]:
    """Where a report breaks its schema."""
    return [
        f"{error.json_path}: {error.message[:200]}"
        for error in Draft202012Validator(schema()).iter_errors(report)
    ]


def run(**more: Any) -> Run:
    values: dict[str, Any] = {
        "playbook": "daily_checklist",
        "title": "Daily checklist",
        "started": datetime(2026, 11, 23, 6, 0, 0, tzinfo=timezone.utc),
        "finished": datetime(2026, 11, 23, 6, 0, 14, 300000, tzinfo=timezone.utc),
    }
    return Run(**{**values, **more})


def step(*checks: Check) -> dict[str, Any]:
    """What a probe that found these checks registers."""
    return {"changed": False, "failed": False, "checks": as_dicts(checks)}


def done(*actions: Action) -> dict[str, Any]:
    """What an act that did this registers."""
    return {"changed": True, "failed": False, "actions": as_dicts(actions), "checks": []}


def host_health(disk: float = 48.2, memory: float = 61) -> dict[str, Any]:
    judged = THRESHOLDS.evaluate
    return step(
        judged(
            "host.cpu",
            12.4,
            "12 % of 4 processors busy",
            window="sampled over 1.0 s",
            evidence=({"process": "node", "cpu": 7.1}, {"process": "postgres", "cpu": 3.0}),
        ),
        judged("host.memory", memory, f"{memory:g} % of 7.8 GiB in use"),
        judged(
            "host.disk_used",
            disk,
            f"{disk:g} % of 58.0 GiB used, {58 * (100 - disk) / 100:.1f} GiB free",
            subject="/",
            evidence=({"mount": "/", "device": "/dev/vda1", "size": 58 * GIB, "free": 24 * GIB},),
        ),
        judged("host.inodes_used", 9.1, "9.1 % of 3,801,088 inodes used", subject="/"),
        judged("host.load", 0.34, "0.34 tasks a processor over five minutes"),
        judged("host.swap", 0.0, "no swap space in use"),
        judged(
            "host.oom_kills",
            0,
            "no process was killed for lack of memory",
            window="since boot 41 days ago",
        ),
        judged("host.failed_units", 0, "no systemd unit has failed"),
        judged("host.clock", 0.0021, "the clock is right to 2.1 ms"),
    )


SESSIONS = (
    {"application": "worker", "state": "idle", "sessions": 61, "oldest": "3 h 12 min"},
    {"application": "gpt-agent", "state": "idle", "sessions": 19, "oldest": "4 min"},
    {"application": "gpt-agent", "state": "active", "sessions": 9, "oldest": "0.3 s"},
    {"application": "psql", "state": "idle in transaction", "sessions": 4, "oldest": "52 s"},
)


def postgres_health(used: int = 93) -> dict[str, Any]:
    judged = THRESHOLDS.evaluate
    return step(
        judged(
            "postgres.reachable", 0.0031, "PostgreSQL 18.6 on 127.0.0.1:5432 answered in 3.1 ms"
        ),
        judged(
            "postgres.connections",
            used / 97 * 100,
            f"{used} of 97 usable connections in use, 61 of them idle from app 'worker'",
            evidence=SESSIONS,
        ),
        judged(
            "postgres.idle_in_transaction",
            52,
            "the oldest session idle in a transaction waits for 52 s",
        ),
        judged(
            "postgres.cache_hit",
            99.2,
            "99.2 % of 4.1 million block reads were found in memory",
            window="2026-11-22T06:00Z/PT24H",
        ),
        THRESHOLDS.verdict(
            "postgres.query_time_mean",
            UNKNOWN,
            "pg_stat_statements is not installed in the database gpt_agent",
            remedy="Add it to shared_preload_libraries, restart, "
            "then 'CREATE EXTENSION pg_stat_statements'.",
        ),
        judged(
            "postgres.wraparound",
            104_000_000,
            "the oldest transaction id is 104 million transactions old",
        ),
        judged("postgres.deadlocks", 0, "no deadlock", window="2026-11-22T06:00Z/PT24H"),
    )


def app_health(errors: int = 3) -> dict[str, Any]:
    shapes = tuple(
        {"count": n, "message": m, "first": "2026-11-22T21:14:09Z"}
        for n, m in (
            (21, "ECONNREFUSED 10.0.0.7:6379"),
            (13, "TypeError: cannot read <id> of undefined"),
        )
    )
    return step(
        THRESHOLDS.verdict(
            "app.process",
            OK,
            "both instances of gpt-agent are online, up for 9 days",
            subject="gpt-agent",
            value=2,
        ),
        THRESHOLDS.evaluate(
            "app.memory", 41, "the largest instance uses 420 MiB of 1 GiB", subject="gpt-agent"
        ),
        THRESHOLDS.evaluate(
            "app.errors",
            errors,
            f"{errors} error messages of 2 shapes",
            subject="gpt-agent",
            window="2026-11-22T06:00Z/PT24H",
            evidence=shapes,
        ),
    )


def web_health(p95: float = 0.141) -> dict[str, Any]:
    url = "https://gpt-agent.example.com/api/health"
    return step(
        THRESHOLDS.verdict(
            "web.endpoint", OK, "answered 200 with status 'ok' in 84 ms", subject=url, value=0.084
        ),
        THRESHOLDS.evaluate(
            "web.response_time_p95",
            p95,
            f"95 % of 20 requests were answered within {p95 * 1000:.0f} ms",
            subject=url,
            window="20 requests now",
        ),
    )


def certificates_health(days: float = 61) -> dict[str, Any]:
    subject = "gpt-agent.example.com:443"
    return step(
        THRESHOLDS.evaluate(
            "certificate.expiry", days, f"expires in {days:g} days, on 2027-01-23", subject=subject
        ),
        THRESHOLDS.verdict(
            "certificate.chain", OK, "complete, up to ISRG Root X1", subject=subject
        ),
        THRESHOLDS.verdict(
            "certificate.hostname", OK, "issued for gpt-agent.example.com", subject=subject
        ),
    )


def healthy() -> dict[str, dict[str, Any]]:
    """One host that holds everything and is well."""
    steps = {
        "host": host_health(),
        "web": web_health(),
        "app": app_health(),
        "postgres": postgres_health(31),
        "certificates": certificates_health(),
    }
    steps["postgres"]["checks"] = [
        check for check in steps["postgres"]["checks"] if check["status"] == OK
    ]
    return {"demo": {f"__{name}_health": result for name, result in steps.items()}}


def bad_morning() -> dict[str, dict[str, Any]]:
    """Several hosts, and most of what can be wrong."""
    unreachable = {
        "changed": False,
        "unreachable": True,
        "msg": "Failed to connect to the host via ssh: "
        "ssh: connect to host 10.0.0.13 port 22: Connection refused",
    }
    return {
        "app1": {
            "__host_health": host_health(),
            "__app_health": app_health(34),
            "__web_health": web_health(0.72),
            "__certificates_health": certificates_health(12),
        },
        "app2": {
            "__host_health": host_health(93.4),
            "__app_health": app_health(),
            "__web_health": web_health(),
            "__certificates_health": certificates_health(12),
        },
        "app3": {"__host_health": unreachable},
        "db1": {
            "__host_health": host_health(84.9, 88),
            "__postgres_health": postgres_health(),
            "__redis_health": {
                "failed": True,
                "msg": "The Python library 'redis' is missing on db1 for /usr/bin/python3. "
                "Install the package 'python3-redis'.",
            },
        },
    }


def maintenance(check_mode: bool) -> dict[str, dict[str, Any]]:
    """A playbook that does something, or that would do it."""
    status = "planned" if check_mode else "done"
    figures: dict[str, Any] = {} if check_mode else {"seconds": 41.5, "bytes": 412 * 2**20}
    return {
        "db1": {
            "__postgres_maintain": done(
                Action(
                    "postgres.reindex",
                    status,
                    "62 % of the index is empty",
                    "public.orders_created_at",
                    "664 MiB",
                    None if check_mode else "252 MiB",
                    estimate=44.0,
                    **figures,
                ),
                Action(
                    "postgres.vacuum",
                    status,
                    "dead rows are 24 % of the table",
                    "public.sessions",
                    estimate=12.0,
                    seconds=None if check_mode else 9.8,
                ),
                Action("postgres.analyze", "skipped", "analysed 2 h ago", "public.users"),
            )
        }
    }


def report(
    hosts: dict[str, dict[str, Any]], dropped: Collection[str] = (), **more: Any
) -> dict[str, Any]:
    """The report of these hosts' variables, checked against the schema."""
    made = build(run(**more), hosts, dropped)
    assert problems(made) == []
    return made


def only_check(report: dict[str, Any]) -> dict[str, Any]:
    """The one check of a report."""
    assert len(report["checks"]) == 1, report["checks"]
    check: dict[str, Any] = report["checks"][0]
    return check


__all__ = [
    "CRITICAL",
    "OK",
    "UNKNOWN",
    "WARNING",
    "bad_morning",
    "healthy",
    "maintenance",
    "only_check",
    "report",
    "run",
    "step",
]
