"""Made-up maintenance runs, and what an operator asks for."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.maintenance.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.maintenance.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.maintenance.record import (
    Controller,
    PartResult,
    Run,
)

THRESHOLDS = Thresholds(CHECKS)
NOW = 1_800_000_000.0
HERE = {"name": "ctl1", "place": "boot pid:[1]", "pid": 4711, "started": "99", "owner": "dora"}
PARTS = ("dependencies", "database", "logs", "certificates")


def params(state: str = "begun", **given: Any) -> dict[str, Any]:
    """The parameters of maintenance_run."""
    return {
        "state": state,
        "parts": list(PARTS),
        "host_parts": list(PARTS),
        "part": None,
        "read_only": [],
        "reason": "",
        "window": [],
        "limits": {},
        "despite": [],
        "locks": [],
        "resume_within": 24.0,
        "take_over": "",
        "state_dir": None,
        "controller": HERE,
        "observed": {"host": "app1"},
        **given,
    }


def options(state: str = "begun", **given: Any) -> Options:
    return Options.from_params(params(state, **given))


def run(**given: Any) -> Run:
    """A run that began an hour ago."""
    values: dict[str, Any] = {
        "id": "r1",
        "began": NOW - 3600,
        "controller": Controller(**HERE),
        "order": PARTS,
        "alive": NOW - 60,
        "lease": 900.0,
    }
    return Run(**{**values, **given})


def result(status: str, **given: Any) -> PartResult:
    return PartResult(status, NOW - 600, **given)
