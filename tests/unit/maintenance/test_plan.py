"""Which parts are done, in which order, and what must not begin."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.maintenance.plan import (
    budget,
    is_alive,
    lease,
    obstacle,
    order_of,
    still_left_out,
    to_resume,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.maintenance.record import (
    Controller,
    Record,
)
from tests.support.maintenance_runs import HERE, NOW, PARTS, options, result, run

ELSEWHERE = {**HERE, "name": "awx-7", "place": "other pid:[2]"}
NIGHT = {"window": ["01:00-05:00"]}


def at(hour: int, minute: int = 0) -> float:
    return datetime(2026, 11, 28, hour, minute).timestamp()


def critical(name: str, host: str = "app1", subject: str = "") -> dict[str, Any]:
    row = {"host": host, "name": name, "subject": subject, "summary": "it is broken"}
    return {"observed": {"host": "app1", "critical": [row]}}


# --- order ----------------------------------------------------------------------------------------


def test_what_was_left_out_is_first() -> None:
    assert order_of(PARTS, Record(), None) == PARTS
    record = Record(left_out=("certificates", "logs"))
    assert order_of(PARTS, record, None) == ("certificates", "logs", "dependencies", "database")
    assert order_of(("database",), record, None) == ("database",)


def test_a_killed_run_is_gone_on_with() -> None:
    results = {
        "dependencies": result("done"),
        "database": result("failed"),
        "certificates": result("left out"),
        "logs": result("running"),
    }
    assert order_of(PARTS, Record(), run(results=results)) == ("logs", "certificates", "database")


# --- alone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "given", "alive"),
    [
        ({"ended": NOW - 1}, {}, False),
        ({"alive": NOW - 1e6}, {}, True),  # its process exists, however long it is silent
        ({}, {"observed": {"dead": "r1"}}, False),
        ({}, {"observed": {"dead": "r0"}}, True),
        ({"controller": Controller(**ELSEWHERE)}, {}, True),
        ({"controller": Controller(**ELSEWHERE), "alive": NOW - 901}, {}, False),
        ({"controller": Controller(**ELSEWHERE)}, {"take_over": "r1"}, False),
        ({"controller": Controller(**ELSEWHERE)}, {"take_over": "r2"}, True),
        ({"controller": Controller(), "alive": NOW - 901}, {"controller": {}}, False),
    ],
)
def test_a_run_is_alive_until_its_process_or_its_lease_has_ended(
    earlier: dict[str, Any], given: dict[str, Any], alive: bool
) -> None:
    assert is_alive(run(**earlier), NOW, options(**given)) is alive


def test_between_two_parts_a_run_is_alive_for_as_long_as_any_part_may_take() -> None:
    """Another host may be at the longest one."""
    given = options(limits={"database": 7200, "logs": 60})
    assert (lease("logs", given), lease("", given)) == (60 + 900, 7200 + 900)


def test_a_run_of_last_week_is_not_gone_on_with() -> None:
    assert to_resume(run(), NOW, options()) == run()
    assert to_resume(run(ended=NOW), NOW, options()) is None
    assert to_resume(run(began=NOW - 25 * 3600), NOW, options()) is None
    assert to_resume(None, NOW, options()) is None


def test_a_report_is_no_update() -> None:
    """Neither done already, nor an estimate of how long one takes."""
    killed = run(results={"dependencies": result("done", read_only=True)})
    report = options("part", part="dependencies", read_only=["dependencies"], **NIGHT)
    update = options("part", part="dependencies", **NIGHT)
    assert to_resume(killed, NOW, report) == killed
    assert to_resume(killed, NOW, update) == run(results={})
    record = Record(durations={"dependencies (report)": (9.0,)})
    assert obstacle("dependencies", at(4, 50), record, report) is None
    late = obstacle("dependencies", at(4, 50), record, update)
    assert late is not None
    assert "dependencies may take 30 min" in late.reason


def test_an_expired_certificate_breaks_https_and_is_renewed_all_the_same() -> None:
    expired = critical("certificate.expiry", subject="x:443")["observed"]["critical"]
    broken = critical("web.endpoint", subject="https://x/")["observed"]["critical"]
    for found, host, stopped in (
        ([*expired, *broken], "app1", False),
        (broken, "app1", True),
        ([*expired, *broken], "app2", True),
    ):
        given = options("part", part="certificates", observed={"host": host, "critical": found})
        assert (obstacle("certificates", NOW, Record(), given) is not None) is stopped


def test_what_was_left_out_stays_so_until_a_run_comes_to_it() -> None:
    record = Record(left_out=("database", "logs", "certificates"))
    results = {"logs": result("done"), "certificates": result("stopped")}
    ended = run(results={**results, "dependencies": result("left out")})
    assert still_left_out(record, ended) == ("database", "certificates", "dependencies")


# --- fit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "found", "more", "stopped"),
    [
        ("database", critical("postgres.reachable", "db1"), {}, True),
        ("database", critical("postgres.reachable", "db1"), {"despite": ["backup.age"]}, True),
        ("database", critical("postgres.reachable"), {"despite": ["postgres.reachable"]}, False),
        ("logs", critical("web.endpoint", "db1", "/login"), {"despite": ["web.endpoint"]}, False),
        ("logs", critical("web.endpoint", "db1", "/"), {"despite": ["web.endpoint /login"]}, True),
        ("logs", critical("web.endpoint", "db1", "/"), {"despite": ["web.endpoint /"]}, False),
        ("dependencies", critical("web.endpoint"), {"read_only": ["dependencies"]}, False),
        ("certificates", critical("certificate.expiry", "app1", "x:443"), {}, False),
        ("certificates", critical("certificate.expiry", "app2", "x:443"), {}, True),
        ("database", critical("certificate.expiry", "app1", "x:443"), {}, True),
        ("logs", critical("host.disk_used", "app1", "/"), {}, False),
        ("logs", {"observed": {"declined": ["db1"]}}, {}, True),
        ("logs", {}, {}, False),
    ],
)
def test_what_is_critical_stops_whatever_is_not_its_cure(
    part: str, found: dict[str, Any], more: dict[str, Any], stopped: bool
) -> None:
    reason = obstacle(part, NOW, Record(), options("part", part=part, **found, **more))
    assert (reason is not None) is stopped
    if reason is not None:
        assert reason.status == "stopped"


def test_the_reason_names_the_check() -> None:
    given = options("part", part="logs", **critical("web.endpoint", "db1", "/login"))
    reason = obstacle("logs", NOW, Record(), given)
    assert reason is not None
    assert reason.reason == "web.endpoint /login on db1: it is broken"


def test_all_that_stops_a_part_is_named_as_the_option_takes_it() -> None:
    rows = [
        critical(*each)["observed"]["critical"][0]
        for each in (("host.cpu",), ("host.cpu", "db1"), ("web.endpoint", "db1", "/"))
    ]
    observed = {"host": "app1", "critical": rows}
    reason = obstacle("logs", NOW, Record(), options("part", part="logs", observed=observed))
    assert reason is not None
    assert reason.reason == "host.cpu on app1: it is broken; also critical: web.endpoint /"
    assert reason.checks == ("host.cpu", "web.endpoint /")
    again = options("part", part="logs", observed=observed, despite=list(reason.checks))
    assert obstacle("logs", NOW, Record(), again) is None


# --- in time --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "durations", "reason"),
    [
        (at(1), (), None),
        (at(4), (), None),
        (at(4, 1), (), "it is 04:01 on the host, and the window 01:00-05:00 ends in 59 min: "
         "database may take 1 h"),
        (at(4, 1), (1800.0,), None),
        (at(4, 1), (1800.0, 7200.0, 60.0), "it is 04:01 on the host, and the window 01:00-05:00 "
         "ends in 59 min: database took up to 2 h"),
        (at(5), (1.0,), "it is 05:00 on the host, outside of the window 01:00-05:00"),
    ],
)  # fmt: skip
def test_no_part_begins_that_would_end_after_the_window(
    now: float, durations: tuple[float, ...], reason: str | None
) -> None:
    record = Record(durations={"database": durations} if durations else {})
    found = obstacle("database", now, record, options("part", part="database", **NIGHT))
    assert (found.reason if found else None) == reason
    assert found is None or found.status == "left out"


def test_a_part_gets_no_more_than_what_is_left() -> None:
    assert budget("database", at(2), options("part", part="database", **NIGHT)) == 3600
    assert budget("database", at(4, 50), options("part", part="database", **NIGHT)) == 600
    assert budget("database", at(12), options("part", part="database", **NIGHT)) == 1
    assert budget("logs", at(12), options("part", part="logs")) == 900
