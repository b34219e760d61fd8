"""pm2_health on the demo app."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from demo.stack import Stack
from tests.conftest import by_name
from tests.support.pm2 import Health


def on_demo(stack: Stack, health: Health, **options: Any) -> dict[str, Any]:
    return health(Path(stack.settings["pm2"]["home"]), "gpt-agent", instances=2, **options)


def test_the_demo_app_is_healthy(stack: Stack, health: Health) -> None:
    answer = on_demo(stack, health)
    process = by_name(answer, "app.process", "gpt-agent")
    assert process["status"] == "ok", process
    assert process["summary"].startswith("2 of 2 instances of gpt-agent online, running for")
    assert sorted(row["process"] for row in process["evidence"]) == sorted(row_pids(stack))
    memory = by_name(answer, "app.memory")
    assert memory["status"] == "ok", memory
    assert 5 < memory["value"] < 85
    assert by_name(answer, "app.restarts")["status"] == "ok"
    errors = by_name(answer, "app.errors")
    assert errors["status"] != "unknown", errors
    assert answer["changed"] is False


def row_pids(stack: Stack) -> list[int]:
    said = stack.run([stack.settings["bin"]["pm2"], "jlist", "--silent"]).stdout
    return [row["pid"] for row in json.loads(said)]


def test_one_instance_of_the_demo_app_fails_at_its_start(stack: Stack, health: Health) -> None:
    try:
        with stack.fault(crash=True, instance=1):
            stack.run([stack.settings["bin"]["pm2"], "restart", "gpt-agent"], check=False)
            until = time.monotonic() + 30
            process = by_name(on_demo(stack, health), "app.process")
            while process["value"] != 1 and time.monotonic() < until:
                time.sleep(0.5)
                process = by_name(on_demo(stack, health), "app.process")
    finally:
        stack.restart("app")
    assert process["status"] == "critical"
    assert process["summary"].startswith(
        "1 of 2 instances of gpt-agent online: id 1 is errored, PM2 gave up restarting it"
    ), process
    assert "pm2 restart gpt-agent" in process["remedy"]
    assert by_name(on_demo(stack, health), "app.process")["status"] == "ok", "recovered"


def test_the_demo_app_is_stopped(stack: Stack, health: Health) -> None:
    stack.stop("app")
    try:
        answer = on_demo(stack, health)
    finally:
        stack.start("app")
    process = by_name(answer, "app.process")
    assert (process["status"], process["value"]) == ("critical", 0)
    assert (
        process["summary"]
        == "0 of 2 instances of gpt-agent online: id 0 is stopped by hand; id 1 is stopped by hand"
    )
    assert "'pm2 restart gpt-agent'" in process["remedy"]
    assert not [check for check in answer["checks"] if check["name"] == "app.memory"]
    assert by_name(on_demo(stack, health), "app.process")["status"] == "ok", "recovered"
