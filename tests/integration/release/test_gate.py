"""The answers before a deployment of the demo app, and the verdict on them."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.releases import Releases, answer_of

ANSWERS = {
    "code_review": "pull request 812, approved by Bob",
    "tests": "yes",
    "staging": True,
    "migrations": "none",
    "rollback_plan": "back to v1.1.0",
    "notified": "done",
    "low_traffic": "yes",
}


@pytest.fixture
def version(releases: Releases) -> Iterator[str]:
    yield releases.works("v1.1.7")
    releases.forget("v1.1.7")


def found(answer: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    return {one["subject"]: one for one in answer["checks"] if one["name"] == f"release.{name}"}


def verdict(answer: dict[str, Any]) -> tuple[str, str]:
    (check,) = found(answer, "gate").values()
    return check["status"], check["summary"]


def test_without_a_version_there_is_no_verdict(releases: Releases) -> None:
    answer = releases.gate()
    assert (answer["go"], answer["changed"]) == (False, False)
    assert verdict(answer)[0] == "ok"
    assert "no version is named; the questions will be code_review, tests," in verdict(answer)[1]


def test_answers_are_collected_until_it_is_a_go(releases: Releases, version: str) -> None:
    first = releases.gate(version=version, owner="alice", answers={"code_review": "PR 812"})
    assert (first["go"], first["changed"]) == (False, True)
    assert verdict(first)[0] == "critical"
    assert "no go: not answered: tests, staging," in verdict(first)[1]
    assert {one["status"] for one in found(first, "answer").values()} == {"ok", "unknown"}
    planned = releases.gate(version=version, owner="bob", answers=ANSWERS, check=True)
    assert (planned["go"], planned["changed"]) == (True, True)
    assert {one["status"] for one in planned["actions"]} == {"planned"}
    assert not releases.gate(version=version, check=True)["go"], "nothing was recorded"
    rest = {name: text for name, text in ANSWERS.items() if name != "code_review"}
    go = releases.gate(version=version, owner="bob", answers=rest)
    assert go["go"], go
    assert verdict(go)[1].startswith("go: 7 answers for v1.1.7-")
    review = found(go, "answer")["code_review"]
    assert review["summary"] == ("Code review completed: PR 812 (alice, just now)")
    assert found(go, "way_back")[version]["summary"].startswith("a rollback returns to v1.1.0")
    again = releases.gate(version=version, owner="bob", answers=rest)
    assert (again["go"], again["changed"], again["actions"]) == (True, False, [])
    (file,) = (releases.records / "gates").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    record = json.loads(file.read_text())
    assert record["answers"]["tests"] == {**record["answers"]["tests"], "by": "bob", "text": "yes"}
    file.write_text("{")
    damaged = releases.gate(version=version)
    assert "is damaged" in verdict(damaged)[1]
    file.write_text(json.dumps(record))
    assert set(record["response_times"]) == set(releases.options["health_urls"])
    assert not releases.gate(version=version, valid_for=1e-6, check=True)["go"], "they expire"
    assert not releases.gate(version="v1.2.0", check=True)["go"], "they are for one commit"


def test_what_forbids_it(releases: Releases, version: str) -> None:
    answer = releases.gate(version=version, answers={**ANSWERS, "staging": False})
    assert verdict(answer) == ("critical", "no go: Tested on staging: no (eve, just now)")
    commands = {"tests": 'test "$RELEASE_VERSION" = v1.1.7 && test -n "$RELEASE_COMMIT"'}
    answer = releases.gate(version=version, answers=ANSWERS, commands=commands)
    assert answer["go"], answer
    assert found(answer, "answer")["tests"]["evidence"][0]["answer"] == "yes, by its command"
    commands = {"tests": "echo 2 tests failed >&2; exit 1"}
    answer = releases.gate(version=version, commands=commands)
    assert "failed with exit code 1: 2 tests failed" in verdict(answer)[1]
    assert "not answered: tests" in verdict(releases.gate(version=version, check=True))[1]
    answer = releases.gate(version=version, answers=ANSWERS, hours=["00:00-24:00"])
    assert found(answer, "hours")[""]["status"] == "ok"
    assert "low_traffic" not in found(answer, "answer")
    answer = releases.gate(version="v9.9.9", answers=ANSWERS)
    assert verdict(answer)[0] == "critical"
    assert "has no version v9.9.9" in verdict(answer)[1]


def test_a_mistyped_question(releases: Releases) -> None:
    nameless = releases.gate(version="v1.2.0", answers={"tests": "yes"}, owner="")
    assert nameless["msg"].startswith("owner: an answer is recorded with the name of")
    answer = releases.gate(version="v1.2.0", answers={"code_reviews": "yes"})
    assert answer["failed"]
    assert answer["msg"].startswith("answers: there is no question 'code_reviews', only")


def test_while_another_run_deploys(releases: Releases, version: str) -> None:
    one = releases.start("deployed", version=version, owner="carol", trial_for=2.0)
    answer: dict[str, Any] = {}
    while one.poll() is None and not answer.get("busy"):
        answer = releases.gate(version=version, answers=ANSWERS, check=True)
        idle = found(answer, "idle")
        answer["busy"] = any("of 'carol'" in check["summary"] for check in idle.values())
    assert answer["busy"], answer
    assert verdict(answer)[0] == "critical"
    assert answer_of(one)["proven"]


def test_the_list_after_a_deployment(releases: Releases) -> None:
    answer = releases.gate(moment="after", owner="dora", answers={"acceptance": "signed off"})
    assert {name: one["status"] for name, one in found(answer, "answer").items()} == {
        "acceptance": "ok",
        "documented": "unknown",
    }
    assert not found(answer, "gate")
