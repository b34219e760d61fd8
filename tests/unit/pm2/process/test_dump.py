"""Whether PM2's dump is what PM2 runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.dump import (
    dump_problem,
)


def row(name: str = "web", **fields: Any) -> dict[str, Any]:
    env = {"name": name, "pm_cwd": "/srv", "env": {"A": "1"}, "pm_id": 3, **fields}
    return {"pm2_env": env}


def test_a_dump_in_step(tmp_path: Path) -> None:
    assert dump_problem(str(tmp_path), [row()]) == "nothing was ever saved"
    dump = tmp_path / "dump.pm2"
    dump.write_text(json.dumps([row(restart_time=7)["pm2_env"]]))
    assert dump_problem(str(tmp_path), [row()]) == ""
    assert dump_problem(str(tmp_path), [row(), row("pm2-logrotate", pmx_module=True)]) == ""


def test_a_dump_out_of_step(tmp_path: Path) -> None:
    dump = tmp_path / "dump.pm2"
    dump.write_text(json.dumps([row()["pm2_env"]]))
    for rows in ([row(), row()], [row(pm_cwd="/new")], [row(env={"A": "2"})], []):
        assert dump_problem(str(tmp_path), rows) == "it differs from PM2's list: web"
    dump.write_text("[{")
    assert dump_problem(str(tmp_path), [row()]) == "it cannot be read"
