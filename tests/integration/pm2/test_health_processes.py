"""pm2_health on apps in every state that PM2 knows, and on their memory."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import by_name
from tests.support.pm2 import APP, Health, Pm2, own_pm2


def test_every_app_gets_its_verdict(apps: Pm2, health: Health) -> None:
    found = {
        check["subject"]: check["status"]
        for check in health(apps.home)["checks"]
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
            r"1 of 2 instances of mixed online: id \d+ is errored, PM2 gave up restarting it "
            r"\(exit code 3\)$",
        ),
        ("stopped", r"0 of 1 instances of stopped online: id \d+ is stopped"),
        ("job", r"job is waiting for cron to start it again, its last run succeeded$"),
        (
            "backoff",
            r"0 of 1 instances of backoff online: id \d+ has exited and is waiting to be restarted",
        ),
    ],
)
def test_the_summary_says_why_an_app_is_not_online(
    apps: Pm2, health: Health, name: str, summary: str
) -> None:
    assert re.match(summary, by_name(health(apps.home, name), "app.process")["summary"])


def test_modules_of_pm2_are_no_apps(health: Health, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(
        json.dumps({"name": "pm2-idle", "version": "1.0.0", "main": "app.js", "config": {}})
    )
    (tmp_path / "app.js").write_text(APP)
    with own_pm2() as own:
        own.cli("install", ".", cwd=tmp_path)
        assert [row["pm2_env"]["status"] for row in own.rows("pm2-idle")] == ["online"], (
            "PM2 has it in its list"
        )
        (check,) = health(own.home)["checks"]
        assert check["status"] == "critical"
        assert check["summary"].startswith("PM2 is running, but its list contains no app")
        own.start({"name": "app", "time": True})
        assert {check["subject"] for check in health(own.home)["checks"]} == {"app"}


def test_a_namespace_narrows_the_selection(apps: Pm2, health: Health) -> None:
    assert {check["subject"] for check in health(apps.home, namespace="blue")["checks"]} == {
        "blue/worker"
    }
    gone = by_name(health(apps.home, "web", namespace="blue"), "app.process")
    assert gone["status"] == "critical"


def test_an_app_that_is_not_in_the_list(apps: Pm2, health: Health) -> None:
    answer = health(apps.home, "gone", "web")
    gone = by_name(answer, "app.process", "gone")
    assert gone["status"] == "critical"
    assert gone["summary"].startswith("gone is not in PM2's list, which contains ")
    assert "pm2 resurrect" in gone["remedy"]
    assert by_name(answer, "app.process", "web")["status"] == "ok", "the rest is complete"


def test_fewer_instances_than_expected(apps: Pm2, health: Health) -> None:
    process = by_name(health(apps.home, "web", instances=3), "app.process")
    assert (process["status"], process["value"]) == ("critical", 2)
    assert process["summary"] == "2 of 3 instances of web online: PM2 has only 2 in its list"
    assert process["remedy"] == "'pm2 scale web 3', then 'pm2 save'."


@pytest.mark.parametrize(("mode", "life"), [("fork", 150), ("cluster", 150), ("fork", 1300)])
def test_the_first_run_recognises_a_crash_loop(health: Health, mode: str, life: int) -> None:
    """Below min_uptime, where PM2 counts the exits as unstable, and above it, where it would
    restart the app forever."""
    with own_pm2() as own:
        own.start(
            {"name": "loop", "exec_mode": mode, "max_restarts": 1000, "env": {"LIFE": str(life)}}
        )
        own.wait("loop", lambda rows: rows[0]["pm2_env"]["restart_time"] >= 1)
        process = by_name(health(own.home, "loop"), "app.process")
    assert process["status"] == "critical"
    assert "is in a crash loop, restarted " in process["summary"]
    assert "error log" in process["remedy"]


def test_an_app_that_pm2_gave_up_on(health: Health) -> None:
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
        answer = health(own.home, "hopeless")
    process = by_name(answer, "app.process")
    assert process["status"] == "critical"
    assert process["summary"] == (
        "0 of 1 instances of hopeless online: id 0 is errored, PM2 gave up restarting it "
        "(exit code 1)"
    )
    assert by_name(answer, "app.errors")["evidence"][0]["message"] == "Error: no configuration", (
        "the reason is in the same answer"
    )


def test_a_restart_on_purpose_is_no_crash(apps: Pm2, health: Health) -> None:
    for _ in range(4):
        apps.cli("restart", "web")
    answer = health(apps.home, "web")
    assert by_name(answer, "app.process")["status"] == "ok"
    assert by_name(answer, "app.restarts")["status"] == "ok"


def test_restarts_are_counted_since_the_last_run(health: Health, tmp_path: Path) -> None:
    with own_pm2() as own:
        own.start({"name": "app", "time": True})
        assert (
            by_name(health(own.home, "app", check=True), "app.restarts")["window"]
            == "since it was added to PM2"
        )
        assert not (tmp_path / "state").exists(), "check mode keeps nothing"
        health(own.home, "app")
        (kept,) = (tmp_path / "state").iterdir()
        assert kept.stat().st_mode & 0o777 == 0o600
        sample = json.loads(kept.read_text())
        sample["samples"][-1]["time"] -= 3600
        kept.write_text(json.dumps(sample))
        for _ in range(2):
            own.cli("restart", "app")
        restarts = by_name(
            health(own.home, "app", thresholds={"app.restarts": {"warning": 1}}), "app.restarts"
        )
        assert (restarts["status"], restarts["value"]) == ("warning", 2)
        assert restarts["window"].endswith("/PT1H")
        assert restarts["summary"] == (
            "the app was restarted 2 times since the last run 1 h ago, "
            "including restarts on purpose"
        )
        own.cli("kill")
        own.start({"name": "app", "time": True})
        assert (
            by_name(health(own.home, "app"), "app.restarts")["window"]
            == "since it was added to PM2"
        ), "another daemon counts anew"


def test_memory_against_its_limit(apps: Pm2, health: Health) -> None:
    memory = by_name(health(apps.home, "web"), "app.memory")
    assert memory["status"] == "ok"
    resident = max(row["monit"]["memory"] for row in apps.rows("web"))
    assert memory["value"] == pytest.approx(100 * resident / (300 << 20), abs=5)
    assert (
        by_name(
            health(apps.home, "web", thresholds={"app.memory web": {"critical": 1}}), "app.memory"
        )["status"]
        == "critical"
    )


def test_memory_without_a_limit(apps: Pm2, health: Health) -> None:
    memory = by_name(health(apps.home, "worker"), "app.memory")
    assert (memory["status"], memory["value"]) == ("ok", None)
    assert memory["summary"].startswith("the app uses ")
    assert "max_memory_restart" in memory["not_judged"]
