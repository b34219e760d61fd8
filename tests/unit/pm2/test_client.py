"""PM2's protocol: what is sent, what is understood, and what never gets through."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import (
    Deadline,
    DeadlineExceeded,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2 import client as pm2
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.client import (
    App,
    Client,
    Instance,
    NotAllowed,
    Unavailable,
    applications,
    encode,
)

SECRET = "hunter2-of-the-environment"

Answer = Callable[[bytes], bytes]


@pytest.fixture
def home() -> Iterator[str]:
    """A short path: the name of a socket may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="pm2-") as folder:
        yield folder


@pytest.fixture
def daemon(home: str) -> Iterator[Callable[[Answer], None]]:
    """A socket that gives one connection the answers it is told to give."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{home}/rpc.sock")
    listener.listen(1)
    threads = []

    def serve(answer: Answer) -> None:
        def run() -> None:
            connection = listener.accept()[0]
            with connection, contextlib.suppress(ConnectionError):
                while request := connection.recv(65536):
                    said = answer(request)
                    if not said:
                        return
                    connection.sendall(said)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()

    yield serve
    listener.close()
    for thread in threads:
        thread.join(5)


def parts_of(message: bytes) -> list[bytes]:
    """An AMP message taken apart, by another way than the client's own."""
    assert message[0] >> 4 == 1
    parts, at = [], 1
    for _ in range(message[0] & 15):
        (length,) = struct.unpack_from(">I", message, at)
        parts.append(message[at + 4 : at + 4 + length])
        at += 4 + length
    assert at == len(message)
    return parts


def replying(body: Any) -> Answer:
    return lambda request: encode([b"j:" + json.dumps(body).encode(), parts_of(request)[1]])


def row(**env: Any) -> dict[str, Any]:
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


@given(st.lists(st.binary(max_size=2000), max_size=15))
def test_a_message_is_what_was_put_into_it(arguments: list[bytes]) -> None:
    assert parts_of(encode(arguments)) == arguments


def test_a_call_asks_for_a_method_and_takes_the_answer_to_it(
    home: str, daemon: Callable[[Answer], None]
) -> None:
    asked: list[bytes] = []

    def answer(request: bytes) -> bytes:
        asked.append(request)
        return replying({"args": [[row()]]})(request)

    daemon(answer)
    with Client(home, Deadline(5)) as client:
        assert client.daemon_pid == os.getpid()
        assert [found.name for found in client.instances()] == ["gpt-agent"]
        assert [found.pid for found in client.instances()] == [42], (
            "a connection serves for several looks"
        )
    assert json.loads(parts_of(asked[0])[0][2:]) == {
        "type": "call",
        "method": "getMonitorData",
        "args": [{}],
    }
    assert parts_of(asked[0])[1] != parts_of(asked[1])[1]


def test_an_answer_may_come_in_any_pieces(home: str, daemon: Callable[[Answer], None]) -> None:
    daemon(replying({"args": [[row(big="x" * 3_000_000)]]}))
    with Client(home, Deadline(5)) as client:
        assert len(client.instances()) == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda request: b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak PM2's protocol"),
        (lambda request: b"", "closed the connection before it answered"),
        (
            lambda request: encode([b"j:" + b"{", parts_of(request)[1]]),
            "does not answer as PM2 does",
        ),
        (
            lambda request: encode([b'j:{"args":[]}', b"s:someone else's"]),
            "does not answer as PM2 does",
        ),
        (lambda request: bytes([0x12]) + b"\xff\xff\xff\xff", "announced 4294967295 bytes"),
        (
            replying({"error": f"cannot do it with {SECRET}", "stack": SECRET}),
            "refused getMonitorData; see pm2.log",
        ),
        (replying({"args": [{"no": "list"}]}), "sent no list of processes"),
        (replying({"args": []}), "sent no list of processes"),
    ],
)
def test_what_is_no_answer_of_pm2_is_told_in_a_sentence(
    home: str, daemon: Callable[[Answer], None], answer: Answer, sentence: str
) -> None:
    daemon(answer)
    with Client(home, Deadline(5)) as client, pytest.raises(Unavailable, match=sentence) as failure:
        client.instances()
    assert home in str(failure.value)
    assert SECRET not in repr(failure.value)
    assert failure.value.__cause__ is None


