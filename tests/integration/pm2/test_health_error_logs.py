"""pm2_health on error logs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.conftest import by_name
from tests.support.pm2 import SECRET, Health, Pm2, own_pm2


def write_errors(path: Path, *ages: float, text: str = "it broke") -> None:
    """Append messages to a log as PM2 would have done it so many seconds ago."""
    with path.open("a") as stream:
        for age in ages:
            stream.write(
                time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() - age))
                + f": {text}\n    at run (/srv/app.js:1:2)\n"
            )


def test_a_quiet_timed_log_is_proof(apps: Pm2, health: Health) -> None:
    errors = by_name(health(apps.home, "worker"), "app.errors")
    assert (errors["status"], errors["value"]) == ("ok", 0)


def test_errors_of_all_instances_in_the_window(apps: Pm2, health: Health) -> None:
    logs = sorted({Path(row["pm2_env"]["pm_err_log_path"]) for row in apps.rows("web")})
    assert len(logs) == 2
    try:
        write_errors(logs[0], 90000, 40000, 300, text="order 17 failed")
        write_errors(logs[1], 200, text=f"order 18 failed, password={SECRET}")
        errors = by_name(
            health(apps.home, "web", thresholds={"app.errors": {"warning": 2}}), "app.errors"
        )
        narrow = by_name(health(apps.home, "web", window=1), "app.errors")
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
def test_json_logs_carry_their_own_times(apps: Pm2, health: Health, name: str) -> None:
    errors = by_name(health(apps.home, name), "app.errors")
    assert errors["status"] == "ok"
    assert errors["value"] == {"json": 2, "pino": 1}[name]
    assert (
        errors["evidence"][0]["message"]
        == {"json": "cannot read <n>", "pino": "cannot read '…'"}[name]
    )
    assert errors["evidence"][0]["first"] is not None


def test_a_log_without_times_is_judged_by_its_age_only(apps: Pm2, health: Health) -> None:
    log = apps.log("untimed")
    errors = by_name(health(apps.home, "untimed"), "app.errors")
    assert (errors["status"], errors["value"]) == ("ok", 0)
    assert errors["summary"].startswith(f"3 messages without a time, age unknown, in {log}; not")
    assert "'pm2 restart untimed --time'" in errors["not_judged"]
    assert errors["evidence"][0] == {
        "message": "cannot read <n>",
        "count": 2,
        "first": None,
        "last": None,
    }
    written = log.stat()
    try:
        os.utime(log, (written.st_atime, written.st_mtime - 2 * 86400))
        assert by_name(health(apps.home, "untimed"), "app.errors")["status"] == "ok"
    finally:
        os.utime(log, (written.st_atime, written.st_mtime))


def test_the_remedy_for_untimed_logs_works(health: Health) -> None:
    with own_pm2() as own:
        own.start({"name": "app", "env": {"SAY": "hello"}})
        own.said("app", "hello")
        own.cli("restart", "app", "--time", "--max-memory-restart", "1G")
        own.said("app", ": hello")
        answer = health(own.home, "app")
    assert by_name(answer, "app.errors")["value"] == 1
    assert by_name(answer, "app.memory")["status"] == "ok", "and so does the one for memory"


@pytest.mark.parametrize(
    ("name", "summary"),
    [("silenced", "PM2 writes no error log"), ("mingled", "ordinary output goes to")],
)
def test_logs_that_do_not_separate_errors(
    apps: Pm2, health: Health, name: str, summary: str
) -> None:
    errors = by_name(health(apps.home, name), "app.errors")
    assert errors["status"] == "unknown"
    assert errors["summary"].startswith(summary)


def test_a_log_that_was_deleted(apps: Pm2, health: Health) -> None:
    log = apps.log("worker")
    log.rename(log.with_suffix(".hidden"))
    try:
        errors = by_name(health(apps.home, "worker"), "app.errors")
    finally:
        log.with_suffix(".hidden").rename(log)
    assert errors["status"] == "unknown"
    assert "pm2 reloadLogs" in errors["remedy"]


def test_logs_of_the_apps_own(apps: Pm2, health: Health, tmp_path: Path) -> None:
    write_errors(tmp_path / "own.log", 60, 30)
    errors = by_name(
        health(apps.home, "untimed", error_logs=[str(tmp_path / "own.log")]), "app.errors"
    )
    assert (errors["status"], errors["value"]) == ("ok", 2)
