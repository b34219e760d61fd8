"""What the words of the docker command line mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import (
    NotCollected,
    RunbookError,
    Unreachable,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.compose.client import Docker


@pytest.mark.parametrize(
    ("said", "kind", "remedy"),
    [
        ("Cannot connect to the Docker daemon at unix:///x.", Unreachable, "Start Docker"),
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///x",
            Unreachable,
            "Start Docker",
        ),
        ("docker: 'compose' is not a docker command.", Unreachable, "Install Compose v2"),
        ("ERROR: permission denied for table users", NotCollected, ""),
        ("exec /app/start: permission denied", NotCollected, ""),
    ],
)
def test_a_failure(
    said: str,
    kind: type[RunbookError],
    remedy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a command in a container complains about is no problem of the engine."""
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(RunbookError) as raised:
        Docker(10)("compose", "run", "app")
    assert isinstance(raised.value, kind)
    assert raised.value.remedy.startswith(remedy)
    assert said.split(".")[0] in str(raised.value) or "no Compose v2" in str(raised.value)
