"""Where the commands of a gate run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.backend import Live
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.gate.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.gate.operation import Gate
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.gate.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.layout import Layout
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import (
    Options as ReleaseOptions,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.store import Store
from tests.support import release_samples as samples


@pytest.mark.parametrize("image", ["sha256:1", ""])
def test_a_command(image: str, tmp_path: Path) -> None:
    """Under Docker on the host, in the project's folder; the container's values are not known."""
    live, project = tmp_path / "live", tmp_path / "project"
    live.mkdir()
    project.mkdir()
    (tmp_path / "current").symlink_to(live)
    environment = {"PATH": "", "OF_APP": ""} if image else {"OF_APP": "1"}
    snapshot = samples.snapshot(
        live=Live(str(project), environment=environment),
        layout=Layout(Store(str(tmp_path), str(tmp_path / "current")), image=image),
    )
    target = samples.target(replace(samples.NEW, id="v3", version="v3", commit="c" * 40))
    backend = SimpleNamespace(snapshot=lambda: snapshot, target=lambda found, fetch: target)
    command = 'test "$PWD:$OF_APP" = "$EXPECTED" && ls && test "$RELEASE_VERSION" = v3'
    expected = f"{project}:" if image else f"{live}:1"
    options = Options(
        ReleaseOptions("app", state="deployed", version="v3", owner="eve"),
        questions={"tests": "Tests passing"},
        commands={"tests": f"EXPECTED={expected}; {command}"},
    )
    gate = Gate(options, cast(Any, backend), Thresholds(CHECKS), check_mode=False)
    outcome = gate.run()
    assert outcome.results == {"go": True, "release": "v3"}, outcome.checks
    assert "OF_APP" not in os.environ
