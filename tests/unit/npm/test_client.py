"""How npm is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.client import Npm
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.options import Options


@pytest.mark.parametrize("given", ["npm", "{folder}/npm"])
def test_no_program_is_taken_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    program = tmp_path / "npm"
    program.write_text("""#!/bin/sh\nprintf '{"node": "%s"}' "$PATH"\n""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    npm = Npm(Options("/", given.format(folder=tmp_path)), Deadline(20))
    assert "" not in npm.node_version().split(":")
