"""Real faults of a demo stack, each a context manager: ``with stopped("redis")(stack): …``."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg2

from demo.certificates import Authority
from demo.stack import Stack

Inject = Callable[[Stack], AbstractContextManager[None]]


@contextlib.contextmanager
def nothing(stack: Stack) -> Iterator[None]:
    yield


def stopped(service: str) -> Inject:
    @contextlib.contextmanager
    def inject(stack: Stack) -> Iterator[None]:
        stack.stop(service)
        try:
            yield
        finally:
            stack.up()

    return inject


def frozen(service: str) -> Inject:
    @contextlib.contextmanager
    def inject(stack: Stack) -> Iterator[None]:
        pid = stack.pid(service)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    return inject


def misbehaving(**fault: Any) -> Inject:
    return lambda stack: stack.fault(**fault)


def pm2(stack: Stack, *arguments: str) -> str:
    return stack.run([stack.settings["bin"]["pm2"], *arguments], check=False).stdout


def crashing(**which: int) -> Inject:
    """The app, or one instance of it, ends as soon as it starts."""

    @contextlib.contextmanager
    def inject(stack: Stack) -> Iterator[None]:
        with stack.fault(crash=True, **which):
            pm2(stack, "restart", str(which.get("instance", stack.settings["app"]["name"])))
            yield
        # Its restarts are forgotten with it; 'up' starts it anew.
        pm2(stack, "delete", stack.settings["app"]["name"])

    return inject


@contextlib.contextmanager
def one_instance_errored(stack: Stack) -> Iterator[None]:
    with crashing(instance=1)(stack):
        wait_for(lambda: "errored" in pm2(stack, "jlist", "--silent"))
        yield


def wait_for(true: Callable[[], bool], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def serving(which: str, *, reload: bool = True) -> Inject:
    """nginx with another certificate: one of the methods of the demo's authority."""

    @contextlib.contextmanager
    def inject(stack: Stack) -> Iterator[None]:
        files = stack.settings["certificates"]
        authority = Authority(Path(files["ca"]).parent)
        getattr(authority, which)().install(files)
        try:
            if reload:
                stack.reload("nginx")
            yield
        finally:
            authority.issue().install(files)
            stack.reload("nginx")

    return inject


@contextlib.contextmanager
def out_of_slots(stack: Stack) -> Iterator[None]:
    taken = []
    try:
        with contextlib.suppress(psycopg2.OperationalError):
            for _ in range(500):
                taken.append(psycopg2.connect(stack.database_url, application_name="leaky worker"))
        assert taken
        yield
    finally:
        for connection in taken:
            connection.close()
