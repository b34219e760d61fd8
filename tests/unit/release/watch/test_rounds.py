"""When a release counts as failed, by what was seen round after round."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import Instance
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.watch.rounds import (
    Round,
    Seen,
)
from tests.support.release_samples import NEW

URL = "http://127.0.0.1/api/health"


def instance(pm_id: int = 0, **changes: Any) -> Instance:
    given = {"status": "online", "pid": 100 + pm_id, **changes}
    return Instance(pm_id, "app", "default", **given)


def seen(*rounds: Round) -> Seen:
    found = Seen(NEW, 3)
    for one in rounds:
        found.add(one)
    return found


def looked(*instances: Instance, folder: str = NEW.path, **problems: str) -> Round:
    rows = instances or (instance(0), instance(1))
    failures = {URL: problems["url"]} if problems else {}
    return Round(failures, rows, (folder,) * len(rows))


def test_all_is_well() -> None:
    found = seen(*[looked()] * 5)
    assert (found.failed, found.rounds, found.instances, found.restarted) == ({}, 5, 2, 0)


def test_only_what_fails_again_and_again_has_failed() -> None:
    bad, good = looked(url="status 500"), looked()
    assert seen(bad, bad, good, bad, bad).failed == {}
    assert seen(bad, bad, good, bad, bad).failed_rounds == {URL: 4}
    assert seen(good, bad, bad, bad).failed == {URL: "status 500"}


def test_an_instance_that_is_down_or_lost() -> None:
    down = looked(instance(0), instance(1, status="errored", pid=0))
    assert list(seen(looked(), down, down, down).failed) == ["id 1"]
    lost = looked(instance(0))
    assert seen(looked(), lost, lost, lost).failed == {"instances": "PM2 has 1 of 2 left"}
    elsewhere = looked(folder="/srv/releases/v1")
    assert "is process 100 in /srv/releases/v1" in seen(*[elsewhere] * 3).failed["id 0"]


def test_one_restart_is_an_accident_and_three_are_a_crash_loop() -> None:
    once = looked(instance(0, restarts=8), instance(1))
    first = looked(instance(0, restarts=7), instance(1))
    assert (seen(first, once).restarted, seen(first, once).failed) == (1, {})
    loop = looked(instance(0, restarts=10), instance(1))
    assert seen(first, loop).failed == {"instances": "one restarted 3 times"}


def test_pm2_that_does_not_answer_is_no_fault_of_the_release() -> None:
    found = seen(looked(), *[Round(unreachable="no answer")] * 4)
    assert (found.failed, found.answered, found.unreachable) == ({}, 1, "no answer")
