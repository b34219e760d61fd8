"""Runs that are killed at random moments: the app answers, and the next run puts things right."""

from __future__ import annotations

import random
import time

from tests.support.releases import Releases

#: Moments within a deployment, in seconds after its start, for each kind of version.
MOMENTS = [random.Random(seed).uniform(0.2, 6.0) for seed in range(10)]
SOON = {"trial_for": 0.1, "bake": 0.1}


def test_a_deployment_that_is_killed(releases: Releases) -> None:
    """The next one completes it, or takes it back and goes where it is told to."""
    versions = ["v1.1.0", releases.works("v1.1.4")]
    for number, moment in enumerate(MOMENTS):
        version = versions[(number + 1) % 2]
        with releases.requests() as requests:
            killed(releases, version, moment)
        assert requests.failures == [], f"killed after {moment} s"
        require_repaired(releases, version)


def test_a_deployment_that_goes_back_is_killed(releases: Releases) -> None:
    """The next run goes back, says why, and has done what it was asked for."""
    version = releases.fails_when_live("v1.1.5")
    for moment in MOMENTS[:3]:
        killed(releases, version, moment + 3)
        if (releases.records / "pending.json").exists():
            answer = releases.roll_back(**SOON)
            assert answer["proven"], answer
            (action,) = answer["actions"]
            assert "did not prove itself" in action["reason"] or "killed" in action["reason"]
        require_repaired(releases, "v1.1.0")


def killed(releases: Releases, version: str, moment: float) -> None:
    run = releases.start("deployed", version=version, **SOON)
    time.sleep(moment)
    run.kill()
    run.communicate()


def require_repaired(releases: Releases, version: str) -> None:
    answer = releases.deploy(version, **SOON)
    assert answer["proven"], answer
    assert releases.serving() == (200, version[1:]), answer
    assert not (releases.records / "pending.json").exists()
    assert set(releases.statuses()) <= {"v1.0.0", "v1.1.0", "v1.1.4", "v1.1.5"}
