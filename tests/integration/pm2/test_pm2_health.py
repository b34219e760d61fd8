"""pm2_health against real daemons: the demo stack's, and PM2s of the tests' own for every fault there is."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.stack import Stack
from tests.conftest import ROOT, RunModule, by_name
from tests.support.pm2 import APP, SECRET, Pm2, own_pm2

Look = Callable[..., dict[str, Any]]


def timed(path: Path, *ages: float, text: str = "it broke") -> None:
    """Append messages to a log as PM2 would have done it so many seconds ago."""
    with path.open("a") as stream:
        for age in ages:
            stream.write(
                time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() - age))
                + f": {text}\n    at run (/srv/app.js:1:2)\n"
            )


@pytest.fixture(scope="module")
def pm2() -> Iterator[Pm2]:
    """One daemon with an app of each kind; tests leave them as they found them."""
    with own_pm2() as own:
        own.start(
            {
                "name": "web",
                "exec_mode": "cluster",
                "instances": 2,
                "max_memory_restart": "300M",
                "time": True,
            },
            {
                "name": "mixed",
                "exec_mode": "cluster",
                "instances": 2,
                "max_restarts": 2,
                "min_uptime": 20000,
                "env": {"FAILING": "1"},
            },
            {"name": "stopped"},
            {
                "name": "job",
                "autorestart": False,
                "cron_restart": "0 3 * * *",
                "env": {"LIFE": "1", "CODE": "0"},
            },
            {"name": "backoff", "exp_backoff_restart_delay": 14000, "env": {"LIFE": "1"}},
            {"name": "worker", "namespace": "blue", "time": True},
            {"name": "untimed", "env": {"SAY": "cannot read 1|cannot read 2|other"}},
            {"name": "json", "log_type": "json", "env": {"SAY": "cannot read 1|cannot read 2"}},
            {
                "name": "pino",
                "env": {
                    "SAY": json.dumps(
                        {
                            "level": 50,
                            "time": int(time.time() * 1000),
                            "msg": "cannot read 'x'",
                            "password": SECRET,
                        }
                    )
                },
            },
            {"name": "silenced", "error_file": "/dev/null"},
            {
                "name": "mingled",
                "out_file": "all.log",
                "error_file": "all.log",
                "time": True,
                "env": {"SAY": "something"},
            },
        )
        own.cli("stop", "stopped")
        own.wait("job", lambda rows: rows[0]["pm2_env"]["status"] == "stopped")
        own.wait(
            "mixed",
            lambda rows: sorted(row["pm2_env"]["status"] for row in rows) == ["errored", "online"],
        )
        for name, last in (
            ("untimed", "other"),
            ("json", "read 2"),
            ("pino", "read 'x'"),
            ("mingled", "something"),
        ):
            own.said(name, last)
        yield own


@pytest.fixture
def look(run_module: RunModule, tmp_path: Path) -> Look:
    """Run the module on a home; nothing that it says or keeps may hold the secret of the apps' environment."""

    def run(home: Path, *names: str, check: bool = False, **options: Any) -> dict[str, Any]:
        state = tmp_path / "state"
        answer = run_module(
            "pm2_health",
            {"pm2_home": str(home), "app": list(names), "state_dir": str(state), **options},
            check=check,
        )
        kept = "".join(path.read_text() for path in state.rglob("*")) if state.exists() else ""
        assert SECRET not in json.dumps(answer) + kept
        assert "failed" not in answer, answer
        assert "warnings" not in answer, answer
        return answer

    return run


# --- the demo stack -----------------------------------------------------------------------------------------------


def on_demo(stack: Stack, look: Look, **options: Any) -> dict[str, Any]:
    return look(Path(stack.settings["pm2"]["home"]), "gpt-agent", instances=2, **options)


def test_the_demo_app_is_well(stack: Stack, look: Look) -> None:
    answer = on_demo(stack, look)
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


def test_one_instance_of_the_demo_app_fails_at_its_start(stack: Stack, look: Look) -> None:
    try:
        with stack.fault(crash=True, instance=1):
            stack.run([stack.settings["bin"]["pm2"], "restart", "gpt-agent"], check=False)
            until = time.monotonic() + 30
            while (process := by_name(on_demo(stack, look), "app.process"))[
                "value"
            ] != 1 and time.monotonic() < until:
                time.sleep(0.5)
    finally:
        stack.restart("app")
    assert process["status"] == "critical"
    assert process["summary"].startswith(
        "1 of 2 instances of gpt-agent online: id 1 is errored, PM2 gave up restarting it"
    ), process
    assert "pm2 restart gpt-agent" in process["remedy"]
    assert by_name(on_demo(stack, look), "app.process")["status"] == "ok", "recovered"


