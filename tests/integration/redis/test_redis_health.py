"""redis_health against the demo stack, and its state between runs."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.conftest import by_name
from tests.support.redis_server import ALL, ENCODED, Ask, Start, only


def test_the_demo_is_healthy(stack: Any, ask: Ask) -> None:
    answer = ask(stack.redis_url, purpose="cache", min_lookups=1)
    assert {check["name"] for check in answer["checks"]} == ALL
    assert "warnings" not in answer
    bad = [
        check
        for check in answer["checks"]
        if check["status"] in ("warning", "critical") and check["name"] != "redis.hit_rate"
    ]
    assert not bad
    assert answer["target"] == f"127.0.0.1:{stack.settings['redis']['port']}"
    reachable = by_name(answer, "redis.reachable")
    assert 0 < reachable["value"] < 1
    assert reachable["summary"].startswith("Valkey 9.")
    assert f"127.0.0.1:{stack.settings['redis']['port']}" in reachable["summary"]
    assert "maxmemory" in by_name(answer, "redis.memory")["summary"]
    assert by_name(answer, "redis.eviction_policy")["summary"] == "allkeys-lru fits a cache"
    assert "of 10,000 client connections" in by_name(answer, "redis.clients")["summary"]
    assert stack.settings["redis"]["password"] not in json.dumps(answer)


def test_stopped_and_started_again(stack: Any, ask: Ask) -> None:
    stack.stop("redis")
    try:
        check = only(ask(stack.redis_url))
    finally:
        stack.start("redis")
    assert "connection refused" in check["summary"]
    assert str(stack.settings["redis"]["port"]) in check["summary"]
    assert by_name(ask(stack.redis_url), "redis.reachable")["status"] == "ok"


def test_frozen_and_resumed(stack: Any, ask: Ask) -> None:
    pid = stack.pid("redis")
    os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        check = only(ask(stack.redis_url))
        seconds = time.monotonic() - started
        hurried = only(ask(stack.redis_url, timeout=1))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert seconds < 11
    assert "accepts connections but gave no answer" in check["summary"]
    assert "restart" in check["remedy"]
    assert "no" in hurried["summary"]
    assert by_name(ask(stack.redis_url), "redis.reachable")["status"] == "ok"


def test_a_password_missing_and_wrong(stack: Any, ask: Ask) -> None:
    own = stack.settings["redis"]
    where = f"{own['host']}:{own['port']}"
    assert "needs a password" in only(ask(f"redis://{where}/0"))["summary"]
    check = only(ask(f"redis://:{ENCODED}@{where}/0"))
    assert "refuses the password" in check["summary"]
    assert "redis_url" in check["remedy"]


def test_check_mode_keeps_nothing(start: Start, ask: Ask, tmp_path: Path) -> None:
    server = start()
    names = [check["name"] for check in ask(server.url, check=True)["checks"]]
    assert not (tmp_path / "state").exists()
    assert names == [check["name"] for check in ask(server.url)["checks"]]
    (file,) = (tmp_path / "state").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_state_that_cannot_be_kept_or_read(start: Start, ask: Ask, tmp_path: Path) -> None:
    server = start()
    (tmp_path / "file").write_text("")
    answer = ask(server.url, state_dir=str(tmp_path / "file/below"))
    assert "state_dir" in json.dumps(answer["warnings"])
    assert {check["name"] for check in answer["checks"]} == ALL
    ask(server.url)
    (file,) = (tmp_path / "state").iterdir()
    file.write_text('{"samples": [{"time": "NaN", "epoch": 3, "counters": []}, 7')
    answer = ask(server.url)
    assert "warnings" not in answer
    assert json.loads(file.read_text())["samples"]


def test_two_at_once(start: Start, ask: Ask, tmp_path: Path) -> None:
    server = start()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _number: ask(server.url), range(4)))
    assert all(
        {check["name"] for check in answer["checks"]} == ALL and "warnings" not in answer
        for answer in answers
    )
    (file,) = (tmp_path / "state").iterdir()
    assert len(json.loads(file.read_text())["samples"]) == 1
