"""Deployments and rollbacks under Docker Compose, on a real engine and registry."""

from __future__ import annotations

from tests.support.compose_app import ComposeApp, docker


def test_forth_and_back_and_further_back(app: ComposeApp) -> None:
    assert app.deploy("v1.1.0")["proven"]
    assert app.deploy("v1.2.0")["proven"]
    assert app.serving() == "1.2.0"
    answer = app.roll_back(reason="orders fail")
    assert answer["proven"], answer
    assert [one["name"] for one in answer["actions"]] == ["release.trial", "release.switch"]
    assert app.serving() == "1.1.0"
    assert app.roll_back()["live"].startswith("v1.0.0-")
    assert app.serving() == "1.0.0"
    assert app.statuses() == {"v1.0.0": "good", "v1.1.0": "bad", "v1.2.0": "bad"}
    answer = app.roll_back()
    assert answer["failed"]
    assert "no release before v1.0.0-" in answer["msg"]
    assert app.serving() == "1.0.0"


def test_a_plan_changes_nothing_and_is_carried_out_as_it_is(app: ComposeApp) -> None:
    before = app.state()
    planned = app.deploy("v1.1.0", check=True)
    assert planned["changed"], planned
    assert app.state() == before
    assert not app.records.exists()
    done = app.deploy("v1.1.0")
    steps = [[one["name"], one["subject"]] for one in planned["actions"]]
    assert [[one["name"], one["subject"]] for one in done["actions"]] == steps
    before = app.state()
    again = app.deploy("v1.1.0")
    assert (again["changed"], again["proven"]) == (False, True)
    assert app.state() == before


def test_the_gap_of_one_container_is_stated(app: ComposeApp) -> None:
    with app.requests() as requests:
        answer = app.deploy("v1.1.0")
    assert answer["seconds_without_service"] > 0
    assert requests.versions == {"1.0.0", "1.1.0"}
    (outage,) = [one for one in answer["checks"] if one["name"] == "release.outage"]
    assert outage["status"] == "warning"


def test_what_runs_is_kept_from_a_prune_and_by_hand(app: ComposeApp) -> None:
    """A plain 'up' keeps the pinned image, and a prune keeps what a rollback needs."""
    assert app.deploy("v1.1.0")["proven"]
    before = app.state()
    app.up()
    assert app.state() == before
    docker("image", "prune", "--force")
    with app.images.registry.down():
        answer = app.roll_back()
    assert answer["proven"], answer
    assert app.serving() == "1.0.0"


def test_two_instances_behind_nginx(app: ComposeApp) -> None:
    """One after the other: no request fails."""
    app.two_instances()
    with app.behind_nginx() as proxied, app.requests(proxied) as requests:
        options = {"services": ["app", "app2"], "health_urls": [proxied], "version_url": proxied}
        options["settle_for"] = 2.0  # nginx avoids a server for one second
        answer = app.deploy("v1.1.0", **options)
        assert answer["proven"], answer
        assert app.roll_back(**options)["proven"]
    assert requests.failures == []
    assert requests.versions == {"1.0.0", "1.1.0"}


def test_an_app_that_is_down_goes_back_all_the_same(app: ComposeApp) -> None:
    """The database is asked in a container of the same image; old images lose their tag."""
    assert app.deploy("v1.1.0")["proven"]
    docker("compose", "stop", "app", folder=app.folder)
    answer = app.roll_back(migrations_command="echo applied 1_a")
    assert "does not know: 1_a" in answer["msg"]
    answer = app.roll_back(migrations_command="true", keep=1)
    assert answer["proven"], answer
    assert app.serving() == "1.0.0"
    answer = app.deploy("v1.2.0", keep=1)
    removed = [one["subject"] for one in answer["actions"] if one["name"] == "release.remove"]
    assert [name.partition("-")[0] for name in removed] == ["v1.1.0"]
    assert app.statuses() == {"v1.0.0": "good", "v1.2.0": "good"}