def test_the_demo_app_is_stopped(stack: Stack, look: Look) -> None:
    stack.stop("app")
    try:
        answer = on_demo(stack, look)
    finally:
        stack.start("app")
    process = by_name(answer, "app.process")
    assert (process["status"], process["value"]) == ("critical", 0)
    assert (
        process["summary"]
        == "0 of 2 instances of gpt-agent online: id 0 is stopped; id 1 is stopped"
    )
    assert "'pm2 restart gpt-agent'" in process["remedy"]
    assert not [check for check in answer["checks"] if check["name"] == "app.memory"]
    assert by_name(on_demo(stack, look), "app.process")["status"] == "ok", "recovered"


# --- processes ----------------------------------------------------------------------------------------------------


def test_every_app_gets_its_verdict(pm2: Pm2, look: Look) -> None:
    found = {
        check["subject"]: check["status"]
        for check in look(pm2.home)["checks"]
        if check["name"] == "app.process"
    }
    assert found == {
        "blue/worker": "ok",
        "web": "ok",
        "mixed": "critical",
        "stopped": "critical",
        "job": "ok",
        "backoff": "critical",
        "untimed": "ok",
        "json": "ok",
        "pino": "ok",
        "silenced": "ok",
        "mingled": "ok",
    }


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        (
            "mixed",
            r"1 of 2 instances of mixed online: id \d+ is errored, PM2 gave up restarting it \(exit code 3\)$",
        ),
        ("stopped", r"0 of 1 instances of stopped online: id \d+ is stopped"),
        ("job", r"job rests until cron starts it again, its last run went well$"),
        (
            "backoff",
            r"0 of 1 instances of backoff online: id \d+ has exited and waits to be restarted",
        ),
    ],
)
def test_what_keeps_an_app_from_being_online_is_told(
    pm2: Pm2, look: Look, name: str, summary: str
) -> None:
    assert re.match(summary, by_name(look(pm2.home, name), "app.process")["summary"])


