"""redis_config: settings that survive a restart, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule, by_name
from tests.support.redis_server import ENCODED, PASSWORD, PROGRAMS, Server, needs_program

Configure = Callable[..., dict[str, Any]]
SECRET = "Zq7tOpSeCrEt"


@pytest.fixture
def configure(run_module: RunModule) -> Configure:
    def run(server: Server, settings: dict[str, Any], **options: Any) -> dict[str, Any]:
        check = bool(options.pop("check", False))
        url = options.pop("url", server.url)
        given = {"redis_url": url, "settings": settings, **options}
        answer = run_module("redis_config", given, check=check)
        said = json.dumps(answer, ensure_ascii=False)
        assert SECRET not in said
        assert PASSWORD not in said
        return answer

    return run


@pytest.fixture(params=[pytest.param(name, marks=mark) for name, mark in needs_program.items()])
def program(request: pytest.FixtureRequest) -> Path:
    path = PROGRAMS[request.param]
    assert path
    return path


@pytest.fixture
def server(program: Path, tmp_path: Path) -> Any:
    file = tmp_path / "etc" / "redis.conf"
    file.parent.mkdir()
    file.write_text(f'save ""\nmasterauth {SECRET}\nmaxmemory 100mb\n')
    own = Server(tmp_path / "server", program, str(file))
    yield own
    own.stop()


def statuses(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["subject"], action["status"]) for action in answer["actions"]]


WANTED = {
    "maxmemory": "200mb",
    "maxmemory-policy": "allkeys-lru",
    "save": "3600 1 300 100",
    "client-output-buffer-limit": "pubsub 64mb 16mb 60",
    "notify-keyspace-events": "KEA",
    "slowlog-max-len": 256,
}


def test_settings_survive_a_restart(
    server: Server, program: Path, tmp_path: Path, configure: Configure
) -> None:
    file = tmp_path / "etc" / "redis.conf"
    before = file.read_text()
    plan = configure(server, WANTED, purpose="cache", check=True)
    assert {status for _name, status in statuses(plan)} == {"planned"}
    assert len(plan["actions"]) == len(WANTED) + 1
    assert file.read_text() == before
    assert server.client.config_get("maxmemory")["maxmemory"] == "104857600"
    done = configure(server, WANTED, purpose="cache")
    assert {status for _name, status in statuses(done)} == {"done"}, done
    assert done["persistent"] is True, done
    for check in (True, False):
        again = configure(server, WANTED, purpose="cache", check=check)
        assert (again["changed"], again["actions"]) == (False, [])
        assert by_name(again, "redis.config_drift")["status"] == "ok"
    server.stop()
    restarted = Server(tmp_path / "again", program, str(file))
    try:
        assert restarted.client.config_get("maxmemory")["maxmemory"] == "209715200"
        assert restarted.client.config_get("masterauth")["masterauth"] == SECRET
    finally:
        restarted.stop()


def test_what_others_have_set_is_not_made_permanent(server: Server, configure: Configure) -> None:
    server.client.config_set("timeout", "77")
    plan = configure(server, {"hz": 20}, check=True)
    assert statuses(plan) == [("hz", "planned")]
    assert "timeout '77'" in by_name(plan, "redis.config_persisted")["summary"]
    answer = configure(server, {"hz": 20})
    assert statuses(answer) == [("hz", "done")]
    assert answer["persistent"] is False
    assert "timeout '77' (file: '0')" in by_name(answer, "redis.config_persisted")["summary"]
    assert by_name(answer, "redis.config_drift")["value"] == 2
    both = configure(server, {"hz": 20, "timeout": 77})
    assert (both["persistent"], statuses(both)[0][1]) == (True, "done")


REFUSED: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({"maxmemory": "1kb"}, {"purpose": "cache"}, "is less than the"),
    ({"maxmemory": "900gb"}, {"purpose": "cache"}, "is more than"),
    ({"maxmemory": "lots"}, {"purpose": "cache"}, "is not a size such as 2gb"),
    ({"maxmemory-policy": "allkeys-lru"}, {}, "declare what this Redis is for"),
    ({"maxmemory-policy": "allkeys-lru"}, {"purpose": "queue"}, "silently evicts jobs"),
    ({"maxmemory-policy": "allkeys-lfu"}, {"purpose": "session"}, "silently evicts sessions"),
    ({"no-such-setting": "1"}, {}, "this server has no setting no-such-setting"),
    ({"requirepass": SECRET}, {}, "requirepass is a secret"),
    ({"masterauth": SECRET}, {}, "masterauth is a secret"),
    ({"port": 1}, {}, "port can cut clients off"),
    ({"hz": {"a": 1}}, {}, "hz must be a text, a number or a list"),
]


def test_what_is_refused(server: Server, configure: Configure) -> None:
    before = server.client.config_get("*")
    for settings, more, reason in REFUSED:
        refused = configure(server, {"hz": 20, **settings}, check=len(settings) % 2 == 0, **more)
        assert refused["failed"]
        assert reason in refused["msg"]
        assert not refused.get("actions")
    assert server.client.config_get("*") == before


def test_a_setting_that_the_server_rejects_leaves_the_others(
    server: Server, configure: Configure
) -> None:
    refused = configure(server, {"hz": 20, "maxmemory-samples": "lots"})
    assert refused["failed"]
    assert {status for _name, status in statuses(refused)} == {"failed"}
    assert server.client.config_get("hz")["hz"] == "10"


def test_a_file_that_cannot_be_written(
    server: Server, tmp_path: Path, configure: Configure
) -> None:
    shutil.rmtree(tmp_path / "etc")
    answer = configure(server, {"hz": 20})
    assert statuses(answer) == [("hz", "done"), (str(tmp_path / "etc/redis.conf"), "failed")]
    assert answer["persistent"] is False
    assert "No such file" in by_name(answer, "redis.config_persisted")["summary"]
    assert by_name(answer, "redis.config_drift")["status"] == "unknown"


def test_no_file(program: Path, tmp_path: Path, configure: Configure) -> None:
    own = Server(tmp_path / "bare", program)
    try:
        answer = configure(own, {"hz": 20})
        assert (statuses(answer), answer["persistent"]) == ([("hz", "done")], False)
        assert (
            "without a configuration file" in (by_name(answer, "redis.config_persisted")["summary"])
        )
        assert configure(own, {"hz": 20})["changed"] is False
        assert by_name(answer, "redis.config_drift")["not_judged"]
    finally:
        own.stop()


def test_config_is_renamed_or_refused(program: Path, tmp_path: Path, configure: Configure) -> None:
    own = Server(tmp_path / "bare", program, "--rename-command", "CONFIG", "")
    try:
        refused = configure(own, {"hz": 20})
        assert refused["msg"].startswith(f"127.0.0.1:{own.port} does not offer CONFIG GET")
        assert "managed service" in refused["msg"]
    finally:
        own.stop()
    own = Server(tmp_path / "hidden", program, "--rename-command", "INFO", "hidden")
    try:
        refused = configure(own, {"hz": 20}, check=True)
        assert refused["msg"].startswith(f"127.0.0.1:{own.port} does not offer INFO")
        assert "remove the line of INFO" in by_name(refused, "redis.config")["remedy"]
    finally:
        own.stop()
    own = Server(tmp_path / "other", program)
    try:
        rights = "on ~* +info +config|get +client"
        own.client.execute_command("ACL", "SETUSER", "half", *rights.split(), f">{PASSWORD}")
        refused = configure(own, {"hz": 20}, url=f"redis://half:{ENCODED}@127.0.0.1:{own.port}")
        assert "lacks permission for CONFIG SET" in refused["msg"]
        assert "+config|set" in refused["msg"]
    finally:
        own.stop()
