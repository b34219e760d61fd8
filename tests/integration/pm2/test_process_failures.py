"""pm2_process on apps that do not come back."""

from __future__ import annotations

import pytest

from tests.conftest import by_name
from tests.support.pm2 import SECRET, STABLE, Pm2, Restart, pids, restarted

FAILS_WITHIN = 10
"""Seconds that an app which fails at its start may take to do so, on a busy machine."""


@pytest.mark.parametrize("mode", ["fork", "cluster"])
def test_an_app_that_no_longer_starts_keeps_its_other_instances(
    pm2: Pm2, restart: Restart, mode: str
) -> None:
    pm2.run(
        {"name": "web", "exec_mode": mode, "instances": 3, "max_restarts": 2, "min_uptime": 20000}
    )
    before = pids(pm2, "web")
    (pm2.folder / "fail").write_text(f"Error: cannot read the configuration, password={SECRET}")
    answer = restart("web", stable_for=FAILS_WITHIN)
    assert answer["failed"] is True
    assert restarted(answer) == [("0", "failed"), ("1", "skipped"), ("2", "skipped")]
    assert answer["actions"][1]["reason"] == "left unchanged: web id 0 did not come back"
    assert answer["msg"].startswith("0 of 3 instances restarted, 2 left unchanged. web id 0: it ")
    assert answer["proven"] is False
    assert (
        "its error log ends with 'Error: cannot read the configuration, password=***'"
        in answer["msg"]
    )
    after = pids(pm2, "web")
    assert {n: after[n] for n in (1, 2)} == {n: before[n] for n in (1, 2)}, "they still serve"
    assert by_name(answer, "app.process")["status"] == "critical"
    pm2.wait("web", lambda rows: rows[0]["pm2_env"]["status"] == "errored")
    (pm2.folder / "fail").unlink()
    plan = restart("web", state="started", check=True)
    assert restarted(plan) == [("0", "planned")]
    assert plan["actions"][0]["reason"].startswith("it is errored, PM2 gave up restarting it")
    assert restarted(restart("web", state="started")) == [("0", "done")]
    again = restart("web", state="started")
    assert (again["changed"], again["actions"], again["proven"]) == (False, [], True)
    assert by_name(again, "app.process")["status"] == "ok"
    assert {n: pids(pm2, "web")[n] for n in (1, 2)} == {n: before[n] for n in (1, 2)}


def test_what_is_down_comes_first(pm2: Pm2, restart: Restart) -> None:
    pm2.run({"name": "web", "instances": 3})
    pm2.cli("stop", "2")
    before = pids(pm2, "web")
    (pm2.folder / "fail").write_text("it is broken")
    answer = restart("web", stable_for=FAILS_WITHIN)
    assert restarted(answer) == [("2", "failed"), ("0", "skipped"), ("1", "skipped")]
    assert {n: pids(pm2, "web")[n] for n in (0, 1)} == {n: before[n] for n in (0, 1)}
    (pm2.folder / "fail").unlink()
    assert sorted(restarted(restart("web"))) == [("0", "done"), ("1", "done"), ("2", "done")]


def test_an_app_that_exits_a_while_after_its_start(pm2: Pm2, restart: Restart) -> None:
    pm2.start({"name": "web", "instances": 2, "env": {"LIFE": "2500"}})
    before = pids(pm2, "web")
    answer = restart("web", stable_for=4)
    assert restarted(answer) == [("0", "failed"), ("1", "skipped")], before
    assert "it exited again soon after its start" in answer["msg"]


def test_an_app_that_never_reports_that_it_is_ready(pm2: Pm2, restart: Restart) -> None:
    pm2.start(
        {
            "name": "web",
            "exec_mode": "cluster",
            "instances": 2,
            "wait_ready": True,
            "listen_timeout": 1500,
            "env": {"SLOW": "100"},
        }
    )
    assert restarted(restart("web")) == [("0", "done"), ("1", "done")]
    before = pids(pm2, "web")
    (pm2.folder / "never").touch()
    answer = restart("web")
    assert restarted(answer) == [("0", "failed"), ("1", "skipped")]
    assert (
        "it did not report that it is ready within its listen_timeout of 1.5 s, although PM2 "
        "shows it as online" in answer["msg"]
    )
    assert answer["proven"] is False, "whatever PM2 says"
    assert pids(pm2, "web")[1] == before[1]
    assert {row["pm2_env"]["status"] for row in pm2.rows("web")} == {"online"}, (
        "which is why PM2's own word is not enough"
    )


def test_an_app_that_ignores_its_signal_is_killed(pm2: Pm2, restart: Restart) -> None:
    pm2.run({"name": "web", "kill_timeout": 700, "env": {"DEAF": "1"}})
    before = pids(pm2, "web")
    answer = restart("web")
    assert restarted(answer) == [("0", "done")]
    assert answer["actions"][0]["seconds"] > 0.7 + STABLE
    assert before != pids(pm2, "web")