def test_modules_of_pm2_are_no_apps(look: Look, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(
        json.dumps({"name": "pm2-idle", "version": "1.0.0", "main": "app.js", "config": {}})
    )
    (tmp_path / "app.js").write_text(APP)
    with own_pm2() as own:
        own.cli("install", ".", cwd=tmp_path)
        assert [row["pm2_env"]["status"] for row in own.rows("pm2-idle")] == ["online"], (
            "PM2 has it in its list"
        )
        (check,) = look(own.home)["checks"]
        assert (check["status"], check["summary"]) == (
            "critical",
            "PM2 runs, and no app is in its list",
        )
        own.start({"name": "app", "time": True})
        assert {check["subject"] for check in look(own.home)["checks"]} == {"app"}


def test_a_namespace_narrows_the_look(pm2: Pm2, look: Look) -> None:
    assert {check["subject"] for check in look(pm2.home, namespace="blue")["checks"]} == {
        "blue/worker"
    }
    gone = by_name(look(pm2.home, "web", namespace="blue"), "app.process")
    assert gone["status"] == "critical"


def test_an_app_that_is_not_in_the_list(pm2: Pm2, look: Look) -> None:
    answer = look(pm2.home, "gone", "web")
    gone = by_name(answer, "app.process", "gone")
    assert gone["status"] == "critical"
    assert gone["summary"].startswith("gone is not in PM2's list, it holds ")
    assert "pm2 resurrect" in gone["remedy"]
    assert by_name(answer, "app.process", "web")["status"] == "ok", "the rest is complete"


def test_fewer_instances_than_wanted(pm2: Pm2, look: Look) -> None:
    process = by_name(look(pm2.home, "web", instances=3), "app.process")
    assert (process["status"], process["value"]) == ("critical", 2)
    assert process["summary"] == "2 of 3 instances of web online: PM2 has 2 of them in its list"
    assert process["remedy"] == "'pm2 scale web 3', then 'pm2 save'."


@pytest.mark.parametrize(("mode", "life"), [("fork", 150), ("cluster", 150), ("fork", 1300)])
def test_the_first_look_recognises_a_crash_loop(look: Look, mode: str, life: int) -> None:
    """Below min_uptime, where PM2 counts the exits as unstable, and above it, where it would restart for ever."""
    with own_pm2() as own:
        own.start(
            {"name": "loop", "exec_mode": mode, "max_restarts": 1000, "env": {"LIFE": str(life)}}
        )
        own.wait("loop", lambda rows: rows[0]["pm2_env"]["restart_time"] >= 1)
        process = by_name(look(own.home, "loop"), "app.process")
    assert process["status"] == "critical"
    assert "is in a crash loop, restarted " in process["summary"]
    assert "error log" in process["remedy"]


def test_an_app_that_pm2_gave_up_on(look: Look) -> None:
    with own_pm2() as own:
        own.start(
            {
                "name": "hopeless",
                "max_restarts": 2,
                "min_uptime": 20000,
                "time": True,
                "env": {"LIFE": "10", "SAY": "Error: no configuration"},
            }
        )
        own.wait("hopeless", lambda rows: rows[0]["pm2_env"]["status"] == "errored")
        answer = look(own.home, "hopeless")
    process = by_name(answer, "app.process")
    assert process["status"] == "critical"
    assert (
        process["summary"]
        == "0 of 1 instances of hopeless online: id 0 is errored, PM2 gave up restarting it (exit code 1)"
    )
    assert by_name(answer, "app.errors")["evidence"][0]["message"] == "Error: no configuration", (
        "the reason is in the same answer"
    )


def test_a_restart_on_purpose_is_no_crash(pm2: Pm2, look: Look) -> None:
    for _ in range(4):
        pm2.cli("restart", "web")
    answer = look(pm2.home, "web")
    assert by_name(answer, "app.process")["status"] == "ok"
    assert by_name(answer, "app.restarts")["status"] == "ok"


def test_restarts_are_counted_since_the_last_run(look: Look, tmp_path: Path) -> None:
    with own_pm2() as own:
        own.start({"name": "app", "time": True})
        assert (
            by_name(look(own.home, "app", check=True), "app.restarts")["window"]
            == "since it was added to PM2"
        )
        assert not (tmp_path / "state").exists(), "check mode keeps nothing"
        look(own.home, "app")
        (kept,) = (tmp_path / "state").iterdir()
        assert kept.stat().st_mode & 0o777 == 0o600
        sample = json.loads(kept.read_text())
        sample["samples"][-1]["time"] -= 3600
        kept.write_text(json.dumps(sample))
        for _ in range(2):
            own.cli("restart", "app")
        restarts = by_name(
            look(own.home, "app", thresholds={"app.restarts": {"warning": 1}}), "app.restarts"
        )
        assert (restarts["status"], restarts["value"]) == ("warning", 2)
        assert restarts["window"].endswith("/PT1H")
        assert (
            restarts["summary"]
            == "the app was restarted 2 times since the last run 1 h ago, restarts on purpose included"
        )
        own.cli("kill")
        own.start({"name": "app", "time": True})
        assert (
            by_name(look(own.home, "app"), "app.restarts")["window"] == "since it was added to PM2"
        ), "another daemon counts anew"


# --- memory -------------------------------------------------------------------------------------------------------


def test_memory_against_its_limit(pm2: Pm2, look: Look) -> None:
    memory = by_name(look(pm2.home, "web"), "app.memory")
    assert memory["status"] == "ok"
    resident = max(row["monit"]["memory"] for row in pm2.rows("web"))
    assert memory["value"] == pytest.approx(100 * resident / (300 << 20), abs=5)
    assert (
        by_name(
            look(pm2.home, "web", thresholds={"app.memory web": {"critical": 1}}), "app.memory"
        )["status"]
        == "critical"
    )


def test_memory_without_a_limit(pm2: Pm2, look: Look) -> None:
    memory = by_name(look(pm2.home, "worker"), "app.memory")
    assert (memory["status"], memory["value"]) == ("unknown", None)
    assert memory["summary"].startswith("the app uses ")
    assert "MiB, and no limit is set" in memory["summary"]
    assert "max_memory_restart" in memory["remedy"]


# --- error logs ---------------------------------------------------------------------------------------------------


def test_a_quiet_timed_log_is_proof(pm2: Pm2, look: Look) -> None:
    errors = by_name(look(pm2.home, "worker"), "app.errors")
    assert (errors["status"], errors["value"]) == ("ok", 0)


def test_errors_of_all_instances_in_the_window(pm2: Pm2, look: Look) -> None:
    logs = sorted({Path(row["pm2_env"]["pm_err_log_path"]) for row in pm2.rows("web")})
    assert len(logs) == 2
    try:
        timed(logs[0], 90000, 40000, 300, text="order 17 failed")
        timed(logs[1], 200, text=f"order 18 failed, password={SECRET}")
        errors = by_name(
            look(pm2.home, "web", thresholds={"app.errors": {"warning": 2}}), "app.errors"
        )
        narrow = by_name(look(pm2.home, "web", window=1), "app.errors")
    finally:
        for log in logs:
            os.truncate(log, 0)
    assert (errors["status"], errors["value"]) == ("warning", 3)
    assert [(row["message"], row["count"]) for row in errors["evidence"]] == [
        ("order <n> failed", 2),
        ("order <n> failed, password=***", 1),
    ]
    assert errors["window"].endswith("/PT24H")
    assert narrow["value"] == 2


@pytest.mark.parametrize("name", ["json", "pino"])
def test_json_logs_carry_their_own_times(pm2: Pm2, look: Look, name: str) -> None:
    errors = by_name(look(pm2.home, name), "app.errors")
    assert errors["status"] == "ok"
    assert errors["value"] == {"json": 2, "pino": 1}[name]
    assert (
        errors["evidence"][0]["message"]
        == {"json": "cannot read <n>", "pino": "cannot read '…'"}[name]
    )
    assert errors["evidence"][0]["first"] is not None


def test_a_log_without_times_is_unknown_until_its_age_proves_it(pm2: Pm2, look: Look) -> None:
    log = pm2.log("untimed")
    errors = by_name(look(pm2.home, "untimed"), "app.errors")
    assert (errors["status"], errors["value"]) == ("unknown", None)
    assert errors["summary"] == f"3 messages without a time, how recent is not known, in {log}"
    assert "'pm2 restart untimed --time'" in errors["remedy"]
    assert errors["evidence"][0] == {
        "message": "cannot read <n>",
        "count": 2,
        "first": None,
        "last": None,
    }
    written = log.stat()
    try:
        os.utime(log, (written.st_atime, written.st_mtime - 2 * 86400))
        assert by_name(look(pm2.home, "untimed"), "app.errors")["status"] == "ok"
    finally:
        os.utime(log, (written.st_atime, written.st_mtime))


def test_the_remedy_for_untimed_logs_works(look: Look) -> None:
    with own_pm2() as own:
        own.start({"name": "app", "env": {"SAY": "hello"}})
        own.said("app", "hello")
        own.cli("restart", "app", "--time", "--max-memory-restart", "1G")
        own.said("app", ": hello")
        answer = look(own.home, "app")
    assert by_name(answer, "app.errors")["value"] == 1
    assert by_name(answer, "app.memory")["status"] == "ok", "and so does the one for memory"


@pytest.mark.parametrize(
    ("name", "summary"),
    [("silenced", "PM2 writes no error log"), ("mingled", "ordinary output goes into")],
)
def test_logs_that_cannot_tell_errors(pm2: Pm2, look: Look, name: str, summary: str) -> None:
    errors = by_name(look(pm2.home, name), "app.errors")
    assert errors["status"] == "unknown"
    assert errors["summary"].startswith(summary)


def test_a_log_that_was_deleted(pm2: Pm2, look: Look) -> None:
    log = pm2.log("worker")
    log.rename(log.with_suffix(".hidden"))
    try:
        errors = by_name(look(pm2.home, "worker"), "app.errors")
    finally:
        log.with_suffix(".hidden").rename(log)
    assert errors["status"] == "unknown"
    assert "pm2 reloadLogs" in errors["remedy"]


def test_logs_of_the_apps_own(pm2: Pm2, look: Look, tmp_path: Path) -> None:
    timed(tmp_path / "own.log", 60, 30)
    errors = by_name(
        look(pm2.home, "untimed", error_logs=[str(tmp_path / "own.log")]), "app.errors"
    )
    assert (errors["status"], errors["value"]) == ("ok", 2)


# --- the daemon ---------------------------------------------------------------------------------------------------


def test_no_daemon_runs_and_looking_starts_none(look: Look, tmp_path: Path) -> None:
    process = by_name(look(tmp_path, "gpt-agent"), "app.process")
    assert process["status"] == "critical"
    assert (
        f"PM2 is not running, so nothing restarts the app: there is no socket {tmp_path}/rpc.sock"
        in process["summary"]
    )
    assert "pm2 resurrect" in process["remedy"]
    assert list(tmp_path.iterdir()) == []


def test_a_daemon_that_was_killed_leaves_a_socket_behind(pm2: Pm2, look: Look) -> None:
    with own_pm2() as own:
        own.cli("ping")
        os.kill(own.daemon, signal.SIGKILL)
        answer = look(own.home)
        assert [check["name"] for check in answer["checks"]] == ["app.process"]
        process = by_name(answer, "app.process")
        assert process["status"] == "critical"
        assert "a daemon that died left it behind" in process["summary"]
        assert str(pm2.home) in process["summary"], "where PM2 does run"
        (own.home / "rpc.sock").unlink()


def test_a_frozen_daemon_is_told_and_wakes_as_the_remedy_says(look: Look) -> None:
    with own_pm2() as own:
        own.start({"name": "app", "time": True})
        os.kill(own.daemon, signal.SIGSTOP)
        process = by_name(look(own.home, "app"), "app.process")
        assert process["status"] == "critical"
        assert (
            process["summary"]
            == f"PM2's daemon in {own.home}, process {own.daemon}, is frozen by a signal and gives no answer"
        )
        assert process["remedy"].startswith(f"Wake it with 'kill -CONT {own.daemon}'")
        os.kill(own.daemon, signal.SIGCONT)
        assert by_name(look(own.home, "app"), "app.process")["status"] == "ok"


def test_a_daemon_that_hangs_is_bounded_by_the_timeout(look: Look) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="pm2-") as home,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        listener.bind(f"{home}/rpc.sock")
        listener.listen(1)
        began = time.monotonic()
        process = by_name(look(Path(home), "app", timeout=1), "app.process")
        assert time.monotonic() - began < 10
    assert process["status"] == "critical"
    assert "gave no answer within 1 s" in process["summary"]


