"""What maintenance_run is told on the controller."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.action.maintenance_run import (
    ActionModule,
    declined,
    unknown_check,
    wrong_parts,
)
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.controller import identity
from tests.support import report_samples as samples
from tests.support.actions import Action

BEGUN = {
    "run": "r1",
    "seen": {},
    "critical": [{"host": "app1", "name": "app.online", "subject": "", "summary": "down"}],
    "health": [["app.online", "", "critical"]],
}


class Asked(Action):
    """Keeps what the module was given, and answers from a list."""

    def __init__(self, arguments: dict[str, Any], *answers: dict[str, Any]) -> None:
        super().__init__(ActionModule, arguments)
        self.given: list[dict[str, Any]] = []
        self._answers = list(answers) or [{}]

    def _execute_module(self, **arguments: Any) -> dict[str, Any]:
        self.given.append(arguments["module_args"])
        return self._answers.pop(0)


def test_what_is_critical_on_any_host_is_told() -> None:
    asked = Asked({"state": "begun", "controller": {"owner": "dora"}})
    asked.run({"app1": {"__host_health": samples.host_health()},
               "db1": {"__host_health": samples.host_health(disk=99)}})  # fmt: skip
    (given,) = asked.given
    assert [row["host"] for row in given["observed"]["critical"]] == ["db1"]
    assert given["observed"]["host"] == "app1"
    assert given["observed"]["health"]
    assert given["controller"]["owner"] == "dora"
    assert given["controller"]["pid"]


def test_a_part_knows_what_the_one_before_it_did() -> None:
    asked = Asked({"state": "part", "part": "logs"})
    failed = {"failed": True, "msg": "no owner"}
    asked.run({"app1": {"__maintenance_begun": BEGUN, "__postgres_maintenance": failed},
               "db1": {"__maintenance_begun": {"failed": True}}})  # fmt: skip
    observed = asked.given[0]["observed"]
    assert (observed["run"], observed["problems"]) == ("r1", ["no owner"])
    assert observed["declined"] == ["db1"]
    assert observed["critical"] == BEGUN["critical"]
    assert observed["before"] == BEGUN["health"]


def test_a_call_that_fails_forgets_nothing_of_the_part_before() -> None:
    failed = {"__logs_rotation": {"failed": True, "msg": "disk full"}}
    hosts = {"__maintenance_begun": BEGUN, **failed}
    asked = Asked({"state": "part", "part": "certificates"}, {"failed": True, "msg": "disk full"})
    begun = asked.run({"app1": hosts})
    for part in (begun, {"unreachable": True}):
        asked = Asked({"state": "finished"})
        asked.run({"app1": {**hosts, "__maintenance_part": part}})
        assert asked.given[0]["observed"]["problems"] == ["disk full"]


@pytest.mark.parametrize(("resumes", "checked"), [("", False), ("r0", True)])
def test_what_a_killed_run_changed_is_compared_by_the_next(resumes: str, checked: bool) -> None:
    asked = Asked({"state": "finished"})
    ended = {"__maintenance_ended": {"check_again": False}}
    asked.run({"app1": {"__maintenance_begun": {**BEGUN, "resumes": resumes}, **ended}})
    assert asked.given[0]["observed"]["checked"] is checked


@pytest.mark.parametrize(("others", "alone"), [((), True), (("db1",), False)])
def test_the_first_part_begins_with_the_run_unless_it_may_wait_for_other_hosts(
    others: tuple[str, ...], alone: bool
) -> None:
    asked = Asked({"state": "begun"})
    asked.run({"app1": {}, **{name: {} for name in others}})
    assert asked.given[0]["observed"]["alone"] is alone


@pytest.mark.parametrize(("part", "times"), [("logs", 0), ("database", 1)])
def test_the_first_part_that_began_with_the_run_is_not_begun_again(part: str, times: int) -> None:
    first = {"part": "logs", "go": True, "seconds": 9, "reason": ""}
    asked = Asked({"state": "part", "part": part})
    result = asked.run({"app1": {"__maintenance_begun": {**BEGUN, "first": first}}})
    assert len(asked.given) == times
    assert result.get("go") is (None if times else True)


@pytest.mark.parametrize(
    ("given", "part", "changed", "times"),
    [
        ({}, "certificates", True, 1),
        ({}, "certificates", False, 0),  # the health is not checked again
        ({}, "logs", True, 0),
        ({"others": ["db1"]}, "logs", False, 1),
        ({"others": ["db1"], "check_mode": True}, "logs", True, 0),
    ],
)
def test_how_a_part_ended_is_noted_unless_the_next_call_follows_at_once(
    given: dict[str, Any], part: str, changed: bool, times: int
) -> None:
    asked = Asked({"state": "part_ended", "part": part})
    asked.task.check_mode = given.get("check_mode", False)
    begun = {"__maintenance_begun": {**BEGUN, "order": ["logs", "certificates"]}}
    hosts = dict.fromkeys(given.get("others", ()), begun)
    asked.run({"app1": {**begun, "__logs_rotation": {"changed": changed}}, **hosts})
    assert [each["observed"]["changed"] for each in asked.given] == [changed] * times


@pytest.mark.parametrize(
    ("registered", "again"),
    [
        ({}, False),
        ({"__logs_rotate": {"changed": False}}, False),
        ({"__logs_rotate": {"changed": True}}, True),
        ({"__logs_rotate": {"failed": True, "msg": "no"}}, True),
    ],
)
def test_the_health_is_checked_again_if_any_host_was_changed(
    registered: dict[str, Any], again: bool
) -> None:
    asked = Asked({"state": "ended"})
    hosts = {
        "app1": {"__maintenance_begun": BEGUN},
        "db1": {"__maintenance_begun": BEGUN, **registered},
        "db2": {"__maintenance_begun": {"failed": True}, "__x_health": {"changed": True}},
    }
    assert asked.run(hosts)["check_again"] is again
    assert asked.given == []


@pytest.mark.parametrize(("alive", "times"), [(True, 1), (False, 2)])
def test_a_dead_run_of_this_controller_is_not_in_the_way(alive: bool, times: int) -> None:
    here = identity()
    started = here["started"] if alive else "1"
    holder = {"run": "r0", "pid": here["pid"], "started": started, "place": here["place"]}
    asked = Asked({"state": "begun"}, {"failed": True, "holder": holder}, {"run": "r1"})
    result = asked.run({"app1": {}})
    assert len(asked.given) == times
    assert asked.given[-1]["observed"].get("dead", "") == ("" if alive else "r0")
    assert result.get("failed", False) is alive


def test_what_is_left_of_a_killed_playbook_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fork that runs a task outlives the playbook's own process."""
    dead = {**identity(), "started": ""}
    monkeypatch.setattr(f"{ActionModule.__module__}.identity", lambda: dead)
    asked = Asked({"state": "begun"})
    assert asked.run({"app1": {}})["msg"] == "the playbook that this task belongs to was killed"
    assert asked.given == []


