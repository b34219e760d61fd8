"""The demo stack heals, stays out of the way of others, and goes without a trace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from demo.processes import Identity, StackError, wait_until
from demo.stack import Stack
from tests.conftest import ROOT
from tests.support.demo import SERVICES, ask, assert_healthy, command, invoke, states, traces


@pytest.mark.parametrize("service", ["postgres", "redis"])
def test_a_lost_service_is_a_503_within_bounded_time(stack: Stack, service: str) -> None:
    path = {"postgres": "/api/health/db", "redis": "/api/health/redis"}[service]
    stopped = stack.pid(service)
    os.kill(stopped, signal.SIGSTOP)
    try:
        if service == "redis":  # a frozen postmaster does not hinder its sessions
            begin = time.monotonic()
            assert ask(stack, path)[0] == 503
            assert time.monotonic() - begin < 5
    finally:
        os.kill(stopped, signal.SIGCONT)
    try:
        stack.stop(service)
        assert ask(stack, path)[0] == 503
        assert ask(stack, "/api/health")[0] == 200
    finally:
        stack.start(service)
    assert wait_until(lambda: ask(stack, path)[0] == 200, 10)


@pytest.mark.parametrize("service", SERVICES)
def test_up_heals_a_killed_service(stack: Stack, service: str) -> None:
    port = stack.settings[service].get("port")
    os.kill(stack.pid(service), signal.SIGKILL)
    stack.up()
    assert stack.settings[service].get("port") == port
    assert_healthy(stack)


@pytest.mark.parametrize("service", ["postgres", "redis", "nginx", "pm2"])
def test_up_heals_a_frozen_service(stack: Stack, service: str) -> None:
    os.kill(stack.pid(service), signal.SIGSTOP)
    stack.up()
    assert_healthy(stack)


def test_up_heals_what_a_kill_of_everything_leaves(stack: Stack) -> None:
    for state in stack.status().values():
        os.kill(state["pid"], signal.SIGKILL)
    stack.up()
    assert_healthy(stack)


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_stops_starts_and_restarts(stack: Stack, service: str) -> None:
    before = stack.pid(service)
    stack.stop(service)
    assert not stack.status()[service]["running"]
    with pytest.raises(StackError, match=f"{service} does not run"):
        stack.pid(service)
    stack.start(service)
    stack.restart(service)
    assert stack.pid(service) != before
    stack.up()
    assert_healthy(stack)


STEPS: dict[str, Callable[[Path], bool]] = {
    "settings": lambda home: (home / "stack.json").exists(),
    "initdb": lambda home: (home / "postgres" / "data.new").exists(),
    "postgres": lambda home: (home / "postgres" / "data" / "postmaster.pid").exists(),
    "repository": lambda home: (home / ".repository.new" / ".git").exists(),
    "release": lambda home: (home / "releases" / ".v1.0.0.new").exists(),
    "daemon": lambda home: (home / "pm2" / "pm2.log").exists(),
    "instances": lambda home: any((home / "pm2" / "pids").glob("*.pid")),
}


@pytest.mark.parametrize("step", STEPS)
def test_up_works_after_an_up_that_was_killed(own: Stack, step: str) -> None:
    with subprocess.Popen(
        command(own.directory, "up"), cwd=ROOT, stderr=subprocess.DEVNULL
    ) as killed:
        assert wait_until(lambda: STEPS[step](own.directory), 60, 0.002)
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    own.up()
    assert_healthy(own)


def test_down_works_after_an_up_and_a_down_that_were_killed(own: Stack) -> None:
    for action, seconds in (("up", 0.9), ("down", 0.3), ("up", 1.3)):
        with subprocess.Popen(
            command(own.directory, action), cwd=ROOT, stderr=subprocess.DEVNULL
        ) as killed:
            time.sleep(seconds)
            killed.kill()
    own.down()
    assert not any(state["running"] for state in own.status().values())
    assert wait_until(lambda: traces(own.directory) == [], 10)


def test_two_ups_at_once_make_one_stack(own: Stack) -> None:
    pair = [
        subprocess.Popen(command(own.directory, "up"), cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=180)[1] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said
    assert sum("postgres started" in text for text in said) == 1
    assert sum("which is changing this stack" in text for text in said) == 1
    assert_healthy(own)


def test_stacks_side_by_side_do_not_meet(stack: Stack, own: Stack) -> None:
    before = states(stack)
    own.up()
    assert_healthy(own)
    assert_healthy(stack)

    def ports(settings: Any) -> set[int]:
        return {settings[name]["port"] for name in ("postgres", "redis", "app")} | {
            settings["nginx"]["http_port"],
            settings["nginx"]["https_port"],
        }

    assert not ports(stack.settings) & ports(own.settings)
    assert stack.settings["postgres"]["password"] != own.settings["postgres"]["password"]
    own.down()
    assert states(stack) == before


def test_ports_are_kept_unless_somebody_else_has_them(own: Stack) -> None:
    own.up()
    before = own.settings
    own.down()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before["postgres"]["port"]))
        other.listen()
        own.up()
        after = own.settings
        assert after["postgres"]["port"] != before["postgres"]["port"]
        for name, key in (("redis", "port"), ("nginx", "https_port"), ("app", "port")):
            assert after[name][key] == before[name][key]
        assert_healthy(own)


def test_down_leaves_nothing_and_purge_removes_the_directory(own: Stack) -> None:
    own.up()
    own.down()
    assert wait_until(lambda: traces(own.directory) == [], 10)
    for name, key in (
        ("postgres", "port"),
        ("redis", "port"),
        ("nginx", "https_port"),
        ("app", "port"),
    ):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", own.settings[name][key]), timeout=5)
    own.down()
    own.down(purge=True)
    assert not own.directory.exists()
    own.down(purge=True)


@pytest.mark.parametrize("arguments", [["up"], ["down"], ["down", "--purge"]])
def test_a_folder_with_something_else_in_it_is_left_alone(
    tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = invoke(tmp_path, *arguments)
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_secrets_are_in_no_process_list_and_in_no_other_file(own: Stack) -> None:
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            for entry in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    seen.add((entry / "cmdline").read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        own.up()
    finally:
        done.set()
        watcher.join()
    assert any(b"initdb" in line for line in seen)
    settings = own.settings
    secrets = [
        settings["postgres"]["password"],
        settings["postgres"]["admin_password"],
        settings["redis"]["password"],
    ]
    assert not [line for line in seen if any(secret.encode() in line for secret in secrets)]
    holding = {}
    for file in own.directory.rglob("*"):
        if file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            if any(secret.encode() in content for secret in secrets):
                holding[str(file.relative_to(own.directory))] = oct(file.stat().st_mode & 0o777)
    assert holding == dict.fromkeys(["stack.json", "shared/.env", "redis/valkey.conf"], "0o600")
    assert own.directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another user")
def test_where_user_namespaces_are_refused_the_services_run_as_another_user(
    own: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Identity, "choose", classmethod(lambda cls: cls(uid=65534, gid=65534)))
    own.up()
    assert_healthy(own)
    assert {os.stat(f"/proc/{state['pid']}").st_uid for state in own.status().values()} == {65534}
    home = Path(own.settings["directory"])
    os.kill(own.pid("postgres"), signal.SIGKILL)
    own.up()
    assert_healthy(own)
    own.deploy("v1.2.0")
    assert wait_until(lambda: ask(own, "/api/health")[0] == 500, 10)
    own.down(purge=True)
    assert not home.exists()
    assert traces(home) == []


def test_a_directory_too_deep_for_sockets_gets_a_short_name(tmp_path: Path) -> None:
    deep = Stack(tmp_path / ("d" * 60) / ("e" * 60))
    deep.up()
    try:
        assert_healthy(deep)
        home = Path(deep.settings["directory"])
        assert home.is_symlink()
        deep.up()
        assert Path(deep.settings["directory"]) == home
    finally:
        deep.down(purge=True)
    assert not home.parent.exists()
    assert traces(tmp_path) == []