def test_the_daemon_of_another_user_is_unknown_with_the_way_out(pm2: Pm2) -> None:
    """As root by becoming somebody else once everything is imported; as an ordinary user by closing one's own socket."""
    become = "os.setgroups([]); os.setgid(65534); os.setuid(65534); " if os.geteuid() == 0 else ""
    code = f"""
import importlib, os, pkgutil
from ansible.module_utils._internal._json import _profiles
for profile in pkgutil.iter_modules(_profiles.__path__):
    importlib.import_module(f"{{_profiles.__name__}}.{{profile.name}}")
from ansible_collections.gpt_agent.runbook.plugins.modules import pm2_health
{become}pm2_health.main()
"""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"pm2_home": str(pm2.home), "app": ["web"]}})
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
    sock, folder = pm2.home / "rpc.sock", pm2.folder
    mode = sock.stat().st_mode & 0o777
    os.chmod(folder, 0o755)
    os.chmod(sock, 0o600 if become else 0)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=arguments,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    finally:
        os.chmod(sock, mode)
        os.chmod(folder, 0o700)
    answer = json.loads(done.stdout)
    (process,) = answer["checks"]
    assert (process["name"], process["status"]) == ("app.process", "unknown")
    assert f"may not connect to {sock}, which belongs to user " in process["summary"]
    assert "app_user" in process["remedy"]
    assert SECRET not in done.stdout + done.stderr


