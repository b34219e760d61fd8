"""How old the newest verified backup is, judged."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from tests.support.backups import DAY, HOUR, NOW, Server, checks_of, copy, nightly


@pytest.mark.parametrize(
    ("hours", "status"),
    [(6, "ok"), (25.9, "ok"), (26.1, "warning"), (49.9, "warning"), (50.1, "critical")],
)
def test_the_age_is_that_of_the_snapshot(hours: float, status: str) -> None:
    age = checks_of(copy(hours))["age"]
    assert age.status == status
    assert age.value == hours * HOUR


def test_only_a_verified_and_intact_backup_counts() -> None:
    found = checks_of(
        copy(30), copy(6, verified=False, level=1), copy(3, problem="1.dat is missing")
    )
    assert found["age"].value == 30 * HOUR
    assert found["age"].evidence[0]["proof"] == "1.dat is missing"


def test_without_a_verified_one_the_reason_of_the_newest_is_given() -> None:
    found = checks_of(copy(30, verified=False), copy(6, problem="toc.dat is missing"))["age"]
    assert (found.status, "toc.dat is missing" in found.summary) == ("critical", True)
    alone = checks_of(copy(6, verified=False))["age"]
    assert alone.summary == "The only backup does not count: it has not been verified"


def test_no_backup_is_critical_but_on_a_new_server_not_judged() -> None:
    assert checks_of()["age"].status == "critical"
    assert checks_of(server=Server())["age"].status == "critical", "its age is not known"
    new = Server(str(int(NOW - 2 * HOUR) << 32), "shop")
    age = checks_of(server=new)["age"]
    assert (age.status, bool(age.not_judged)) == ("ok", True)
    assert "the server is 2 h old, and the first is due when it is 26 h" in age.summary
    older = Server(str(int(NOW - 27 * HOUR) << 32), "shop")
    assert checks_of(server=older)["age"].status == "critical"
    ahead = Server(str(int(NOW + DAY) << 32), "shop")
    assert checks_of(server=ahead)["age"].status == "critical", "the clock is wrong"
    assert checks_of(copy(6, verified=False), server=new)["age"].status == "critical"


def test_while_the_server_gives_no_answer_no_remedy_asks_for_a_backup_now() -> None:
    down = Server(database="shop", silent=True)
    missing, old = (checks_of(*each, server=down)["age"] for each in ((), (copy(99),)))
    assert missing.status == old.status == "critical", "it is a fact, whoever answers"
    assert missing.summary == (
        "There is no backup; whether the first is due yet is not known, as PostgreSQL gives no"
        " answer"
    )
    for age in (missing, old):
        assert age.remedy.startswith("None can be taken while PostgreSQL gives no answer")
        assert "data directory" in age.remedy
    assert checks_of(copy(6), server=down)["age"].remedy == ""
    assert "Take one" in checks_of(copy(99))["age"].remedy


def test_a_backup_from_the_future_has_no_age() -> None:
    age = checks_of(*nightly(), copy(-3))["age"]
    assert (age.status, age.value) == ("unknown", None)
    assert "3 h in the future" in age.summary
    assert "clock" in age.remedy
    assert checks_of(copy(-0.05))["age"].status == "ok", "clocks of two hosts differ a little"


def test_a_backup_of_another_server_is_a_warning() -> None:
    server = Server(str(int(NOW - 9 * DAY) << 32), "shop")
    assert checks_of(copy(6, system_identifier="77"), server=server)["age"].status == "warning"
    assert checks_of(copy(99, system_identifier="77"), server=server)["age"].status == "critical"
    same = copy(6, system_identifier=server.identifier)
    assert checks_of(same, server=server)["age"].status == "ok"
    assert checks_of(copy(6, system_identifier="77"), server=Server())["age"].status == "ok"


def test_what_cannot_be_read_is_unknown() -> None:
    found = checks_of(error=NotCollected("/backups cannot be read: Permission denied", "Do so."))
    assert list(found) == ["age"]
    assert (found["age"].status, found["age"].remedy) == ("unknown", "Do so.")


def test_what_another_tool_reports_is_critical() -> None:
    for copies in ((), (copy(6, level=None),)):
        age = checks_of(*copies, tool="Barman", failure="its check fails (ssh)")["age"]
        assert (age.status, "its check fails (ssh)" in age.summary) == ("critical", True)


def test_a_running_backup_is_mentioned() -> None:
    assert "one is being taken now" in checks_of(copy(6), busy=True)["age"].summary
