"""What is wrong with an app's containers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.compose.container import (
    Container,
    by_service,
    container_from,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.compose.watch import (
    containers_problem,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import Release

RELEASE = Release("v2", "v2", "sha256:new", image="app:v2@sha256:ab")
ONE = Container("1", "app-1", "app", "sha256:new", "app:v2", health="healthy")
OTHER = replace(ONE, id="2", name="app-2")


def test_containers_that_stay() -> None:
    assert containers_problem([{"app": [ONE, OTHER]}, {"app": [ONE, OTHER]}], RELEASE) == ""
    assert containers_problem([], RELEASE) == ""


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"restarts": 1}, "app-1: it restarted 1 time while it was watched"),
        ({"id": "9"}, "app-1: it was made anew while it was watched"),
        ({"image": "sha256:old"}, "app-1: it runs app:v2, not app:v2@sha256:ab"),
        ({"status": "exited", "exit_code": 3}, "app-1: it ended with exit code 3"),
        ({"status": "restarting", "exit_code": 3, "restarts": 2}, "again and again, 2 restarts"),
        ({"status": "paused"}, "app-1: it is paused"),
        ({"health": "unhealthy"}, "app-1: its health check fails"),
    ],
)
def test_containers_that_do_not(change: dict[str, Any], problem: str) -> None:
    looks = [{"app": [ONE]}, {"app": [replace(ONE, **change)]}]
    assert problem in containers_problem(looks, RELEASE)


def test_a_service_without_a_container() -> None:
    problem = containers_problem([{"app": [ONE], "web": []}], RELEASE)
    assert problem == "service web has no container"


def test_what_the_engine_says() -> None:
    networks = {"a": {"IPAddress": ""}, "b": {"IPAddress": "10.1.0.2"}}
    labels = {"com.docker.compose.service": "app", "com.docker.compose.config-hash": "5f"}
    found = container_from(
        {
            "Id": "1",
            "Name": "/app-1",
            "Image": "sha256:new",
            "RestartCount": 2,
            "Config": {"Image": "app:v2", "Labels": labels, "Env": ["TOKEN=secret", "PATH=/bin"]},
            "State": {"Status": "running", "ExitCode": 0, "Health": {"Status": "none"}},
            "NetworkSettings": {"Networks": networks},
        }
    )
    assert found == Container(
        "1",
        "app-1",
        "app",
        "sha256:new",
        "app:v2",
        restarts=2,
        config_hash="5f",
        address="10.1.0.2",
        variables=frozenset(("TOKEN", "PATH")),
    )
    assert by_service([found], ["app", "web"]) == {"app": [found], "web": []}
