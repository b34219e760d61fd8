"""Which files a project has, and what its configuration says of an app."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import (
    NotCollected,
    UsageError,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.compose.project import (
    Config,
    Project,
)


def files(folder: Path, *given: str) -> tuple[str, ...]:
    return Project(str(folder), given, ["app"], 1).files


def test_the_files_that_compose_reads(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"compose_project_dir: .* has no compose"):
        files(tmp_path)
    for name in ("docker-compose.yml", "docker-compose.override.yml"):
        (tmp_path / name).write_text("")
    assert files(tmp_path) == ("docker-compose.yml", "docker-compose.override.yml")
    (tmp_path / "compose.yaml").write_text("")
    assert files(tmp_path) == ("compose.yaml", "docker-compose.override.yml")
    assert files(tmp_path, "prod.yaml") == ("prod.yaml",)
    (tmp_path / ".env").write_text("COMPOSE_FILE=compose.yaml:compose.runbook.yaml\n")
    assert files(tmp_path) == ("compose.yaml", "compose.runbook.yaml")
    assert files(tmp_path, "prod.yaml") == ("prod.yaml", "compose.runbook.yaml")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"compose_project_dir: .* is not a folder on this host"):
        files(tmp_path / "none")


def test_the_variables_that_name_images(tmp_path: Path) -> None:
    text = 'services:\n  app:\n    image: "${REGISTRY}/app:${TAG:-v1}"\n    command: $HOME\n'
    (tmp_path / "compose.yaml").write_text(text)
    project = Project(str(tmp_path), (), ["app"], 1)
    assert project.image_variables() == ["REGISTRY", "TAG"]


@pytest.mark.parametrize(
    ("service", "exposed", "port"),
    [
        ({"ports": [{"target": 80, "published": "8080"}, {"target": 9, "published": "9"}]}, (), 80),
        ({"ports": [{"target": 3000, "published": "3001"}]}, (), 3000),
        ({"ports": [{"target": 80}, {"target": 9}]}, (3000,), 3000),
        ({"expose": ["4000/tcp"]}, (3000,), 4000),
        ({}, (3000,), 3000),
        ({}, (3000, 3001), 0),
        ({}, (), 0),
    ],
)
def test_the_port_of_an_app(service: dict[str, Any], exposed: tuple[int, ...], port: int) -> None:
    assert Config({"services": {"app": service}}).port("app", 8080, exposed) == port


def test_what_is_built_here_has_no_image() -> None:
    config = Config({"services": {"app": {"build": "."}, "web": {"image": "web:v1"}}})
    assert config.image("web") == "web:v1"
    with pytest.raises(NotCollected, match="service app names no image"):
        config.image("app")


@pytest.mark.parametrize(
    ("check", "has_one"),
    [(None, None), ({"test": ["CMD", "x"]}, True), ({"test": ["NONE"]}, False)],
)
def test_a_health_check_in_the_files(check: Any, has_one: bool | None) -> None:
    config = Config({"services": {"app": {"healthcheck": check}}})
    assert config.has_health_check("app") is has_one
    assert not Config({"services": {"app": {"healthcheck": {"disable": True}}}}).has_health_check(
        "app"
    )


def test_values_of_an_env_file_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose resolves them; the command of a migration may print one."""
    given = {"DB_PASSWORD": "hunter2$$hunter2", "VERSION": "v1.1.0-rc.1", "EMPTY": None}
    service = {"image": "registry.example.com/app:v1.1.0-rc.1", "environment": given}
    (tmp_path / "answer.json").write_text(json.dumps({"name": "x", "services": {"app": service}}))
    (tmp_path / "compose.yaml").write_text("")
    program = tmp_path / "docker"
    program.write_text(
        f"#!/bin/sh\ncase $2 in config) exec cat {tmp_path}/answer.json ;; esac\n"
        "echo 'v1.1.0-rc.1 cannot log in with hunter2$hunter2' >&2\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    project = Project(str(tmp_path), (), ["app"], 10)
    project.config()
    with pytest.raises(NotCollected) as raised:
        project.compose("run", "app")
    assert "v1.1.0-rc.1 cannot log in with" in str(raised.value)
    assert "hunter2" not in str(raised.value)
