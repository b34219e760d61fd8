"""app_release under Docker Compose against the runbook's recipe: pull, down and up.

Both move the same app, on the same engine and registry, to the version before. Then the same with
two services behind nginx, where no request may fail.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.measurement import MeasurementFailed, Setup, run_module
from benchmarks.traffic import Stream, watched
from tests.support import compose_app
from tests.support.compose_app import ComposeApp, Images, Registry

NEW, OLD = "v1.1.0", "v1.0.0"


def measure(setup: Setup) -> None:
    reason = compose_app.missing()
    if reason:
        print(f"not measured: releases under Docker Compose, as {reason}", flush=True)
        return
    with _images(setup) as images:
        _one_container(setup, images)
        _two_services(setup, images)


def _one_container(setup: Setup, images: Images) -> None:
    sides: dict[str, list[Stream]] = {"ours": [], "theirs": []}
    with _app(setup, images, "ours") as ours, _app(setup, images, "theirs") as theirs:
        for _ in range(setup.rounds):
            _release(ours, "deployed", version=NEW)
            _by_the_recipe(theirs, NEW)
            sides["ours"].append(watched(ours.url, lambda: _release(ours, "rolled_back")))
            sides["theirs"].append(watched(theirs.url, lambda: _by_the_recipe(theirs, OLD)))
            _forget_that_it_was_bad(ours)
    gap, their_gap = (
        statistics.median(one.without_service for one in side) for side in sides.values()
    )
    failed, theirs_failed = (sum(one.failed for one in side) for side in sides.values())
    total = statistics.median(one.in_total for one in sides["ours"])
    figures = (
        f"{gap:.2f} s / {their_gap:.2f} s, {failed} and {theirs_failed} failed requests; "
        f"ours takes {total:.1f} s with its trial and its watch"
    )
    what = "seconds without service, rollback of one container / pull, down, up"
    setup.promises.at_most(what, gap / their_gap if their_gap else 1.0, 0.7, figures)


def _two_services(setup: Setup, images: Images) -> None:
    with _app(setup, images, "two") as app:
        app.two_instances()
        with app.behind_nginx() as url:
            more = {"services": ["app", "app2"], "health_urls": [url], "version_url": url}
            more["settle_for"] = 2.0  # nginx avoids a server for one second
            _release(app, "deployed", version=NEW, **more)
            seen = watched(url, lambda: _release(app, "rolled_back", **more))
    figures = f"{seen.failed} of {len(seen.requests)}"
    setup.promises.at_most(
        "failed requests of a rollback of two services behind nginx", seen.failed, 0, figures
    )


@contextmanager
def _images(setup: Setup) -> Iterator[Images]:
    compose_app.use_plugin(setup.work / "config")
    registry = Registry(setup.work / "registry")
    registry.start()
    images = Images(setup.work / "images", registry)
    try:
        for version in (OLD, NEW):
            images.make(version)
        yield images
    finally:
        images.remove()
        registry.stop()


@contextmanager
def _app(setup: Setup, images: Images, name: str) -> Iterator[ComposeApp]:
    folder = setup.work / name
    folder.mkdir()
    app = ComposeApp(folder, images, run_module)
    app.write(APP_IMAGE=f"{images.repository}:{OLD}")
    try:
        app.up()
        app.serving()
        yield app
    finally:
        app.remove()


def _release(app: ComposeApp, state: str, **more: Any) -> None:
    """app_release as an operator runs it, but for a shorter watch."""
    answer = app.run(state, **more)
    if not answer.get("proven"):
        raise MeasurementFailed(f"app_release: {answer.get('msg')}")


def _forget_that_it_was_bad(app: ComposeApp) -> None:
    """So that each round starts as the first."""
    for record in (app.records / "releases").glob("*.json"):
        record.write_text(record.read_text().replace('"status": "bad"', '"status": "good"'))


def _by_the_recipe(app: ComposeApp, version: str) -> None:
    """The runbook's, with the tag in the file."""
    (app.folder / ".env").write_text(f"APP_IMAGE={app.images.repository}:{version}\n")
    for words in (("pull", "--quiet", "app"), ("down",), ("up", "--detach")):
        compose_app.docker("compose", *words, folder=app.folder)