def test_an_answer_that_does_not_come_ends_with_the_time(home: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{home}/rpc.sock")
        listener.listen(1)
        with Client(home, Deadline(0.2)) as client, pytest.raises(DeadlineExceeded):
            client.instances()


def test_a_daemon_that_is_not_there(home: str) -> None:
    with pytest.raises(Unavailable, match="there is no folder"):
        Client(f"{home}/none", Deadline(1))
    with pytest.raises(Unavailable, match=r"there is no socket .*rpc\.sock"):
        Client(home, Deadline(1))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{home}/rpc.sock")
    with pytest.raises(
        Unavailable, match=r"nothing listens on .* a daemon that died left it behind"
    ):
        Client(home, Deadline(1))
    Path(f"{home}/rpc.sock").unlink()
    Path(f"{home}/rpc.sock").write_text("")
    with pytest.raises(Unavailable):
        Client(home, Deadline(1))
    assert os.listdir(home) == ["rpc.sock"], "looking leaves nothing behind"


def test_a_path_too_long_for_a_socket_is_told(home: str) -> None:
    with pytest.raises(Unavailable, match="too long"):
        Client(f"{home}/{'x' * 200}", Deadline(1))


def test_a_full_queue_is_a_daemon_that_hangs(home: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{home}/rpc.sock")
        listener.listen(0)
        waiting = []
        try:
            with pytest.raises((Unavailable, DeadlineExceeded)) as failure:
                waiting.extend(Client(home, Deadline(0.5)) for _ in range(20))
            assert failure.type is DeadlineExceeded or "accepts no more connections" in str(
                failure.value
            )
        finally:
            for client in waiting:
                client.__exit__()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may connect to every socket")
def test_a_socket_that_is_not_ours(home: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{home}/rpc.sock")
        listener.listen(1)
        os.chmod(f"{home}/rpc.sock", 0)
        with pytest.raises(NotAllowed, match="may not connect to"):
            Client(home, Deadline(1))


def test_nothing_but_the_known_fields_is_kept() -> None:
    kept = pm2._instance(
        row(
            restart_time=4,
            pm_uptime=1_700_000_000_500,
            max_memory_restart=104857600,
            exit_code=1,
            namespace="blue",
        )
    )
    assert SECRET not in repr(kept)
    assert kept == Instance(
        3,
        "gpt-agent",
        "blue",
        "online",
        pid=42,
        restarts=4,
        started=1_700_000_000.5,
        exit_code=1,
        memory=1000,
        memory_limit=104857600,
    )


JSON = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["", "7", "online", [], [1], {}, {"isModule": 1}, {"memory": "x"}]),
)
FIELDS = st.sampled_from(
    [
        "pm_id",
        "name",
        "namespace",
        "status",
        "restart_time",
        "pm_uptime",
        "created_at",
        "exit_code",
        "max_memory_restart",
        "kill_timeout",
        "axm_options",
    ]
)


@given(
    st.dictionaries(FIELDS, JSON), st.dictionaries(st.sampled_from(["pid", "name", "monit"]), JSON)
)
def test_a_field_of_any_kind_does_no_harm(env: dict[str, Any], outside: dict[str, Any]) -> None:
    """Variables of the environment are copied over PM2's own fields, so any of them can hold anything."""
    kept = pm2._instance({**row(**env), **outside})
    assert isinstance(kept.restarts, int)
    assert isinstance(kept.status, str)


@pytest.mark.parametrize(
    ("more", "by_itself"),
    [
        ({"restarts": 0}, False),
        ({"restarts": 9}, False),
        ({"restarts": 9, "started": 105.0}, True),
        ({"restarts": 9, "started": 102.0}, False),
        ({"restarts": 9, "started": 105.0, "kill_timeout": 30.0}, False),
        ({"restarts": 9, "unstable_restarts": 1}, False),
        ({"restarts": 9, "unstable_restarts": 2}, True),
        ({"restarts": 9, "created": None}, False),
        ({"restarts": 0, "started": 999999.0}, False),
    ],
    ids=str,
)
def test_a_restart_that_nobody_asked_for_leaves_the_time_of_creation(
    more: dict[str, Any], by_itself: bool
) -> None:
    one = Instance(
        **{
            "pm_id": 0,
            "name": "a",
            "namespace": "default",
            "status": "online",
            "started": 100.5,
            "created": 100.0,
            **more,
        }
    )
    assert one.restarted_by_itself is by_itself


def test_apps_are_known_by_namespace_and_name_and_modules_are_none() -> None:
    def one(pm_id: int, name: str, namespace: str = "default", **more: Any) -> Instance:
        return Instance(pm_id, name, namespace, "online", **more)

    rows = [
        one(4, "web"),
        one(1, "worker", "blue"),
        one(0, "web"),
        one(2, "worker"),
        one(3, "pm2-logrotate", module=True),
    ]
    assert applications(rows) == [
        App("worker", "blue", (rows[1],)),
        App("web", "default", (rows[2], rows[0])),
        App("worker", "default", (rows[3],)),
    ]
    assert [app.label for app in applications(rows)] == ["blue/worker", "web", "worker"]
    assert [app.label for app in applications(rows, "blue")] == ["blue/worker"]


def test_modules_are_told_from_apps_in_both_ways_that_pm2_marks_them() -> None:
    assert pm2._instance(row(pmx_module=True)).module
    assert pm2._instance(row(axm_options={"isModule": True})).module
    assert not pm2._instance(row(axm_options={"isModule": "", "error": True})).module


def test_the_home_is_the_one_that_pm2_itself_would_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/deploy")
    monkeypatch.delenv("PM2_HOME", raising=False)
    assert pm2.default_home() == "/home/deploy/.pm2"
    monkeypatch.setenv("PM2_HOME", "/srv/pm2")
    assert pm2.default_home() == "/srv/pm2"