def test_a_mistyped_check_is_an_error() -> None:
    asked = Asked({"state": "begun", "despite": ["backup.ages"]})
    result = asked.run({"app1": {}})
    assert result["msg"] == "despite: there is no check 'backup.ages'; did you mean 'backup.age'?"
    assert asked.given == []
    assert unknown_check(["host.disk_used /backup", "backup.age"]) == ""


@pytest.mark.parametrize("state", ["begun", "part"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"parts": ["logs", "certs"]}, "parts: there is no part 'certs', only dependencies, "),
        ({"parts": "databaze,logs"}, "parts: there is no part 'databaze', only dependencies, "),
        ({"host_parts": {"app1": ["logs"]}}, "host_parts: must be a list, of dependencies, "),
        ({"host_parts": ["disks"]}, "host_parts: there is no part 'disks', only dependencies, "),
    ],
)
def test_a_part_that_does_not_exist_is_an_error(
    state: str, given: dict[str, Any], message: str
) -> None:
    asked = Asked({"state": state, **given})
    result = asked.run({"app1": {}})
    assert result["failed"]
    assert result["msg"].startswith(message)
    assert asked.given == []


def test_the_closest_part_is_named() -> None:
    assert wrong_parts({"parts": ["certs"]}).endswith("; did you mean 'certificates'?")
    assert wrong_parts({"parts": ["databaze"]}).endswith("; did you mean 'database'?")
    assert wrong_parts({"parts": "logs, database", "host_parts": []}) == ""


@pytest.mark.parametrize("parts", [[], "", " , ", None])
def test_a_run_without_any_part_is_refused(parts: object) -> None:
    asked = Asked({"state": "begun", "parts": parts})
    result = asked.run({"app1": {}})
    said = "parts: is empty; name at least one of dependencies, database, logs, certificates"
    assert (result["failed"], result["msg"], asked.given) == (True, said, [])


def test_hosts_on_which_the_run_could_not_begin() -> None:
    hosts = {
        "a": {"__maintenance_begun": {"failed": True}},
        "b": {"__maintenance_begun": {"unreachable": True}},
        "c": {"__maintenance_begun": BEGUN},
        "d": {},
    }
    assert declined(hosts) == ["a", "b"]
