"""The demo app watched after a deployment, and the one rollback that this may lead to."""

from __future__ import annotations

from typing import Any

from tests.support.releases import Releases

#: Rounds of a watch come this fast in tests.
FAST = {"interval": 0.2}


def check(answer: dict[str, Any], name: str, subject: str | None = None) -> dict[str, Any]:
    found = [
        one
        for one in answer["checks"]
        if one["name"] == f"release.{name}" and subject in (None, one["subject"])
    ]
    return dict(found[0])


def test_a_release_that_works_until_it_fails_is_rolled_back_once(releases: Releases) -> None:
    version = releases.works("v1.1.8")
    releases.gate(version=version, owner="alice")
    assert releases.deploy(version)["proven"]
    answer = releases.watch(watch_for=1, **FAST)
    assert (answer["healthy"], answer["roll_back"], answer["changed"]) == (True, False, False)
    assert answer["release"].startswith("v1.1.8-")
    assert {one["status"] for one in answer["checks"]} == {"ok"}, answer["checks"]
    assert "before the deployment" in check(answer, "response_time")["summary"]
    assert not check(answer, "response_time")["not_judged"]
    assert check(answer, "errors")["summary"] == "no new error messages since the switch"
    assert "works, watched for 1" in check(answer, "watch")["summary"]
    require_one_rollback(releases)


def require_one_rollback(releases: Releases) -> None:
    """If it fails now, it is taken back, and what was live before never is."""
    with releases.stack.fault(
        paths=["/api/health/db"], status=500, log="Error: lost the moon 4711"
    ):
        failed = releases.watch(watch_for=60, **FAST)
        assert (failed["healthy"], failed["roll_back"]) == (False, True), failed["checks"]
        assert "/api/health/db status 500" in check(failed, "watch")["summary"]
        assert check(failed, "watch")["status"] == "critical"
        rows = {row["of"]: row for row in check(failed, "watch")["evidence"]}
        assert rows[f"{releases.url}/db"]["last_failure"] == "status 500"
        assert rows[releases.url]["failed"] == 0
        assert "lost the moon" in check(failed, "errors")["summary"]
    other = releases.roll_back(only_from="v1.0.0-abc")
    assert other["failed"]
    assert "is live, not v1.0.0-abc" in other["msg"]
    assert releases.serving() == (200, "1.1.8")
    back = releases.roll_back(only_from=failed["release"])
    assert back["proven"], back
    assert releases.serving() == (200, "1.1.0")
    with releases.stack.fault(paths=["/api/health/db"], status=500):
        again = releases.watch(**FAST)
    assert (again["healthy"], again["roll_back"]) == (False, False)
    assert "It is live since a rollback" in check(again, "watch")["remedy"]


def test_a_failure_long_after_the_deployment_is_not_rolled_back(releases: Releases) -> None:
    with releases.stack.fault(paths=["/api/health"], status=503):
        failing = releases.watch(**FAST, deployed_within=1e-6)
    assert (failing["healthy"], failing["roll_back"]) == (False, False)
    assert "so the deployment is hardly the cause" in check(failing, "watch")["remedy"]
    assert check(failing, "errors")["not_judged"].startswith("it has been live for ")
    answer = releases.watch(check=True, watch_for=3600)  # only as many rounds as a verdict needs
    assert answer["healthy"], answer["checks"]


def test_an_app_that_is_not_there(releases: Releases) -> None:
    answer = releases.watch(name="nothing")
    assert (answer["healthy"], answer["roll_back"]) == (False, False)
    assert check(answer, "watch")["status"] == "unknown"
    assert "PM2 has no app nothing" in check(answer, "watch")["summary"]
