"""Instances and snapshots of PM2 for the unit tests, around one fixed moment."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Delta
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2 import assess as pm2_assess
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.history import History
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import Instance
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.snapshot import Snapshot

NOW = 1_795_413_600.0
THRESHOLDS = Thresholds(CHECKS)
MIB = 1 << 20
SECRET = "hunter2-of-the-environment"


def instance(
    pm_id: int = 0,
    status: str = "online",
    *,
    age: float = 3 * 86400,
    since: float | None = None,
    **more: Any,
) -> Instance:
    """``age`` is how many seconds ago it was started, ``since`` how many ago on purpose."""
    created = None if status == "errored" else NOW - (age if since is None else since)
    pid = 100 + pm_id if status == "online" else 0
    defaults = {"pid": pid, "started": NOW - age, "created": created, "memory": 50 * MIB}
    return Instance(pm_id, "gpt-agent", "default", status, **{**defaults, **more})


def assess(
    *rows: Instance,
    expected: int | None = None,
    crash_restarts: dict[int, int] | None = None,
    delta: Delta | None = None,
    history: History | None = None,
    thresholds: Thresholds = THRESHOLDS,
) -> dict[str, Check]:
    """The checks of one app by name; ``delta`` are its restarts since the last run."""
    totals = {str(row.pm_id): float(row.restarts) for row in rows}
    snapshot = Snapshot(
        taken=NOW,
        instances=rows,
        daemon_id="1:2",
        history=history or History(),
        watched=1.5 if crash_restarts else 0.0,
        crash_restarts=crash_restarts or {},
        restarts={"gpt-agent": delta or Delta(totals, "since it was added to PM2", 0.0, False)},
    )
    options = Options("/home/deploy/.pm2", instances=expected)
    return {check.name: check for check in pm2_assess.assess(snapshot, options, thresholds)}


def since_last_run(**counters: float) -> Delta:
    """Restarts since the last run a day ago, by id: ``_0=2`` are two of instance 0."""
    by_id = {key.strip("_"): value for key, value in counters.items()}
    return Delta(by_id, "2026-11-22T06:00Z/PT24H", 86400.0, True)


def row(**env: Any) -> dict[str, Any]:
    """A row of PM2's answer, with a secret in its environment."""
    return {
        "pid": 42,
        "name": "gpt-agent",
        "pm_id": 3,
        "monit": {"memory": 1000, "cpu": 0},
        "pm2_env": {
            "pm_id": 3,
            "name": "gpt-agent",
            "status": "online",
            "DATABASE_PASSWORD": SECRET,
            "env": {"DATABASE_PASSWORD": SECRET},
            **env,
        },
    }
