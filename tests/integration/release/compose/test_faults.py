"""Images that do not work, registries that do not answer, files that were changed by hand."""

from __future__ import annotations

import re
import signal
from typing import Any

import pytest

from tests.support.compose_app import ComposeApp, docker
from tests.support.releases import answer_of


def check(answer: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in answer["checks"] if one["name"] == f"release.{name}"]
    return dict(found)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("deaf", "refused the connection|its health check fails"),
        ("fails", "status 500|its health check fails"),
        ("dies", "it ended with exit code 3 after .*; its last message: 'Error: out of luck'"),
    ],
)
def test_what_fails_on_trial_never_touches_what_runs(app: ComposeApp, mode: str, said: str) -> None:
    version = app.images.make(f"v3.0.0-{mode}", mode)
    before = app.state()
    with app.requests() as requests:
        answer = app.deploy(version, trial_for=10, start_within=4)
    assert answer["failed"]
    assert requests.failures == []
    assert re.search(said, answer["msg"]), answer["msg"]
    assert app.state() == before
    assert app.statuses()[version] == "bad"


def test_what_dies_after_the_switch_is_taken_back(app: ComposeApp) -> None:
    version = app.images.make("v3.1.0", "dies")
    answer = app.deploy(version, bake=5)
    assert answer["failed"]
    assert "did not prove itself" in answer["msg"]
    assert "v1.0.0-" in answer["live"]
    assert app.serving() == "1.0.0"
    assert app.statuses() == {"v1.0.0": "good", version: "bad"}
    assert [one["name"] for one in answer["actions"]][-1] == "release.revert"


def test_what_is_not_tried_first_is_taken_back_too(app: ComposeApp) -> None:
    version = app.images.make("v3.2.0", "fails", checked=False)
    answer = app.deploy(version, try_first=False, start_within=2)
    assert answer["failed"]
    assert "status 500" in answer["msg"]
    assert check(answer, "health_check")["status"] == "warning"
    assert app.serving() == "1.0.0"


def test_a_registry_that_does_not_answer(app: ComposeApp) -> None:
    before = app.state()
    with app.images.registry.down(), app.requests() as requests:
        docker("image", "rm", "--force", f"{app.images.repository}:v1.2.0", check=False)
        answer = app.deploy("v1.2.0-none")
    assert answer["failed"]
    assert "Nothing was changed: the registry does not say which image" in answer["msg"]
    assert (requests.failures, app.state()) == ([], before)


def test_a_tag_that_has_moved(app: ComposeApp) -> None:
    """The release goes back by digest, and the report says that its tag means something else."""
    app.images.make("v4.0.0")
    assert app.deploy("v4.0.0")["proven"]
    assert app.deploy("v1.1.0")["proven"]
    app.images.make("v4.0.1", tag="v4.0.0")
    planned = app.deploy("v4.0.0", check=True)
    assert check(planned, "tag")["status"] == "warning"
    answer = app.roll_back()
    assert answer["proven"], answer
    assert app.serving() == "4.0.0"
    assert "the tag has moved" in check(answer, "tag")["summary"]


@pytest.mark.parametrize("way", ["literal", "tag"])
def test_how_the_image_is_pinned(app: ComposeApp, way: str) -> None:
    """Whatever the file says: a plain 'up' keeps the release that is live."""
    registry, name = app.images.repository.split("/")
    image = f"{registry}/{name}:v1.0.0" if way == "literal" else f"${{REGISTRY}}/{name}:${{TAG}}"
    app.write(image, REGISTRY=registry, TAG="v1.0.0")
    app.up()
    assert app.deploy("v1.1.0")["proven"]
    before = app.state()
    assert ("compose.runbook.yaml" in before) == (way == "literal")
    assert ("\nTAG=v1.1.0@sha256:" in before[".env"]) == (way == "tag")
    assert before[".env"].startswith("# by hand\n")
    app.up()
    assert app.state() == before
    assert app.roll_back()["proven"]
    assert app.serving() == "1.0.0"


def test_a_file_that_was_changed_by_hand(app: ComposeApp) -> None:
    assert app.deploy("v1.1.0")["proven"]
    file = app.folder / "compose.yaml"
    file.write_text(file.read_text().replace("      TOKEN:", "      LEVEL: debug\n      TOKEN:"))
    answer = app.roll_back(check=True)
    assert check(answer, "configuration")["status"] == "warning"
    assert "something else of app" in check(answer, "configuration")["summary"]
    (app.folder / ".env").write_text(f"APP_IMAGE={app.images.repository}:v1.2.0\n")
    app.up()
    answer = app.roll_back()
    assert answer["proven"], answer
    assert app.serving() == "1.1.0"


def test_what_an_image_needs_is_known_before_it_goes_live(app: ComposeApp) -> None:
    files = {".env.example": "TOKEN=\nEXTRA=\n", "migrations/1_a.sql": ""}
    version = app.images.make("v5.0.0", files=files)
    before = app.state()
    answer = app.deploy(version)
    assert "1 variable missing: EXTRA" in answer["msg"]
    assert app.state() == before
    answer = app.deploy(version, env_example="", migrations_command="echo applied 2_b")
    assert "the database has 1 migration that it does not know: 2_b" in answer["msg"]
    assert app.state() == before


def test_two_operators_at_once(app: ComposeApp) -> None:
    first = app.start("deployed", version="v1.1.0", owner="ada", bake=8)
    while app.serving() == "1.0.0":
        assert first.poll() is None
    first.send_signal(signal.SIGSTOP)
    try:
        second = app.roll_back(owner="bob")
    finally:
        first.send_signal(signal.SIGCONT)
    assert second["failed"]
    assert "'ada'" in second["msg"]
    assert answer_of(first, 120)["proven"]


def test_what_cannot_be_seen_is_not_touched(app: ComposeApp, monkeypatch: Any) -> None:
    docker("compose", "rm", "--force", "--stop", "app", folder=app.folder)
    answer = app.deploy("v1.1.0")
    assert "service app of" in answer["msg"]
    assert "has no container" in answer["msg"]
    with monkeypatch.context() as without:
        without.setenv("DOCKER_CONFIG", str(app.folder))
        assert "Docker has no Compose v2 on this host" in app.deploy("v1.1.0")["msg"]
    monkeypatch.setenv("DOCKER_HOST", f"unix://{app.folder}/none.sock")
    answer = app.deploy("v1.1.0")
    assert "Cannot connect to the Docker daemon" in answer["msg"]
    assert "Start Docker" in answer["msg"]