def test_the_home_comes_from_the_option_then_the_environment(
    pm2: Pm2, run_module: RunModule, tmp_path: Path
) -> None:
    found = run_module(
        "pm2_health", {"app": ["web"], "state_dir": str(tmp_path)}, env={"PM2_HOME": str(pm2.home)}
    )
    assert by_name(found, "app.process")["status"] == "ok"
    found = run_module(
        "pm2_health", {"app": ["web"], "pm2_home": str(tmp_path)}, env={"PM2_HOME": str(pm2.home)}
    )
    assert str(tmp_path) in by_name(found, "app.process")["summary"]
    found = run_module("pm2_health", {"app": ["web"]}, env={"PM2_HOME": "", "HOME": str(tmp_path)})
    assert f"{tmp_path}/.pm2" in by_name(found, "app.process")["summary"]


def test_misuse_is_one_clear_sentence(pm2: Pm2, run_module: RunModule) -> None:
    answer = run_module(
        "pm2_health", {"pm2_home": str(pm2.home), "thresholds": {"app.error": {"warning": 1}}}
    )
    assert answer["failed"]
    assert answer["msg"] == "thresholds: there is no check 'app.error'; did you mean 'app.errors'?"


def test_looking_leaves_the_daemon_as_it_was(pm2: Pm2, look: Look) -> None:
    def state() -> list[tuple[Any, ...]]:
        listed = json.loads(pm2.cli("jlist", "--silent"))
        return [
            (row["name"], row["pm_id"], row["pm2_env"]["status"])
            for row in listed
            if row["name"] != "backoff"
        ]

    before, daemon = state(), pm2.daemon
    look(pm2.home)
    assert (state(), pm2.daemon) == (before, daemon)
