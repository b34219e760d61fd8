"""Deployments and rollbacks between good versions of the demo app, under a stream of requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.holding import Gate
from tests.support.releases import Releases, answer_of


def actions(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["name"], action["status"]) for action in answer["actions"]]


def test_forward_and_back_again_without_a_lost_request(releases: Releases) -> None:
    """Each rollback goes further back, never to a bad version, and then there is none left."""
    with releases.requests() as requests:
        forward = releases.deploy(releases.works("v1.1.1"))
        assert releases.serving() == (200, "1.1.1")
        back = releases.roll_back(reason="too slow", owner="alice")
        assert releases.serving() == (200, "1.1.0")
        further = releases.roll_back(schema_compatible=True)
        assert releases.serving() == (200, "1.0.0")
    for answer in (forward, back, further):
        assert answer["proven"], answer
        assert answer["seconds_without_service"] == 0.0
        print({action["name"]: action["seconds"] for action in answer["actions"]})
    assert requests.failures == []
    assert requests.sent > 20
    assert releases.statuses() == {"v1.0.0": "good", "v1.1.0": "bad", "v1.1.1": "bad"}
    before = releases.pids()
    answer = releases.roll_back()
    assert answer["failed"]
    assert answer["msg"].startswith(
        "Nothing was changed: no release before v1.0.0 is known to be good"
    )
    answer = releases.roll_back(rollback_to="v1.1.1")
    assert answer["msg"].endswith("is marked as bad: rolled back by alice: too slow")
    assert releases.pids() == before


def test_two_operators_at_once(releases: Releases, tmp_path: Path) -> None:
    version, gate = releases.works("v1.1.3"), Gate(tmp_path / "gate")
    build = [gate.command, *releases.options["build"]]
    one = releases.start("deployed", version=version, owner="alice", build=build)
    with gate.reached():
        two = releases.deploy("v1.0.0", owner="bob", schema_compatible=True)
    assert two["failed"]
    assert "Another run (process " in two["msg"]
    assert ", of 'alice', for " in two["msg"]
    assert answer_of(one)["proven"]
    assert releases.serving() == (200, "1.1.3")
