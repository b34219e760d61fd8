"""Releases of the demo app on trial beside the live one, and the proof that the live one works."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.http import Target, ask
from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.monitor import ServiceMonitor
from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.url import Url
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release import verify as proof
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.backends.pm2 import Pm2
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import Release
from demo.stack import Stack


@pytest.fixture
def options(stack: Stack) -> Options:
    app = stack.settings["app"]
    url = f"http://127.0.0.1:{app['port']}/api/health"
    return Options(
        name=app["name"],
        pm2_home=stack.settings["pm2"]["home"],
        health_urls=(url, f"{url}/db"),
        version_url=url,
        trial_for=1.0,
        start_within=10.0,
        bake=1.5,
    )


def release_of(stack: Stack, version: str) -> Release:
    path = Path(stack.settings["app"]["releases"]) / version
    commit = (path / "REVISION").read_text().strip()
    return Release(version, version, str(path.resolve()), commit)


def trial(release: Release, options: Options) -> list[Check]:
    return Pm2(options).trial(release, lambda phase: None)


def verify(release: Release, options: Options, since: float | None) -> list[Check]:
    return proof.verify(release, options, Pm2(options).watch(since))


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {one.name: one for one in checks}


def test_both_versions_pass_their_trial(stack: Stack, options: Options) -> None:
    for version in ("v1.0.0", "v1.1.0"):
        (check,) = trial(release_of(stack, version), options)
        assert check.status == "ok", check
        assert check.summary == f"{version} answered 10 requests on trial for 1 s"


def test_a_trial_leaves_nothing_behind(stack: Stack, options: Options) -> None:
    release = release_of(stack, "v1.0.0")
    trial(release, replace(options, trial_for=0.0))
    assert not processes_in(release.path)


def test_a_release_that_is_not_healthy_on_trial(stack: Stack, options: Options) -> None:
    with stack.fault(instance=2, paths=["/api/health/db"], status=500):
        (check,) = trial(release_of(stack, "v1.0.0"), replace(options, start_within=4.0))
    assert check.status == "critical"
    assert "it was not healthy within 4 s: port " in check.summary
    assert check.summary.endswith("/api/health/db: status 500")


def test_a_release_that_ends_on_trial(stack: Stack, options: Options) -> None:
    with stack.fault(instance=2, crash=True):
        (check,) = trial(release_of(stack, "v1.0.0"), options)
    assert check.status == "critical"
    assert "v1.0.0 failed on trial: it ended with exit code 1 after " in check.summary
    assert check.summary.endswith("its last message: 'Error: fault file: told to crash at start'")


def test_the_trial_ends_when_whoever_runs_it_is_killed(stack: Stack, options: Options) -> None:
    release = release_of(stack, "v1.0.0")
    runner = os.fork()
    if not runner:
        trial(release, replace(options, trial_for=60.0))
        os._exit(1)
    wait_until(lambda: bool(processes_in(release.path)))
    os.kill(runner, signal.SIGKILL)
    os.waitpid(runner, 0)
    wait_until(lambda: not processes_in(release.path))


def test_the_live_release_is_proven(stack: Stack, options: Options) -> None:
    checks = verify(release_of(stack, "v1.1.0"), options, None)
    assert {one.status for one in checks} == {"ok"}, checks


def test_another_release_is_not(stack: Stack, options: Options) -> None:
    checks = by_name(verify(release_of(stack, "v1.0.0"), replace(options, bake=0.0), None))
    assert checks["release.process"].status == "critical"
    assert "id 0 is process " in checks["release.process"].summary
    assert checks["release.process"].summary.endswith("/releases/v1.1.0")
    assert checks["release.version"].status == "critical"
    assert "answers: it says commit " in checks["release.version"].summary


def test_processes_from_before_the_switch(stack: Stack, options: Options) -> None:
    release = release_of(stack, "v1.1.0")
    checks = by_name(verify(release, replace(options, bake=0.0), time.time()))
    assert checks["release.process"].status == "critical"
    assert "started before the switch" in checks["release.process"].summary


def test_new_errors_since_the_switch(stack: Stack, options: Options) -> None:
    since = time.time()
    with stack.fault(paths=["/api/health"], log="Error: cannot find the moon 4711"):
        found = verify(release_of(stack, "v1.1.0"), options, since)
    check = by_name(found)["release.errors"]
    assert check.status == "warning", found
    assert "new error messages, first of all 'Error: cannot find the moon <n>'" in check.summary


def monitor_of(url: str) -> ServiceMonitor:
    return ServiceMonitor(partial(ask, Target(Url.parse("health_urls", url))))


def test_the_monitor_of_a_service_that_works(options: Options) -> None:
    monitor = monitor_of(options.health_urls[0]).start()
    time.sleep(1)
    found = monitor.stop()
    assert (found.failed, found.seconds) == (0, 0.0), found
    assert found.requests > 2


def test_the_monitor_of_a_service_that_fails_for_a_while(stack: Stack, options: Options) -> None:
    monitor = monitor_of(options.health_urls[0]).start()
    time.sleep(0.5)
    began = time.monotonic()
    with stack.fault(paths=["/api/health"], status=503):
        time.sleep(1)
    time.sleep(0.5)
    found = monitor.stop()
    assert found.failed > 2, found
    assert 0.5 < found.seconds < time.monotonic() - began, found
    assert "; the first: status 503" in found.shown


def processes_in(folder: str) -> list[str]:
    """The processes that work in a folder."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{entry}/cwd") == folder:
                found.append(entry)
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
