"""What an app reports to PM2; nothing else of its environment is kept."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.reported import (
    reported,
)


def test_figures_in_base_units() -> None:
    monitor = {
        "Event Loop Latency p95": {"value": "12.5", "unit": "ms"},
        "Used Heap Size": {"value": "10.00", "unit": "MiB"},
        "Active handles": {"value": 4},
        "HTTP": {"value": "1req/s"},
        "Heap Size": {"value": None},
    }
    env = {"pm_id": 3, "axm_monitor": monitor, "DATABASE_URL": "postgres://u:hunter2@db:6000/x"}
    found = reported([{"pm2_env": env}])[3]
    assert found.figures == {"delay": 0.0125, "heap_used": 10 << 20, "handles": 4.0}
    assert found.database_port == 6000
    assert "hunter2" not in repr(found)


def test_nonsense() -> None:
    for env in (
        {"pm_id": 1, "axm_monitor": [], "DATABASE_URL": "postgres://db:x/y"},
        {"pm_id": 1, "axm_monitor": {"Active handles": "many"}, "env": None},
    ):
        found = reported([{"pm2_env": env}])[1]
        assert (found.figures, found.database_port) == ({}, None)
    assert reported([{"pm2_env": {"pm_id": "x"}}]) == {}
    default = reported([{"pm2_env": {"pm_id": 1, "env": {"DATABASE_URL": "postgres://db/y"}}}])
    assert default[1].database_port == 5432
