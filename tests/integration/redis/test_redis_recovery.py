"""redis_recovery: each cause on a real server, and whether a restart is the cure."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule, by_name
from tests.support.mounts import mounted, mounts_of_its_own, needs_mount
from tests.support.redis_server import PROGRAMS, Server, Start
from tests.support.redis_truth import snapshot, until
from tests.support.throwaway import listening

Recover = Callable[..., dict[str, Any]]
SECRET = "Zq7tOpSeCrEt"


@pytest.fixture
def recover(run_module: RunModule) -> Recover:
    """Inspect a server; by default as one that is started by a command."""

    def run(server: Server | None = None, *, check: bool = False, **options: Any) -> dict[str, Any]:
        given: dict[str, Any] = {"restart_command": ["true"], "timeout": 4}
        if server:
            file = server.folder / "for-the-module.conf"
            if server.folder.exists():
                file.write_text(f"port {server.port}\ndir {server.folder}\n")
            given |= {"redis_url": server.url, "log_file": str(server.folder / "log")}
            given["config_file"] = str(file)
        answer = run_module("redis_recovery", {**given, **options}, check=check)
        assert SECRET not in json.dumps(answer)
        return answer

    return run


def found(answer: dict[str, Any]) -> tuple[str, bool, str]:
    return answer["cure"], answer["restart"], by_name(answer, "redis.recovery")["summary"]


def test_one_that_works(start_each: Start, recover: Recover) -> None:
    answer = recover(start_each())
    assert found(answer)[:2] == ("nothing", False)
    assert (answer["works"], answer["changed"]) == (True, False)


def test_one_that_was_stopped(start_each: Start, recover: Recover) -> None:
    server = start_each()
    server.process.terminate()
    server.process.wait()
    cure, restart, text = found(recover(server))
    assert (cure, restart) == ("restart", True)
    assert "it was stopped, it did not crash; a restart is the cure" in text
    plan = recover(server, check=True)
    assert [(a["name"], a["status"]) for a in plan["actions"]] == [("redis.restart", "planned")]
    unknown = recover(server, restart_command=None)
    assert found(unknown)[:2] == ("restart", False)
    assert "nothing is known that starts Redis here" in found(unknown)[2]


def test_one_that_was_killed(start: Start, recover: Recover) -> None:
    server = start()
    server.stop()
    assert found(recover(server))[:2] == ("restart", True)


def test_one_that_was_suspended(start: Start, recover: Recover) -> None:
    server = start()
    server.process.send_signal(signal.SIGSTOP)
    answer = recover(server)
    assert found(answer)[:2] == ("other", False)
    assert f"kill -CONT {server.process.pid}" in by_name(answer, "redis.recovery")["remedy"]


@pytest.mark.parametrize("socket_of", [None, "s"])
def test_one_that_is_down_beside_another(
    start_each: Start, recover: Recover, socket_of: str | None
) -> None:
    dead, other = start_each(), start_each()
    dead.stop()
    url = f"unix://{dead.folder}/s" if socket_of else dead.url
    answer = recover(redis_url=url, restart_command=None)
    cure, restart, text = found(answer)
    assert (cure, restart, answer["works"]) == ("restart", False, False)
    assert text.startswith("Redis is down (nothing listens on ")
    assert "nothing is known that starts Redis here" in text
    evidence = by_name(answer, "redis.recovery")["evidence"]
    running = next(row["found"] for row in evidence if row["what"] == "running")
    assert f"process {other.process.pid} " in running
    assert f"on 127.0.0.1:{other.port}, {other.folder}/s" in running
    assert found(recover(redis_url=url))[:2] == ("restart", True), "by the command given for it"
    still = recover(redis_url=url, wait=0.5, attempt={"because": "Redis is down"})
    assert "restarted, and it still does not work" in still["msg"]
    assert other.process.poll() is None


def test_one_that_hangs_beside_another(start: Start, recover: Recover) -> None:
    _other, hanging = start(), start()
    hanging.process.send_signal(signal.SIGSTOP)
    for url in (hanging.url, f"unix://{hanging.folder}/s"):
        answer = recover(redis_url=url, timeout=1)
        assert found(answer)[0] == "other"
        remedy = by_name(answer, "redis.recovery")["remedy"]
        assert f"kill -CONT {hanging.process.pid}" in remedy

    def never_answer(connection: socket.socket) -> None:
        while connection.recv(4096):
            pass

    with listening(never_answer) as port:
        answer = recover(redis_url=f"redis://127.0.0.1:{port}", timeout=1)
    assert found(answer)[:2] == ("other", False), "what hangs there is no Redis of this host"


def test_one_that_listens_on_another_address(start: Start, recover: Recover) -> None:
    server = start()
    answer = recover(redis_url=f"redis://127.0.0.2:{server.port}")
    assert found(answer)[:2] == ("other", False)
    assert f"but Redis runs: process {server.process.pid} " in found(answer)[2]


@pytest.mark.parametrize("rights", [None, "on >secret +ping +select", "on >secret -@all"])
def test_one_that_does_not_tell_its_state(
    start_each: Start, recover: Recover, rights: str | None
) -> None:
    server = start_each(*(() if rights else ("--rename-command", "INFO", "hidden")))
    url = server.url
    if rights:
        server.client.execute_command("ACL", "SETUSER", "half", *rights.split())
        url = f"redis://half:secret@127.0.0.1:{server.port}"
    answer = recover(redis_url=url)
    assert found(answer)[:2] == ("nothing", False)
    check = by_name(answer, "redis.recovery")
    assert (check["status"], answer["works"]) == ("unknown", False)
    assert "whether it takes writes is not known" in check["summary"]
    assert ("ACL SETUSER half" if rights else "line of INFO") in check["remedy"]
    done = recover(redis_url=url, attempt={"because": "Redis is down"})
    assert [(a["name"], a["status"]) for a in done["actions"]] == [("redis.restart", "done")]


def test_clients_that_are_paused(start: Start, recover: Recover) -> None:
    server = start()
    server.client.execute_command("CLIENT", "PAUSE", "100000", "ALL")
    cure, restart, text = found(recover(server))
    assert (cure, restart) == ("restart", True)
    assert "its clients are paused" in text


@pytest.mark.parametrize("program", ["valkey", "redis-6.2"])
def test_an_error_in_its_configuration(program: str, tmp_path: Path, recover: Recover) -> None:
    path = PROGRAMS[program]
    if not path:
        pytest.skip(f"no server {program} is installed here")
    file = tmp_path / "redis.conf"
    file.write_text(f"maxmemory 1mb\nrequirepass {SECRET} and more\n")
    named = _named(tmp_path, 1)
    with pytest.raises(AssertionError):
        Server(tmp_path / "server", path, str(file))
    assert SECRET in (tmp_path / "server" / "log").read_text()
    log = str(tmp_path / "server" / "log")
    answer = recover(redis_url="redis://127.0.0.1:1", log_file=log, config_file=named)
    cure, restart, text = found(answer)
    assert (cure, restart) == ("other", False)
    assert "its configuration file has an error in line 2 (requirepass)" in text
    Path(named).touch()
    cure, _restart, text = found(
        recover(redis_url="redis://127.0.0.1:1", log_file=log, config_file=named)
    )
    assert cure == "restart"
    assert "and its files were changed since" in text


def _named(folder: Path, port: int) -> str:
    file = folder / "named.conf"
    file.write_text(f"port {port}\ndir {folder}\n")
    return str(file)


def test_a_port_that_another_process_has(tmp_path: Path, recover: Recover) -> None:
    path = PROGRAMS["valkey"]
    assert path
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        log = tmp_path / "log"
        log.write_text(
            "1:M 28 Nov 2026 12:00:00.000 * oO0OoO0OoO0Oo Valkey is starting oO0OoO0OoO0Oo\n"
            f"1:M 28 Nov 2026 12:00:00.001 # Warning: Could not create server TCP listening socket "
            f"127.0.0.1:{port}: bind: Address already in use\n"
        )
        given = {
            "redis_url": f"redis://127.0.0.1:{port}",
            "log_file": str(log),
            "config_file": _named(tmp_path, port),
        }
        assert found(recover(**given))[:2] == ("restart", True), "it does not listen"
        taken.listen()
        cure, restart, _text = found(recover(**given))
        assert (cure, restart) == ("other", False)


def test_data_that_cannot_be_read(tmp_path: Path, recover: Recover) -> None:
    path = PROGRAMS["valkey"]
    assert path
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dump.rdb").write_bytes(b"REDIS0009\xfa\x09redis-ver" + b"\xff" * 40)
    with suppress(AssertionError):
        server = Server(tmp_path / "server", path, "--dir", str(tmp_path / "data"))
        until(lambda: server.process.poll() is not None)
    log = str(tmp_path / "server" / "log")
    answer = recover(redis_url="redis://127.0.0.1:1", log_file=log, config_file=_named(tmp_path, 1))
    cure, restart, text = found(answer)
    assert (cure, restart) == ("other", False), answer
    assert "it cannot read its own data file" in text


def test_writes_that_are_refused(start_each: Start, recover: Recover, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    server = start_each("--dir", str(tmp_path / "gone"))
    server.client.config_set("save", "3600 1")
    server.client.set("key", "value")
    (tmp_path / "gone").rmdir()
    snapshot(server, "err")
    cure, restart, text = found(recover(server))
    assert (cure, restart) == ("other", False)
    assert "every write is refused, as the last snapshot failed (MISCONF)" in text


@needs_mount
def test_a_full_disk(tmp_path: Path, recover: Recover) -> None:
    path = PROGRAMS["valkey"]
    assert path
    with mounts_of_its_own(), mounted(tmp_path / "disk", "tmpfs", options="size=1m"):
        server = Server(tmp_path / "disk" / "server", path)
        server.stop()
        answer = recover(server)
        assert found(answer)[:2] == ("other", False)
        assert "is full" in found(answer)[2]


@needs_mount
@pytest.mark.parametrize(("size", "save"), [("1m", 'save ""'), ("6m", "save 3600 1")])
def test_a_disk_with_little_room_is_not_full_for_little_data(
    tmp_path: Path, recover: Recover, size: str, save: str
) -> None:
    path = PROGRAMS["valkey"]
    assert path
    with mounts_of_its_own(), mounted(tmp_path / "disk", "tmpfs", options=f"size={size}"):
        server = Server(tmp_path / "disk" / "server", path)
        server.client.set("key", "x" * 1000)
        server.client.save()
        server.stop()
        file = tmp_path / "redis.conf"
        file.write_text(f"port {server.port}\ndir {server.folder}\n{save}\n")
        assert found(recover(server, config_file=str(file)))[:2] == ("restart", True)


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "wait"),
        (b"-ERR max number of clients reached\r\n", "other"),
        (b"-NOAUTH Authentication required.\r\n", "other"),
        (b"-BUSY Redis is busy running a script\r\n", "other"),
        (b"-ERR something that no one has heard of\r\n", "other"),
    ],
)
def test_one_that_answers_is_never_restarted(recover: Recover, said: bytes, cure: str) -> None:
    def serve(connection: socket.socket) -> None:
        while connection.recv(4096):
            connection.sendall(said)

    with listening(serve) as port:
        answer = recover(redis_url=f"redis://127.0.0.1:{port}")
    assert found(answer)[:2] == (cure, False)


def test_one_on_another_host_is_never_restarted(recover: Recover) -> None:
    answer = recover(redis_url="redis://192.0.2.1:6379", timeout=1)
    assert found(answer)[:2] == ("other", False)
    assert "on the server's own host" in by_name(answer, "redis.recovery")["remedy"]


def test_a_restart_is_verified(start: Start, recover: Recover) -> None:
    server = start()
    done = recover(server, attempt={"because": "Redis is down", "seconds": 0.5})
    assert [(a["name"], a["status"]) for a in done["actions"]] == [("redis.restart", "done")]
    assert (done["works"], done["changed"]) == (True, True)
    server.stop()
    failed = recover(server, wait=0.5, attempt={"because": "Redis is down"})
    assert failed["failed"]
    assert "restarted, and it still does not work" in failed["msg"]
    text = found(failed)[2]
    assert "Redis is down; a restart has not cured that (restarted)" in text
    assert "is the cure" not in text
    refused = recover(
        server, wait=0.5, attempt={"failed": True, "text": "no permission", "because": "Down"}
    )
    assert "the restart failed: no permission" in refused["msg"]
    assert found(refused)[2].endswith("(a restart failed; before that: Down)")
